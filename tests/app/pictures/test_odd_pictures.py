"""Odd pictures: what browsers show is kept and shown, as far as it goes."""

import pytest
from PIL import Image, ImageChops, ImageStat, UnidentifiedImageError

from app.errors import ContentTooLarge, InvalidRequest
from app.pictures import decoding
from app.pictures.formats import Facts, ThumbnailFormat
from app.processes.pool import ChildPool
from tests import odd_pictures
from tests.pictures import (
    BLUE,
    FORMATS,
    QUARTERS,
    RED,
    bomb,
    corners,
    decoded,
    encoded,
    is_near,
    middle,
    noise,
    plain,
    quarters,
)

pytestmark = pytest.mark.slow

MAX_PIXELS = 100_000_000


def examine(data: bytes) -> Facts:
    return decoding.examine(data, MAX_PIXELS)


def thumbnail(data: bytes, height: int = 200, kind: ThumbnailFormat = "webp") -> Image.Image:
    return decoded(decoding.thumbnail(data, height, kind, MAX_PIXELS))


def alpha(image: Image.Image, x: int, y: int) -> int:
    value = image.convert("RGBA").getpixel((x, y))
    assert isinstance(value, tuple)
    return int(value[3])


@pytest.mark.parametrize("name", odd_pictures.sideways_but_not_by_exif())
def test_exif_alone_turns_a_picture(name: str) -> None:
    data = odd_pictures.sideways_but_not_by_exif()[name]
    assert examine(data) == Facts(name.rpartition(".")[2], 600, 400)
    assert corners(thumbnail(data)) == QUARTERS


@pytest.mark.parametrize("name", odd_pictures.odd_but_whole())
def test_what_has_odd_things_beside_it_is_whole(name: str) -> None:
    data = odd_pictures.odd_but_whole()[name]
    assert examine(data) == Facts(name.rpartition(".")[2], 600, 400, is_complete=True)
    assert corners(thumbnail(data)) == QUARTERS


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
@pytest.mark.parametrize("name", odd_pictures.to_be_cut())
def test_what_is_cut_off_is_shown_as_far_as_it_goes(name: str, part: float) -> None:
    data = odd_pictures.to_be_cut()[name]
    cut = data[: int(len(data) * part)]
    assert examine(data).is_complete
    assert examine(cut) == Facts(name.rpartition(".")[2], 300, 200, is_complete=False)
    small, whole = thumbnail(cut).convert("RGBA"), thumbnail(data).convert("RGBA")
    rows = 200 if name.startswith(("progressive", "interlaced")) else int(200 * part) - 40
    there = (0, 0, 300, rows)
    assert small.crop(there).getchannel("A").getextrema() == (255, 255)
    difference = ImageChops.difference(small.crop(there), whole.crop(there))
    assert max(ImageStat.Stat(difference).mean) < 12
    if rows == 200:
        assert alpha(small, 150, 199) == 255
    elif part < 0.9:
        assert alpha(small, 150, 199) == 0


@pytest.mark.parametrize("name", odd_pictures.to_be_cut())
def test_what_is_cut_off_before_its_first_pixel_is_broken(name: str) -> None:
    data = odd_pictures.to_be_cut()[name]
    for at in (20, 40, data.index(b"IDAT") + 8 if b"IDAT" in data else 60):
        with pytest.raises(InvalidRequest, match="nothing of it can be shown"):
            examine(data[:at])


