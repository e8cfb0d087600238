"""What is done to pictures: told apart, refused, turned, converted, scaled."""

import random
import subprocess
import sys
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageStat

from app.errors import ContentTooLarge, InvalidRequest, UnsupportedMediaType
from app.pictures import decoding
from app.pictures.formats import Facts, ThumbnailFormat
from app.processes.pool import ChildPool
from tests import children
from tests.pictures import (
    BLUE,
    FORMATS,
    GREEN,
    QUARTERS,
    RED,
    STORED,
    WHITE,
    bomb,
    corners,
    decoded,
    encoded,
    exif,
    huge_webp,
    is_near,
    linear_grey_profile,
    middle,
    noise,
    odd_ink_profile,
    plain,
    png,
    quarters,
    swapped_profile,
)

MAX_PIXELS = 100_000_000
MIB = 1024 * 1024
KINDS: tuple[ThumbnailFormat, ...] = ("jpeg", "webp")


def examine(data: bytes) -> Facts:
    return decoding.examine(data, MAX_PIXELS)


def thumbnail(data: bytes, height: int = 200, kind: ThumbnailFormat = "jpeg") -> Image.Image:
    return decoded(decoding.thumbnail(data, height, kind, MAX_PIXELS))


@pytest.mark.parametrize("kind", FORMATS)
def test_formats_are_told_by_content(kind: str) -> None:
    data = encoded(quarters(), kind)
    assert examine(data) == Facts(kind, 600, 400)
    file = BytesIO(data)
    assert decoding.examine(file, MAX_PIXELS) == Facts(kind, 600, 400)
    for made in ("jpeg", "webp"):
        small = decoded(decoding.thumbnail(file, 200, made, MAX_PIXELS))
        assert (small.format, small.size) == (made.upper(), (300, 200))
        assert corners(small) == QUARTERS


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<!DOCTYPE html><img>",
        b"%PDF-1.7",
        b"RIFF\x10\0\0\0WAVEfmt ",
        b"\0\0\0\x18ftypisom\0\0\0\0mp42heic" + bytes(64),
        encoded(quarters(), "bmp"),
        encoded(quarters(), "tiff"),
        encoded(quarters(), "jpeg2000"),
        encoded(quarters(), "ppm"),
    ],
)
def test_other_formats_are_refused(data: bytes) -> None:
    with pytest.raises(UnsupportedMediaType):
        examine(data)


@pytest.mark.parametrize("kind", ["webp", "avif", "heic"])
@pytest.mark.parametrize("part", [0.1, 0.6, 0.95])
def test_a_picture_of_which_browsers_show_all_or_nothing_is_broken_when_cut(
    kind: str, part: float
) -> None:
    data = encoded(noise(300, 200), kind)
    with pytest.raises(InvalidRequest, match="broken"):
        examine(data[: max(40, int(len(data) * part))])


@pytest.mark.parametrize("kind", FORMATS)
def test_a_header_alone_is_broken(kind: str) -> None:
    data = encoded(quarters(), kind)
    with pytest.raises(InvalidRequest, match="broken"):
        examine(data[:20] + bytes(2000))


@pytest.mark.parametrize("kind", FORMATS)
def test_more_pixels_than_are_allowed_are_refused(kind: str) -> None:
    data = encoded(quarters(60, 40), kind)
    assert decoding.examine(data, 60 * 40) == Facts(kind, 60, 40)
    with pytest.raises(ContentTooLarge, match="60 x 40"):
        decoding.examine(data, 60 * 40 - 1)
    with pytest.raises(ContentTooLarge):
        decoding.thumbnail(data, 20, "jpeg", 60 * 40 - 1)


