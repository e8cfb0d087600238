"""Bare pictures: what cameras and programs wrote beside the pixels is gone, and nothing else."""

import io
import struct
from typing import Any

import pytest
from PIL import Image

from app.objects.excerpts import from_json
from app.pictures import decoding
from app.pictures.decoders import bare as bare_parts
from storage.base import ByteRange
from tests import odd_pictures
from tests.app.pictures.test_animations import moving
from tests.odd_pictures import jpeg_with, png_with, segment
from tests.pictures import (
    FORMATS,
    chunk,
    decoded,
    encoded,
    exif,
    noise,
    quarters,
)

TELLING = (b"Camera-maker", b"GPS-north", b"adobe:ns:meta", b"secret")


def bare(data: bytes) -> bytes:
    """Return the bare file, of which nothing tells of its owner."""
    excerpt = from_json(decoding.examine(data, 10**8).bare or "")
    found = excerpt.of(data)
    for number in (0, 1, 9, len(found) // 2, len(found) - 3):  # any part of it is the same
        part = ByteRange(number, min(number + 700, len(found)))
        pieces = excerpt.within(part)
        taken = (p if isinstance(p, bytes) else data[p.start : p.stop] for p in pieces)
        assert b"".join(taken) == found[part.start : part.stop]
    assert not [word for word in TELLING if word in found]
    return found


def pixels(data: bytes) -> tuple[tuple[int, int], bytes]:
    image = decoded(data).convert("RGBA")
    return image.size, image.tobytes()


def telling(kind: str, image: Image.Image, orientation: int = 1) -> bytes:
    if kind == "gif":
        return encoded(image, kind, comment=b"GPS-north")
    xmp = {"xmp": odd_pictures.xmp(6)} if kind in {"webp", "avif"} else {}
    return encoded(image, kind, exif=exif(orientation), **xmp)


@pytest.mark.parametrize("kind", FORMATS)
def test_pixels_stay_and_words_go(kind: str) -> None:
    data = telling(kind, noise(300, 200))
    assert any(word in data for word in TELLING)
    assert pixels(bare(data)) == pixels(data)
    plain = encoded(quarters(), kind)
    assert bare(plain) == plain


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_which_way_is_up_stays(kind: str) -> None:
    data = bare(telling(kind, quarters(), orientation=6))
    facts = decoding.examine(data, 10**8)
    assert (facts.width, facts.height) == (400, 600)
    assert decoded(data).getexif()[0x0112] == 6


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_what_moves_goes_on_moving(kind: str) -> None:
    told: dict[str, Any] = {"comment": b"secret"} if kind == "gif" else {"exif": exif(1)}
    data = moving(kind, **told)
    shown = decoded(bare(data))
    assert (getattr(shown, "n_frames", 1), shown.info["loop"]) == (3, 0)


def test_what_follows_the_end_goes_and_so_do_further_pictures() -> None:
    video = b"\0\0\0\x18ftypmp42 secret GPS-north"
    second = telling("jpeg", quarters())
    index = segment(0xE2, b"MPF\0secret")
    assert bare(jpeg_with(index) + second + video) == jpeg_with()
    assert bare(png_with() + second + video) == png_with()
    webp = encoded(quarters(), "webp")
    size = len(webp) + 14
    odd = webp[:4] + struct.pack("<I", size - 8) + webp[8:] + b"mine\6\0\0\0secret"
    for data in (webp + video, odd):
        assert bare(data) == webp
    heic = telling("heic", quarters())
    assert len(bare(heic + struct.pack(">I", 14) + b"mpvdsecret")) == len(heic)


def test_texts_and_colours() -> None:
    texts = (chunk(name, b"secret\0secret") for name in (b"tEXt", b"tIME", b"miNe"))
    scale = chunk(b"pHYs", bytes(9))
    data = bare(png_with(*texts, scale))
    assert data == png_with(scale)
    profile = segment(0xE2, b"ICC_PROFILE\0\1\1profile")
    assert bare(jpeg_with(profile, segment(0xED, b"Photoshop 3.0\0secret"))) == jpeg_with(profile)


@pytest.mark.parametrize("name", [*odd_pictures.odd_but_whole(), "cut off", "no end"])
def test_odd_pictures_look_as_they_did(name: str) -> None:
    whole = telling("jpeg", noise(300, 200))
    odd = {"cut off": whole[: len(whole) // 2], "no end": whole[:-2]}
    data = (odd_pictures.odd_but_whole() | odd)[name]
    before, after = (decoding.examine(one, 10**8) for one in (data, bare(data)))
    assert (before, before.thumbhash) == (after, after.thumbhash)
    shown, still = (decoding.thumbnail(one, 50, "jpeg", 10**8) for one in (data, bare(data)))
    assert shown == still


def test_what_can_not_be_taken_apart_is_not_given() -> None:
    many = [part for _ in range(300) for part in (chunk(b"pHYs", bytes(9)), chunk(b"tEXt", b"a"))]
    assert decoding.examine(png_with(*many), 10**8).bare == "[]"
    frame = moving("webp")
    at = frame.index(b"ANMF") + 24
    odd = frame[:at] + b"mine" + frame[at + 4 :]
    assert bare_parts.parts_of(io.BytesIO(odd), "webp", 1) == "[]"
    heic = encoded(quarters(), "heic").replace(b"iloc", b"lost")
    assert bare_parts.parts_of(io.BytesIO(heic), "heic", 1) == "[]"