def test_of_an_interlaced_picture_its_first_pass_goes_a_long_way() -> None:
    data = odd_pictures.interlaced_png(odd_pictures.fine(), 2)
    cut = data[: len(data) // 50]
    small = thumbnail(cut)
    assert corners(small) == QUARTERS
    assert small.mode == "RGB"
    half = thumbnail(data[: len(data) // 120])
    assert alpha(half, 150, 50) == 255
    assert alpha(half, 150, 199) == 0


@pytest.mark.parametrize(("kind", "end"), [("jpeg", 2), ("png", 12), ("gif", 1), ("png", 4)])
def test_only_the_end_is_missing(kind: str, end: int) -> None:
    data = encoded(quarters(), kind)[:-end]
    assert examine(data) == Facts(kind, 600, 400, is_complete=False)
    assert corners(thumbnail(data, kind="jpeg")) == QUARTERS


@pytest.mark.parametrize("kind", ["gif", "png"])
def test_of_an_animation_that_is_cut_off_the_first_frame_is_shown(kind: str) -> None:
    frames = [noise(300, 200) for _ in range(3)]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)
    assert examine(data) == Facts(kind, 300, 200, is_complete=True)
    cut = data[: len(data) * 2 // 3]
    assert examine(cut) == Facts(kind, 300, 200, is_complete=False)
    assert thumbnail(cut).tobytes() == thumbnail(data).tobytes()


@pytest.mark.parametrize("kind", ["png", "gif"])
def test_what_is_damaged_in_the_middle_is_shown_down_to_there(kind: str) -> None:
    data = bytearray(encoded(noise(300, 200), kind, interlace=0))
    data[len(data) // 2 : len(data) // 2 + 64] = bytes(64)
    assert examine(bytes(data)) == Facts(kind, 300, 200, is_complete=False)
    assert alpha(thumbnail(bytes(data)), 150, 60) == 255


def test_a_png_whose_pixels_have_another_checksum_is_shown_but_not_complete() -> None:
    data = encoded(quarters(), "png")
    end = data.index(b"IEND") - 8
    damaged = data[:end] + bytes(4) + data[end + 4 :]
    assert examine(damaged) == Facts("png", 600, 400, is_complete=False)
    assert corners(thumbnail(damaged)) == QUARTERS


def test_what_is_missing_is_white_in_a_jpeg() -> None:
    data = odd_pictures.to_be_cut()["rows.png"]
    small = thumbnail(data[: len(data) // 3], kind="jpeg")
    assert is_near(small.getpixel((150, 195)), (255, 255, 255))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("depth", "colour_type", "clear", "seen", "key"),
    [
        (16, 0, b"\x12\x34", b"\x12\x35", b"\x12\x34"),
        (16, 2, b"\x12\x34\0\0\0\0", b"\x12\x34\0\0\0\1", b"\x12\x34\0\0\0\0"),
        (8, 0, b"\7", b"\x08", b"\0\7"),
        (8, 2, b"\7\0\0", b"\7\0\1", b"\0\7\0\0\0\0"),
        (4, 0, b"\x77", b"\x66", b"\0\7"),
        (2, 0, b"\x55", b"\xaa", b"\0\1"),
        (1, 0, b"\xff", b"\x00", b"\0\1"),
    ],
)
def test_one_colour_can_be_seen_through_and_no_other(
    depth: int, colour_type: int, clear: bytes, seen: bytes, key: bytes
) -> None:
    samples = 32 * depth // 8 if depth < 8 else 32
    data = odd_pictures.keyed_png(depth, colour_type, clear * samples, seen * samples, key)
    small = thumbnail(data)
    assert (alpha(small, 5, 30), alpha(small, 58, 30)) == (0, 255)


@pytest.mark.parametrize("transparent", [None, 3])
def test_around_the_first_frame_of_a_gif_nothing_is_seen(transparent: int | None) -> None:
    data = odd_pictures.gif((10, 20, 40, 30), transparent=transparent)
    assert examine(data) == Facts("gif", 100, 80)
    small = thumbnail(data)
    assert [alpha(small, x, y) for x, y in ((5, 5), (90, 70), (5, 35), (30, 70))] == [0] * 4
    assert is_near(small.getpixel((30, 35)), (*RED, 255), 8)  # type: ignore[arg-type]


def test_a_gif_whose_first_frame_is_clear_is_clear() -> None:
    small = thumbnail(odd_pictures.gif((0, 0, 100, 80), transparent=0))
    assert small.getchannel("A").getextrema() == (0, 0)


def test_a_gif_is_as_large_as_its_first_frame_needs() -> None:
    data = odd_pictures.gif((80, 60, 40, 30))
    assert examine(data) == Facts("gif", 120, 90)
    small = thumbnail(data)
    assert (alpha(small, 5, 5), alpha(small, 110, 80)) == (0, 255)


def test_an_avif_with_alpha_of_an_older_encoder() -> None:
    image = Image.new("RGBA", (120, 80), (*BLUE, 255))
    image.paste((*BLUE, 0), (60, 0, 120, 80))
    data = odd_pictures.avif_with_associations_apart(image)
    with pytest.raises(UnidentifiedImageError):
        decoded(data)
    assert examine(data) == Facts("avif", 120, 80)
    small = thumbnail(data)
    assert is_near(small.getpixel((20, 40)), (*BLUE, 255), 12)  # type: ignore[arg-type]
    assert alpha(small, 100, 40) == 0


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("edge", [17_000, 40_000])
def test_a_huge_picture_is_refused_by_its_header(kind: str, edge: int) -> None:
    with pytest.raises(ContentTooLarge, match=f"{edge} x {edge}"):
        examine(odd_pictures.huge(kind, edge))


def test_a_png_of_too_few_rows_is_not_complete() -> None:
    assert examine(bomb(9_000, 10)) == Facts("png", 9_000, 9_000, is_complete=False)


def test_a_picture_of_one_colour_that_is_cut_off_is_seen() -> None:
    for colour in ((0, 0, 0), (255, 255, 255)):
        data = plain(colour, (3000, 2000))
        cut = data[: len(data) * 2 // 3]
        assert not examine(cut).is_complete
        assert is_near(middle(thumbnail(cut, kind="jpeg").crop((0, 0, 300, 20))), colour)


def test_a_whole_picture_is_not_taken_for_one_of_too_few_rows() -> None:
    for colour in ((0, 0, 0), (167, 167, 167), (255, 255, 255)):
        assert examine(plain(colour)) == Facts("png", 600, 400)
        assert is_near(middle(thumbnail(plain(colour), kind="jpeg")), colour)


@pytest.mark.anyio
async def test_odd_pictures_are_read_in_a_child() -> None:
    """A child opens no files: all that odd ones need must have been imported."""
    odd = [data[: len(data) * 2 // 3] for data in odd_pictures.to_be_cut().values()]
    odd += odd_pictures.odd_but_whole().values()
    odd.append(odd_pictures.keyed_png(16, 0, b"\1\2" * 32, b"\1\3" * 32, b"\1\2"))
    odd.append(odd_pictures.keyed_png(16, 2, bytes(192), bytes(range(192)), bytes(6)))
    odd.append(odd_pictures.gif((10, 20, 40, 30)))
    odd.append(odd_pictures.avif_with_associations_apart(Image.new("RGBA", (60, 40), (*BLUE, 99))))
    memory = 256 * 1024 * 1024
    pool = ChildPool(
        workers=1, memory=memory, seconds=60, name="test", modules=["app.pictures.decoding"]
    )
    try:
        for data in odd:
            assert await pool.run(decoding.examine, data, MAX_PIXELS) == examine(data)
            made = await pool.run(decoding.thumbnail, data, 100, "webp", MAX_PIXELS)
            assert decoded(made).tobytes() == thumbnail(data, 100).tobytes()
    finally:
        await pool.aclose()
