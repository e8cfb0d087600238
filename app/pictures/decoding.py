"""Decoding of pictures, and thumbnails, with Pillow; only child processes import this module."""

import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Final, NamedTuple

from PIL import Image, ImageCms

from app.errors import InvalidRequest, ProblemError
from app.pictures.decoders.picture_files import PictureFile
from app.pictures.decoders.pixels import Pixels, shrunk
from app.pictures.decoders.thumbhash import LONGEST, thumbhash
from app.pictures.formats import Facts, ThumbnailFormat

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
_LONGEST: Final = {"jpeg": 65500, "webp": 16383}  # pixels of an edge


class _Moving(NamedTuple):
    """What an animated thumbnail may take, so that it is made in seconds and loads soon."""

    frames: int = 200
    pixels: int = 50_000_000  # of all frames, decoded or scaled
    seconds: float = 10.0
    size: int = 2 * 1024 * 1024  # bytes


_MOVING: Final = _Moving()
_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "jpeg": {"quality": 82, "optimize": True},
    "webp": {"quality": 80},
}


def examine(source: BinaryIO | bytes, max_pixels: int) -> Facts:
    """Return what there is to know of a picture, once it has been decoded.

    All of it is decoded, of an animation the first frame, of a HEIC the primary picture: nothing
    less reveals that a file is cut off or damaged. A JPEG is decoded at an eighth of its size,
    which reads every byte at a fifth of the cost.

    Raises `UnsupportedMediaType` for a file that does not start as a JPEG, PNG, WebP, GIF, AVIF or
    HEIC does, `ContentTooLarge` for more than ``max_pixels``, before any are decoded, and
    `InvalidRequest` for a picture that can't be decoded.
    """
    with _opened(source, max_pixels) as picture:
        width, height = _shown(picture.size, picture.orientation)
        small, is_complete = _scaled(picture, LONGEST * height // max(width, height), LONGEST)
        return Facts(
            picture.format,
            width,
            height,
            is_complete=is_complete,
            thumbhash=thumbhash(small),
            exif=picture.exif,
            bare=picture.bare,
        )


def thumbnail(
    source: BinaryIO | bytes, height: int, image_format: ThumbnailFormat, max_pixels: int
) -> bytes:
    """Return a thumbnail ``height`` pixels high, or as high as the picture if that is less.

    It is upright, in sRGB and without metadata; a WebP of a GIF or WebP moves as that does, unless
    that is too much. Raises as `examine` does.
    """
    with _opened(source, max_pixels) as picture:
        if image_format == "webp":
            moving = _animated(picture, height)
            if moving is not None:
                return moving
        small, _ = _scaled(picture, height, _LONGEST[image_format])
        return _encoded(small, image_format)


def _scaled(picture: PictureFile, height: int, longest: int) -> tuple[Image.Image, bool]:
    """Return a picture scaled down, upright and in sRGB, and whether all of it is there."""
    stored = _stored_size(picture, height, longest)
    # a JPEG is decoded at a reduced size: more pixels cost time and make no difference
    pixels, is_complete = picture.load((round(stored[0] * _DRAFT), round(stored[1] * _DRAFT)))
    return _finished(picture, pixels, stored), is_complete


def _animated(picture: PictureFile, height: int) -> bytes | None:
    """Return an animated thumbnail; None for a still, or more than `_MOVING` permits."""
    image = picture.animation()
    if image is None:
        return None
    stored = _stored_size(picture, height, _LONGEST["webp"])
    count: int = image.n_frames  # type: ignore[attr-defined]
    if count > _MOVING.frames or count * max(_area(image.size), _area(stored)) > _MOVING.pixels:
        return None
    until = time.monotonic() + _MOVING.seconds
    frames, durations = [], []
    try:
        for number in range(count):
            image.seek(number)
            frames.append(_finished(picture, Pixels(image), stored))
            durations.append(_milliseconds(image.info.get("duration")))
            if time.monotonic() > until:
                return None
    except Exception:  # noqa: BLE001 - the first frame may still be good
        return None
    for frame in frames:
        frame.info.clear()
    out = io.BytesIO()
    first, *others = frames
    loop = image.info.get("loop", 1)  # a GIF that says nothing is played once
    options = _OPTIONS["webp"] | {"duration": durations, "loop": loop}
    first.save(out, "webp", save_all=True, append_images=others, **options)
    return out.getvalue() if out.tell() <= _MOVING.size else None


def _area(size: tuple[int, int]) -> int:
    return size[0] * size[1]


def _milliseconds(duration: Any) -> int:  # noqa: ANN401 - what a file holds
    """Return how long a frame is shown: like browsers, 100 ms for less than 20."""
    return int(duration) if duration and duration >= 20 else 100  # noqa: PLR2004


def _stored_size(picture: PictureFile, height: int, longest: int) -> tuple[int, int]:
    """Return the size of a thumbnail before it is turned upright."""
    size = _fitting(_shown(picture.size, picture.orientation), height, longest)
    return _shown(size, picture.orientation)


def _finished(picture: PictureFile, pixels: Pixels, stored: tuple[int, int]) -> Image.Image:
    """Return pixels of a picture scaled down, upright and in sRGB."""
    small = shrunk(pixels, stored)
    if picture.orientation in _UPRIGHT:
        small = small.transpose(_UPRIGHT[picture.orientation])
    return _in_srgb(small, picture.profile)


@contextmanager
def _opened(source: BinaryIO | bytes, max_pixels: int) -> Iterator[PictureFile]:
    """Open a picture; any error inside the context means that it is broken."""
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        yield PictureFile(file, max_pixels)
    except (ProblemError, MemoryError):
        raise
    except Exception as error:  # decoders raise errors of any class
        raise InvalidRequest("The picture is broken: nothing of it can be shown") from error


def _shown(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Convert a stored size into the size as shown, or back."""
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
        return image  # the profile is broken, or for another colour model
    return image if converted is None else converted


def _encoded(image: Image.Image, image_format: ThumbnailFormat) -> bytes:
    if image_format == "jpeg" and image.mode == "RGBA":
        white = Image.new("RGB", image.size, "white")
        white.paste(image, mask=image)
        image = white
    image.info.clear()  # or comments and the like would be copied
    out = io.BytesIO()
    image.save(out, image_format, **_OPTIONS[image_format])
    return out.getvalue()
