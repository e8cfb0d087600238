"""Thumbnails of pictures that move: they move too, within limits."""

from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from app.pictures import decoding
from tests.pictures import BLUE, GREEN, RED, is_near, middle

COLOURS = (RED, GREEN, BLUE)


def moving(kind: str, count: int = 3, size: tuple[int, int] = (300, 200), **options: Any) -> bytes:  # noqa: ANN401 - Pillow's own
    frames = [Image.new("RGB", size, COLOURS[number % 3]) for number in range(count)]
    for number, frame in enumerate(frames):
        frame.putpixel(
            (number % size[0], number // size[0]), (255, 255, 255)
        )  # no two are equal, and become one
    out = BytesIO()
    frames[0].save(
        out, kind, save_all=True, append_images=frames[1:], **{"duration": 120, "loop": 0} | options
    )
    return out.getvalue()


def thumbnail(data: bytes, kind: Any = "webp") -> Any:  # noqa: ANN401 - formats, and Pillow's own
    return Image.open(BytesIO(decoding.thumbnail(data, 100, kind, 10**8)))


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_a_webp_of_what_moves_moves(kind: str) -> None:
    small = thumbnail(moving(kind))
    assert (small.size, small.n_frames, small.info["loop"]) == ((150, 100), 3, 0)
    for number, colour in enumerate(COLOURS):
        small.seek(number)
        assert is_near(middle(small.convert("RGB")), colour, by=12)
        assert small.info["duration"] == 120
    assert getattr(thumbnail(moving(kind), "jpeg"), "n_frames", 1) == 1


def test_too_much_is_still() -> None:
    assert thumbnail(moving("gif", 201, (30, 20))).n_frames == 1
    assert thumbnail(moving("gif")[:-60]).n_frames == 1  # it is cut off
    huge = bytearray(moving("gif", 2, (30, 20)))
    huge[6:10] = (6000).to_bytes(2, "little") * 2
    assert thumbnail(bytes(huge)).n_frames == 1


def test_a_frame_outside_of_the_canvas_is_never_decoded() -> None:
    data = bytearray(moving("gif", 2))
    at = data.rindex(b",", 0, len(data))
    while data[at + 1 : at + 5] != bytes(4) or data[at + 5 : at + 7] != (300).to_bytes(2, "little"):
        at = data.rindex(b",", 0, at)
    data[at + 5 : at + 9] = b"\xff" * 4  # 65535 x 65535
    small = thumbnail(bytes(data))
    assert (small.size, small.n_frames) == ((150, 100), 1)
    assert is_near(middle(small.convert("RGB")), RED, by=12)