@pytest.mark.parametrize("data", [bomb(50_000, 10), huge_webp(16_000, 16_000)])
def test_a_bomb_is_refused_by_its_header(data: bytes) -> None:
    """Were it decoded, it would be found to be broken: there is nothing in it."""
    with pytest.raises(ContentTooLarge):
        examine(data)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_upright(orientation: int) -> None:
    shown = quarters(480, 320)
    stored = shown.transpose(STORED[orientation]) if orientation in STORED else shown
    data = encoded(stored, "jpeg", exif=exif(orientation), quality=90)
    assert examine(data) == Facts("jpeg", 480, 320)
    small = thumbnail(data, 160)
    assert small.size == (240, 160)
    assert corners(small) == QUARTERS


@pytest.mark.parametrize("kind", ["png", "webp", "avif"])
def test_other_formats_are_turned_too(kind: str) -> None:
    data = encoded(quarters(480, 320).transpose(STORED[6]), kind, exif=exif(6))
    assert examine(data) == Facts(kind, 480, 320)
    small = thumbnail(data, 160)
    assert (small.size, corners(small)) == ((240, 160), QUARTERS)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # in a child nobody reads it
@pytest.mark.parametrize("metadata", [b"Exif\0\0MM\0*\xff\xff\xff\xff", b"Exif\0\0nonsense", b""])
def test_broken_metadata_is_no_broken_picture(metadata: bytes) -> None:
    data = encoded(quarters(), "jpeg", exif=metadata)
    assert examine(data) == Facts("jpeg", 600, 400)
    assert corners(thumbnail(data)) == QUARTERS


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_metadata_is_left_out(kind: ThumbnailFormat) -> None:
    secret = b"Camera-maker"
    for source, options in {
        "jpeg": {"comment": secret, "xmp": secret},
        "webp": {"xmp": secret},
        "png": {},
    }.items():
        data = encoded(quarters(), source, exif=exif(6), **options)
        assert secret in data
        made = decoding.thumbnail(data, 200, kind, MAX_PIXELS)
        assert secret not in made
        assert not decoded(made).getexif()
        assert {"comment", "exif", "xmp", "icc_profile"}.isdisjoint(decoded(made).info)


@pytest.mark.parametrize("source", ["jpeg", "png", "webp", "avif", "heic"])
@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_colours_are_converted_to_srgb(source: str, kind: ThumbnailFormat) -> None:
    data = encoded(Image.new("RGB", (300, 200), RED), source, icc_profile=swapped_profile())
    small = thumbnail(data, kind=kind)
    assert is_near(middle(small.convert("RGB")), GREEN, 12)
    assert "icc_profile" not in small.info


def test_colours_are_converted_beside_transparency() -> None:
    data = encoded(Image.new("RGBA", (300, 200), (*RED, 100)), "png", icc_profile=swapped_profile())
    assert is_near(middle(thumbnail(data, kind="webp")), (*GREEN, 100), 12)


def test_greys_are_converted_to_srgb() -> None:
    data = encoded(Image.new("L", (300, 200), 128), "png", icc_profile=linear_grey_profile())
    assert is_near(middle(thumbnail(data)), (188, 188, 188))


def test_inks_are_converted_by_their_profile() -> None:
    inks = Image.new("CMYK", (300, 200), (255, 0, 0, 0))  # by the book: cyan
    small = thumbnail(encoded(inks, "jpeg", icc_profile=odd_ink_profile(), quality=95))
    assert is_near(middle(small), (251, 0, 8), 12)


def test_inks_without_a_profile() -> None:
    inks = Image.new("CMYK", (300, 200), (255, 0, 0, 0))
    assert is_near(middle(thumbnail(encoded(inks, "jpeg", quality=95))), (0, 255, 255))
    blacks = Image.new("CMYK", (300, 200), (0, 0, 0, 128))
    assert is_near(middle(thumbnail(encoded(blacks, "jpeg", quality=95))), (127, 127, 127))


@pytest.mark.parametrize("profile", [b"nonsense", swapped_profile()[:200], linear_grey_profile()])
def test_a_profile_of_no_use_is_left_out(profile: bytes) -> None:
    data = encoded(quarters(), "png", icc_profile=profile)
    assert corners(thumbnail(data)) == QUARTERS


