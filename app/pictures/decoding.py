"""Decoding pictures and making thumbnails with Pillow; only child processes import this."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Final

from PIL import Image, ImageCms

from app.errors import InvalidRequest, ProblemError
from app.pictures.formats import Facts, Kind
from app.pictures.picture_files import PictureFile
from app.pictures.pixels import shrunk

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
_LONGEST: Final = {"jpeg": 65500, "webp": 16383}  # pixels that an edge may have
_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "jpeg": {"quality": 82, "optimize": True},
    "webp": {"quality": 80},
}


def examine(source: BinaryIO | bytes, max_pixels: int) -> Facts:
    """See `images.examine`."""
    with _opened(source, max_pixels) as picture:
        width, height = _shown(picture.size, picture.orientation)
        _, is_complete = picture.load((1, 1))
    return Facts(picture.kind, width, height, is_complete=is_complete)


def thumbnail(source: BinaryIO | bytes, height: int, kind: Kind, max_pixels: int) -> bytes:
    """See `images.thumbnail`."""
    with _opened(source, max_pixels) as picture:
        size = _fitting(_shown(picture.size, picture.orientation), height, _LONGEST[kind])
        stored = _shown(size, picture.orientation)
        # a JPEG is decoded at less than its size; more than this costs time, and cannot be seen
        pixels, _ = picture.load((round(stored[0] * _DRAFT), round(stored[1] * _DRAFT)))
        small = shrunk(pixels, stored)
        if picture.orientation in _UPRIGHT:
            small = small.transpose(_UPRIGHT[picture.orientation])
        return _encoded(_in_srgb(small, picture.profile), kind)


@contextmanager
def _opened(source: BinaryIO | bytes, max_pixels: int) -> Iterator[PictureFile]:
    """Open a picture; what goes wrong with it inside makes it a broken one."""
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        yield PictureFile(file, max_pixels)
    except (ProblemError, MemoryError):
        raise
    except Exception as error:  # what broken pictures raise is without number
        raise InvalidRequest("The picture is broken: there is nothing to be seen") from error


def _shown(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Turn a stored size into the one that is shown, or back."""
    width, height = size
    return (height, width) if orientation in _TURNED else (width, height)


def _fitting(size: tuple[int, int], height: int, longest: int) -> tuple[int, int]:
    scale = min(1, height / size[1], longest / size[0], longest / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


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
