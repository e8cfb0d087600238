"""Files of pictures: their format and size by their headers, and their pixels."""

from typing import BinaryIO, Final

import pi_heif

# all modules that decoders need: a confined child can open no files, so it can't import later
from PIL import (
    AvifImagePlugin,
    Image,
    MpoImagePlugin,  # noqa: F401 - for some JPEGs
    TiffImagePlugin,  # noqa: F401 - for EXIF
    WebPImagePlugin,  # noqa: F401
)

from app.errors import ContentTooLarge
from app.pictures import exif
from app.pictures.decoders import bare, essentials, isobmff, partial
from app.pictures.decoders.essentials import Essentials
from app.pictures.decoders.pixels import Pixels
from app.pictures.exif import Exif
from app.pictures.formats import HEADER, format_of, unsupported

_PLUGINS: Final = {"heic": "heif"}
_ORIENTATION: Final = 0x0112  # of EXIF
_ORIENTATIONS: Final = range(1, 9)
_DEEP: Final = 16  # bits of a channel
_IN_PART: Final = frozenset({"jpeg", "png", "gif"})
"""Formats that browsers show in part; the others they show whole or not at all."""

Image.preinit()  # GIF, JPEG, PNG
Image.MAX_IMAGE_PIXELS = None  # we have a limit of our own
AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # as many pictures at once as there are children
pi_heif.register_heif_opener(
    thumbnails=False, depth_images=False, aux_images=False, decode_threads=0
)


class PictureFile:
    """A picture with a good header; for a broken one, decoders raise errors of any class.

    Raises `UnsupportedMediaType` by the first bytes, and `ContentTooLarge` for more than
    ``max_pixels`` before any are decoded.
    """

    def __init__(self, file: BinaryIO, max_pixels: int) -> None:
        header = _read(file, 0, HEADER)
        image_format = format_of(header)
        if image_format is None:
            raise unsupported()
        self.format = image_format
        _check_size(_declared_size(header, image_format), max_pixels)
        self._file = file
        self._essentials = _essentials(file, image_format)
        try:
            self._image = self._opened()
        except OSError:
            if image_format in {"avif", "heic"}:  # their decoders have limits of their own
                _check_size(isobmff.largest_extent(file), max_pixels)
            raise
        _check_size(self._image.size, max_pixels)
        self.size = self._image.size
        self.profile: bytes | None = self._image.info.get("icc_profile")

    @property
    def orientation(self) -> int:
        """The EXIF orientation, or for an AVIF that of its container: 1 to 8.

        A HEIC is decoded upright, by its container: its EXIF repeats that, or is wrong.
        """
        if self.format == "heic":
            return 1
        try:
            orientation = int(self._tags()[_ORIENTATION])
        except Exception:  # noqa: BLE001 - absent or broken; the picture may still be good
            return 1
        return orientation if orientation in _ORIENTATIONS else 1

    @property
    def exif(self) -> Exif:
        """How it was taken; empty where its file doesn't say that."""
        try:
            tags = self._tags()
            return exif.read(tags, tags.get_ifd(exif.DETAILS), tags.get_ifd(exif.PLACE))
        except Exception:  # noqa: BLE001 - absent or broken; the picture may still be good
            return Exif()

    @property
    def bare(self) -> str:
        """The parts of its file without what is beside the picture."""
        return bare.parts_of(self._file, self.format, self.orientation)

    def _tags(self) -> Image.Exif:
        # not `getexif`, which looks at XMP and texts too
        tags = Image.Exif()
        tags.load(self._image.info["exif"])
        return tags

    def load(self, size: tuple[int, int]) -> tuple[Pixels, bool]:
        """Decode the picture, a JPEG to at least ``size``; returns pixels, and if they are all.

        Raises `InvalidRequest` when nothing can be decoded.
        """
        image = self._image
        image.draft(None, size)
        there, is_complete = self._essentials.frame, self._essentials.is_complete
        try:
            partial.load_whole(image)
        except MemoryError:
            raise
        except Exception:
            if self.format not in _IN_PART:
                raise
            image, there = partial.load(
                lambda: self._opened(size), self._essentials.grids, self._essentials.frame
            )
            whole = self._essentials.frame or (0, 0, *image.size)
            is_complete = is_complete and self.format != "jpeg" and there == whole
        if there == (0, 0, *image.size):
            there = None
        return Pixels(image, there, self._lower_halves()), is_complete

    def animation(self) -> Image.Image | None:
        """Return the picture with all of its frames; None if it has but one, or isn't whole.

        Decoding them raises errors of any class.
        """
        frames = self._essentials.frames if self.format == "gif" else self._frames_of_webp()
        if frames == 1 or not self._essentials.is_complete:
            return None
        self._file.seek(0)
        return Image.open(self._file, formats=[self.format])

    def _frames_of_webp(self) -> int:
        return int(getattr(self._image, "n_frames", 1)) if self.format == "webp" else 1

    def _opened(self, size: tuple[int, int] | None = None) -> Image.Image:
        self._essentials.file.seek(0)
        image = Image.open(self._essentials.file, formats=[_PLUGINS.get(self.format, self.format)])
        if size is not None:
            image.draft(None, size)
        if self._essentials.transparent is not None:
            image.info["transparency"] = self._essentials.transparent
        elif image.mode == "L" and "transparency" in image.info:  # of less than 8 bits
            image.info["transparency"] *= 255 // (2**self._essentials.depth - 1)
        return image

    def _lower_halves(self) -> Image.Image | None:
        """Decode the lower halves of 16-bit channels, if one 16-bit colour is transparent."""
        if self._essentials.depth != _DEEP or "transparency" not in self._image.info:
            return None
        image = self._opened()
        if image.mode != "RGB":
            return None
        image.tile = [image.tile[0]._replace(args="RGB;16L")]  # type: ignore[attr-defined]
        with partial.leniently():
            image.load()
        return image


def _essentials(file: BinaryIO, image_format: str) -> Essentials:
    match image_format:
        case "jpeg":
            return essentials.of_jpeg(file)
        case "png":
            return essentials.of_png(file)
        case "gif":
            return essentials.of_gif(file)
        case "heic":
            return Essentials(file, isobmff.is_complete(file))
        case "avif":
            is_complete = isobmff.is_complete(file)
            return Essentials(isobmff.with_joined_associations(file), is_complete)
        case _:
            return Essentials(file, is_complete=True)


def _declared_size(header: bytes, image_format: str) -> tuple[int, int]:
    """Return the size in a header, for formats whose decoders tell it too late."""
    match image_format:
        case "png":
            return int.from_bytes(header[16:20]), int.from_bytes(header[20:24])
        case "webp":
            return _webp_size(header)
        case _:
            return 0, 0


def _webp_size(header: bytes) -> tuple[int, int]:
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


def _read(file: BinaryIO, at: int, size: int) -> bytes:
    file.seek(at)
    return file.read(size)