@pytest.mark.parametrize(
    ("image", "seen"),
    [
        (Image.new("1", (300, 200), 1), WHITE),
        (Image.new("L", (300, 200), 90), (90, 90, 90)),
        (Image.new("LA", (300, 200), (90, 255)), (90, 90, 90)),
        (Image.new("RGB", (300, 200), BLUE).quantize(4), BLUE),
        (Image.new("I;16", (300, 200), 0x8000), (128, 128, 128)),
    ],
    ids=["1", "L", "LA", "P", "I;16"],
)
def test_every_kind_of_pixels(image: Image.Image, seen: tuple[int, int, int]) -> None:
    data = encoded(image, "png")
    assert is_near(middle(thumbnail(data)), seen)
    assert is_near(middle(thumbnail(data, kind="webp").convert("RGB")), seen)


def test_sixteen_bits_a_channel() -> None:
    row = b"\xff\xff\x80\x00\x00\x10" * 300
    data = png(300, 200, 16, 2, [row] * 200)
    assert examine(data) == Facts("png", 300, 200)
    assert is_near(middle(thumbnail(data)), (255, 128, 0))


def _see_through() -> dict[str, bytes]:
    """Return pictures of which the left half is blue and the right half can be seen through."""
    clear = Image.new("RGBA", (300, 200), (*BLUE, 255))
    clear.paste((*BLUE, 0), (150, 0, 300, 200))
    palette = Image.new("P", (300, 200), 0)
    palette.putpalette((*BLUE, *RED))
    palette.paste(1, (150, 0, 300, 200))
    keyed = Image.new("RGB", (300, 200), BLUE)
    keyed.paste(RED, (150, 0, 300, 200))
    return {
        "rgba.png": encoded(clear, "png"),
        "palette.png": encoded(palette, "png", transparency=1),
        "palette.gif": encoded(palette, "gif", transparency=1),
        "keyed.png": encoded(keyed, "png", transparency=RED),
        "rgba.webp": encoded(clear, "webp", lossless=True, exact=True),
        "rgba.avif": encoded(clear, "avif", quality=95),
        "rgba.heic": encoded(clear, "heic", quality=95),
    }


@pytest.mark.parametrize("name", _see_through())
def test_transparency_survives_in_webp_and_is_white_in_jpeg(name: str) -> None:
    data = _see_through()[name]
    clear = thumbnail(data, kind="webp")
    assert clear.mode == "RGBA"
    assert is_near(clear.getpixel((75, 100)), (*BLUE, 255), 12)  # type: ignore[arg-type]
    assert clear.getchannel("A").getpixel((225, 100)) == 0
    white = thumbnail(data)
    assert is_near(white.getpixel((75, 100)), BLUE, 12)  # type: ignore[arg-type]
    assert is_near(white.getpixel((225, 100)), WHITE)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["gif", "webp", "avif", "png"])
def test_of_an_animation_the_first_frame_counts(kind: str) -> None:
    frames = [Image.new("RGB", (300, 200), colour) for colour in (RED, GREEN, BLUE)]
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)
    assert decoded(data).n_frames == 3  # type: ignore[attr-defined]
    assert examine(data) == Facts(kind, 300, 200)
    for made in ("jpeg", "webp"):
        small = thumbnail(data, kind=made)
        assert is_near(middle(small.convert("RGB")), RED, 12)
        moves = made == "webp" and kind in {"gif", "webp"}  # see test_animations.py
        assert getattr(small, "n_frames", 1) == (3 if moves else 1)


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_pictures_are_never_enlarged(kind: ThumbnailFormat) -> None:
    for source in FORMATS:
        assert thumbnail(encoded(quarters(90, 60), source), 200, kind).size == (90, 60)


def test_a_thumbnail_has_at_least_a_pixel_and_fits_its_format() -> None:
    assert thumbnail(plain(size=(1, 3000))).size == (1, 200)
    assert thumbnail(plain(size=(20_000, 200)), kind="webp").size == (16383, 164)
    assert thumbnail(plain(size=(20_000, 200))).size == (20_000, 200)


