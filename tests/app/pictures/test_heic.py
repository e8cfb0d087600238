"""HEIC and HEIF as phones make them."""

import io
from pathlib import Path

import pillow_heif
import pytest
from PIL import Image

from app.errors import InvalidRequest
from app.pictures import decoding
from app.pictures.formats import Facts
from app.processes.pool import ChildPool
from tests.pictures import (
    BLUE,
    GREEN,
    QUARTERS,
    RED,
    STORED,
    corners,
    decoded,
    encoded,
    exif,
    is_near,
    middle,
    noise,
    quarters,
)

MAX_PIXELS = 100_000_000
MIB = 1024 * 1024


def examine(data: bytes) -> Facts:
    return decoding.examine(data, MAX_PIXELS)


def thumbnail(data: bytes, height: int = 160) -> Image.Image:
    return decoded(decoding.thumbnail(data, height, "jpeg", MAX_PIXELS))


def stored(orientation: int) -> Image.Image:
    """Return what a camera stores that is held that way."""
    upright = quarters(480, 320)
    return upright.transpose(STORED[orientation]) if orientation in STORED else upright


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_once_though_container_and_exif_say_it(orientation: int) -> None:
    data = encoded(stored(orientation), "heic", quality=90, exif=exif(orientation))
    assert exif(orientation) in data
    assert (b"irot" in data or b"imir" in data) == (orientation != 1)
    assert examine(data) == Facts("heic", 480, 320)
    small = thumbnail(data)
    assert (small.size, corners(small)) == ((240, 160), QUARTERS)


@pytest.mark.parametrize("orientation", [1, 3, 8])
def test_the_container_alone_turns_a_picture(orientation: int) -> None:
    data = encoded(stored(6), "heic", quality=90, exif=exif(6))
    data = data.replace(exif(6), exif(orientation))
    assert exif(orientation) in data
    assert examine(data) == Facts("heic", 480, 320)
    assert corners(thumbnail(data)) == QUARTERS


def test_exif_alone_does_not_turn_a_picture() -> None:
    data = encoded(quarters(480, 320), "heic", quality=90, exif=exif(1))
    data = data.replace(exif(1), exif(6))
    assert exif(6) in data
    assert examine(data) == Facts("heic", 480, 320)
    assert corners(thumbnail(data)) == QUARTERS


def test_broken_metadata_is_no_broken_picture() -> None:
    data = encoded(quarters(480, 320), "heic", quality=90, exif=b"Exif\0\0MM\0*nonsense")
    assert examine(data) == Facts("heic", 480, 320)


@pytest.mark.parametrize("primary", [0, 1, 2])
def test_of_several_pictures_the_primary_one_counts(primary: int, tmp_path: Path) -> None:
    several = pillow_heif.from_pillow(Image.new("RGB", (300, 120), RED))
    for colour, width in ((GREEN, 240), (BLUE, 180)):
        several.add_from_pillow(Image.new("RGB", (width, 120), colour))
    path = tmp_path / "burst.heic"
    several.save(path, primary_index=primary, quality=90)
    data = path.read_bytes()
    assert examine(data) == Facts("heic", (300, 240, 180)[primary], 120)
    assert is_near(middle(thumbnail(data)), (RED, GREEN, BLUE)[primary], 12)


@pytest.mark.parametrize("brand", [b"heic", b"heix", b"hevc", b"mif1", b"msf1"])
def test_heif_is_told_by_its_brand(brand: bytes) -> None:
    data = encoded(quarters(480, 320), "heic", quality=90)
    data = data[:8] + brand + data[12:]
    assert examine(data) == Facts("heic", 480, 320)
    assert corners(thumbnail(data)) == QUARTERS


def test_ten_bits_a_channel() -> None:
    row = (0xFFC0).to_bytes(2, "little") + (0x8000).to_bytes(2, "little") + bytes(2)
    deep = pillow_heif.from_bytes("RGB;16", (300, 200), row * 300 * 200)
    out = io.BytesIO()
    deep.save(out, quality=90)
    assert is_near(middle(thumbnail(out.getvalue())), (255, 128, 0), 12)


def test_metadata_is_left_out() -> None:
    data = encoded(quarters(), "heic", exif=exif(6), xmp=b"Camera-maker")
    made = decoding.thumbnail(data, 200, "jpeg", MAX_PIXELS)
    assert b"Camera-maker" in data
    assert b"Camera-maker" not in made
    assert not decoded(made).getexif()


def test_other_ways_of_coding_are_refused() -> None:
    data = encoded(quarters(480, 320), "avif", quality=90)
    data = data.replace(b"avif", b"mif1")
    with pytest.raises(InvalidRequest, match="broken"):
        examine(data)


@pytest.mark.slow
@pytest.mark.anyio
async def test_a_child_that_decodes_twelve_megapixels_stays_small(tmp_path: Path) -> None:
    path = tmp_path / "12.heic"
    large = noise(504, 378).resize((4032, 3024))
    path.write_bytes(encoded(large, "heic", quality=40, enc_params={"preset": "ultrafast"}))
    modules = ["app.pictures.decoding"]
    pool = ChildPool(
        workers=1, memory=160 * MIB, seconds=120, name="test", modules=modules, threads=True
    )
    try:
        with path.open("rb") as file:
            assert await pool.run(decoding.examine, file, MAX_PIXELS) == Facts("heic", 4032, 3024)
            made = await pool.run(decoding.thumbnail, file, 200, "jpeg", MAX_PIXELS)
            assert decoded(made).size == (267, 200)
    finally:
        await pool.aclose()
