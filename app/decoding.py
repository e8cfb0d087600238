"""Decoding pictures and making thumbnails with Pillow; only child processes import this."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Final

# all that will be needed: a child opens no files, modules included, once it has begun to work
from PIL import (
    AvifImagePlugin,
    Image,
    ImageCms,
    MpoImagePlugin,  # noqa: F401 - what some JPEGs are
    TiffImagePlugin,  # noqa: F401 - whose form Exif has
    WebPImagePlugin,  # noqa: F401
)

from app.errors import ContentTooLarge, InvalidRequest, ProblemError
from app.images import HEADER, Facts, Kind, kind_of, unsupported

_ORIENTATION: Final = 0x0112  # of EXIF
_TURNED: Final = frozenset({5, 6, 7, 8})  # orientations that swap width and height
_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_DRAFT: Final = 1.5
_GAP: Final = 2  # how many times the size of the result is good enough to scale down from
_STRIP: Final = 1_000_000  # pixels that are converted at a time
_LONGEST: Final = {"jpeg": 65500, "webp": 16383}  # pixels that an edge may have
_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "jpeg": {"quality": 82, "optimize": True},
    "webp": {"quality": 80},
}
_TO_8_BITS: Final = [value >> 8 for value in range(65536)]

Image.preinit()  # GIF, JPEG, PNG
Image.MAX_IMAGE_PIXELS = None  # we count ourselves
AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # as many pictures at once as there are children


def examine(source: BinaryIO | bytes, max_pixels: int) -> Facts:
    """See `images.examine`."""
    with _opened(source, max_pixels) as (image, kind):
        width, height = _shown(image.size, _orientation(image))
        image.draft(None, (1, 1))
        image.load()
    if kind == "png":
        with _opened(source, max_pixels) as (image, _):
            image.verify()  # its checksums, which decoding leaves out
    return Facts(kind, width, height)


def thumbnail(source: BinaryIO | bytes, height: int, kind: Kind, max_pixels: int) -> bytes:
    """See `images.thumbnail`."""
    with _opened(source, max_pixels) as (image, _):
        orientation = _orientation(image)
        profile = image.info.get("icc_profile")
        size = _fitting(_shown(image.size, orientation), height, _LONGEST[kind])
        small = _shrunk(image, _shown(size, orientation))
        if orientation in _UPRIGHT:
            small = small.transpose(_UPRIGHT[orientation])
        return _encoded(_in_srgb(small, profile), kind)


@contextmanager
def _opened(source: BinaryIO | bytes, max_pixels: int) -> Iterator[tuple[Image.Image, str]]:
    """Open a picture whose header is good; what goes wrong with it inside makes it a broken one."""
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    kind = _kind(file)
    try:
        if kind == "webp":  # which Pillow makes room for as soon as it is opened
            _check_size(_webp_size(file), max_pixels)
        with Image.open(file, formats=[kind]) as image:
            _check_size(image.size, max_pixels)
            yield image, kind
    except (ProblemError, MemoryError):
        raise
    except Exception as error:  # what broken pictures raise is without number
        raise InvalidRequest(f"The picture is broken: it is no whole {kind.upper()}") from error


def _kind(file: BinaryIO) -> str:
    kind = kind_of(_header(file))
    if kind is None:
        raise unsupported()
    return kind


def _header(file: BinaryIO) -> bytes:
    file.seek(0)
    header = file.read(HEADER)
    file.seek(0)
    return header


def _webp_size(file: BinaryIO) -> tuple[int, int]:
    header = _header(file)
    match header[12:16]:
        case b"VP8X":
            edges = (header[24:27], header[27:30])
            return tuple(1 + int.from_bytes(edge, "little") for edge in edges)  # type: ignore
        case b"VP8L":
            bits = int.from_bytes(header[21:25], "little")
            return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        case _:
            width, height = header[26:28], header[28:30]
            return int.from_bytes(width, "little") & 0x3FFF, int.from_bytes(
                height, "little"
            ) & 0x3FFF


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise ContentTooLarge(
            f"A picture may have up to {max_pixels} pixels; this one has {width} x {height}"
        )


def _orientation(image: Image.Image) -> int:
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - broken metadata, of a picture that may well be whole
        return 1
    return orientation if orientation in _UPRIGHT else 1


def _shown(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Turn a stored size into the one that is shown, or back."""
    width, height = size
    return (height, width) if orientation in _TURNED else (width, height)


def _fitting(size: tuple[int, int], height: int, longest: int) -> tuple[int, int]:
    scale = min(1, height / size[1], longest / size[0], longest / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _shrunk(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Scale down, first to about twice the size by whole pixels, which is much the quickest.

    It is done in strips: of a large picture there is never more than one copy.
    """
    # a JPEG is decoded at less than its size; more than this costs time, and cannot be seen
    image.draft(None, (round(size[0] * _DRAFT), round(size[1] * _DRAFT)))
    image.load()
    width, height = image.size
    factor = max(1, min(width // (size[0] * _GAP), height // (size[1] * _GAP)))
    if factor == 1:
        return _plain(image).resize(size, Image.Resampling.BICUBIC)
    rows = max(1, _STRIP // (width * factor)) * factor
    reduced: Image.Image | None = None
    for top in range(0, height, rows):
        strip = _plain(image.crop((0, top, width, min(top + rows, height)))).reduce(factor)
        if reduced is None:
            reduced = Image.new(strip.mode, (-(-width // factor), -(-height // factor)))
        reduced.paste(strip, (0, top // factor))
    assert reduced is not None
    whole = (0, 0, width / factor, height / factor)
    return reduced.resize(size, Image.Resampling.BICUBIC, box=whole)


def _plain(image: Image.Image) -> Image.Image:
    """Convert to a mode that can be scaled: grey, RGB, RGBA or CMYK, 8 bits a channel."""
    if image.mode in {"L", "RGB", "RGBA", "CMYK"} and "transparency" not in image.info:
        return image
    if image.mode == "I" or image.mode.startswith("I;16"):
        return image.convert("I").point(_TO_8_BITS, "L")
    if image.mode == "1":
        return image.convert("L")
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert to RGB or RGBA in sRGB, from the colour space of an embedded profile."""
    alpha = image.getchannel("A") if image.mode == "RGBA" else None
    colours = image.convert("RGB") if alpha else image
    if profile:
        colours = _converted(colours, profile)
    colours = colours.convert("RGB")
    if alpha:
        colours.putalpha(alpha)
    return colours


def _converted(image: Image.Image, profile: bytes) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        srgb = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(
            image,
            source,
            srgb,
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image  # a profile that is broken, or for other colours, is as good as none
    return image if converted is None else converted


def _encoded(image: Image.Image, kind: Kind) -> bytes:
    if kind == "jpeg" and image.mode == "RGBA":
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image)
        image = white
    image.info.clear()  # comments, and whatever else would be copied
    out = io.BytesIO()
    image.save(out, kind, **_OPTIONS[kind])
    return out.getvalue()