@pytest.mark.parametrize("size", [(2999, 2001), (5000, 301), (401, 2500), (1300, 900)])
def test_scaling_in_strips_shows_the_same_picture(size: tuple[int, int]) -> None:
    spots = (size[0] // 40 + 1, size[1] // 40 + 1)
    noise = Image.frombytes("L", spots, random.Random(1).randbytes(spots[0] * spots[1]))
    grey = noise.resize(size, Image.Resampling.BICUBIC)
    image = Image.merge("RGB", (grey, grey, grey))  # WebP keeps light better than colours
    small = thumbnail(encoded(image, "png", compress_level=0), 100, "webp").convert("RGB")
    whole = image.resize(small.size, Image.Resampling.BICUBIC)
    expected = decoded(encoded(whole, "webp", quality=80)).convert("RGB")
    difference = ImageStat.Stat(ImageChops.difference(small, expected))
    assert max(difference.mean) < 4


@pytest.mark.parametrize("kind", FORMATS)
def test_what_follows_a_picture_does_not_matter(kind: str) -> None:
    """A file that is something else as well is what its first bytes say."""
    data = encoded(quarters(), kind) + b"PK\x05\x06" + bytes(18)
    assert examine(data) == Facts(kind, 600, 400)
    assert b"PK\x05\x06" not in decoding.thumbnail(data, 200, "jpeg", MAX_PIXELS)


def test_a_script_in_a_gif_is_a_gif() -> None:
    data = encoded(quarters().quantize(4), "gif", comment=b"*/=1;alert(document.domain);/*")
    assert examine(data).format == "gif"
    assert b"alert" not in decoding.thumbnail(data, 200, "jpeg", MAX_PIXELS)


@pytest.mark.anyio
async def test_a_child_that_decodes_48_megapixels_stays_small(tmp_path: Path) -> None:
    path = tmp_path / "48.jpg"
    grey = Image.linear_gradient("L").resize((8000, 6000))
    Image.merge("RGB", (grey, grey, grey)).save(path, quality=90)
    modules = ["app.pictures.decoding", "tests.children"]
    pool = ChildPool(workers=1, memory=128 * MIB, seconds=60, name="test", modules=modules)
    try:
        with path.open("rb") as file:
            assert await pool.run(decoding.examine, file, MAX_PIXELS) == Facts("jpeg", 8000, 6000)
            for kind in ("jpeg", "webp"):
                made = await pool.run(decoding.thumbnail, file, 200, kind, MAX_PIXELS)
                assert decoded(made).size == (267, 200)
        assert _peak_memory(await pool.run(children.pid)) <= 100 * MIB
    finally:
        await pool.aclose()


def _peak_memory(pid: int) -> int:
    """Return the most memory that a process has had, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


@pytest.mark.anyio
@pytest.mark.parametrize("kind", FORMATS)
async def test_every_format_is_read_in_a_child(kind: str, tmp_path: Path) -> None:
    """A child opens no files: all that a format needs must have been imported."""
    path = tmp_path / "picture"
    path.write_bytes(encoded(quarters(), kind))
    profiled = encoded(quarters(), kind, icc_profile=swapped_profile(), exif=exif(6))
    pool = ChildPool(
        workers=1,
        memory=512 * MIB,
        seconds=60,
        name="test",
        modules=["app.pictures.decoding"],
        threads=True,
    )
    try:
        with path.open("rb") as file:
            assert await pool.run(decoding.examine, file, MAX_PIXELS) == Facts(kind, 600, 400)
            for form in KINDS:
                small = decoded(await pool.run(decoding.thumbnail, file, 200, form, MAX_PIXELS))
                assert (small.format, corners(small)) == (form.upper(), QUARTERS)
        for form in KINDS:
            expected = decoding.thumbnail(profiled, 200, form, MAX_PIXELS)
            assert await pool.run(decoding.thumbnail, profiled, 200, form, MAX_PIXELS) == expected
    finally:
        await pool.aclose()


def test_decoders_are_loaded_by_children_only() -> None:
    program = "import sys, main; sys.exit('PIL' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
