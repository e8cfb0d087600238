"""Files of pictures: told apart, bounded by their headers, and decoded as far as that goes."""

from typing import BinaryIO, Final

import pi_heif

# all that will be needed: a child opens no files, modules included, once it has begun to work
from PIL import (
    AvifImagePlugin,
    Image,
    MpoImagePlugin,  # noqa: F401 - what some JPEGs are
    TiffImagePlugin,  # noqa: F401 - whose form EXIF has
    WebPImagePlugin,  # noqa: F401
)

from app.errors import ContentTooLarge
from app.pictures import essentials, isobmff, partial
from app.pictures.essentials import Essentials
from app.pictures.formats import HEADER, kind_of, unsupported
from app.pictures.pixels import Pixels

_PLUGINS: Final = {"heic": "heif"}
_ORIENTATION: Final = 0x0112  # of EXIF
_ORIENTATIONS: Final = range(1, 9)
_DEEP: Final = 16  # bits of a channel
_IN_PART: Final = frozenset({"jpeg", "png", "gif"})
"""Formats of which browsers show what there is; of the others they show all or nothing."""

Image.preinit()  # GIF, JPEG, PNG
Image.MAX_IMAGE_PIXELS = None  # we count ourselves
AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # as many pictures at once as there are children
pi_heif.register_heif_opener(
    thumbnails=False, depth_images=False, aux_images=False, decode_threads=0
)


class PictureFile:
    """A picture whose header is good; what decoders raise for one that isn't is without number.

    Raises `UnsupportedMediaType` for what is none by its first bytes, and `ContentTooLarge` for
    more than ``max_pixels`` before any of them is decoded.
    """

    def __init__(self, file: BinaryIO, max_pixels: int) -> None:
        header = _read(file, 0, HEADER)
        kind = kind_of(header)
        if kind is None:
            raise unsupported()
        self.kind = kind
        _check_size(_declared_size(header, kind), max_pixels)
        self._essentials = _essentials(file, kind)
        try:
            self._image = self._opened()
        except OSError:
            if kind in {"avif", "heic"}:  # whose decoders have a limit of their own
                _check_size(isobmff.largest_extent(file), max_pixels)
            raise
        _check_size(self._image.size, max_pixels)
        self.size = self._image.size
        self.profile: bytes | None = self._image.info.get("icc_profile")

    @property
    def orientation(self) -> int:
        """How it is turned and mirrored, as EXIF or, for an AVIF, its container says.

        A HEIC is turned when it is decoded, as its container says: EXIF repeats that, or is wrong.
        """
        if self.kind == "heic":
            return 1
        try:
            # not `getexif`, which looks for it in XMP and in texts as well
            exif = Image.Exif()
            exif.load(self._image.info["exif"])
            orientation = int(exif[_ORIENTATION])
        except Exception:  # noqa: BLE001 - none, or broken, of a picture that may well be whole
            return 1
        return orientation if orientation in _ORIENTATIONS else 1

    def load(self, size: tuple[int, int]) -> tuple[Pixels, bool]:
        """Decode it, a JPEG at no less than a size; return its pixels, and whether that is all.

        Raises `InvalidRequest` when there is nothing to be seen.
        """
        image = self._image
        image.draft(None, size)
        there, is_complete = self._essentials.frame, self._essentials.is_complete
        try:
            partial.load_whole(image)
        except MemoryError:
            raise
        except Exception:
            if self.kind not in _IN_PART:
                raise
            image, there = partial.load(
                lambda: self._opened(size), self._essentials.grids, self._essentials.frame
            )
            whole = self._essentials.frame or (0, 0, *image.size)
            is_complete = is_complete and self.kind != "jpeg" and there == whole
        if there == (0, 0, *image.size):
            there = None
        return Pixels(image, there, self._lower_halves()), is_complete

    def _opened(self, size: tuple[int, int] | None = None) -> Image.Image:
        self._essentials.file.seek(0)
        image = Image.open(self._essentials.file, formats=[_PLUGINS.get(self.kind, self.kind)])
        if size is not None:
            image.draft(None, size)
        if self._essentials.transparent is not None:
            image.info["transparency"] = self._essentials.transparent
        elif image.mode == "L" and "transparency" in image.info:  # of fewer bits than a byte
            image.info["transparency"] *= 255 // (2**self._essentials.depth - 1)
        return image

    def _lower_halves(self) -> Image.Image | None:
        """Decode what is left of 16 bits a channel, where a colour of so many is transparent."""
        if self._essentials.depth != _DEEP or "transparency" not in self._image.info:
            return None
        image = self._opened()
        if image.mode != "RGB":
            return None
        image.tile = [image.tile[0]._replace(args="RGB;16L")]  # type: ignore[attr-defined]
        with partial.leniently():
            image.load()
        return image


def _essentials(file: BinaryIO, kind: str) -> Essentials:
    match kind:
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


def _declared_size(header: bytes, kind: str) -> tuple[int, int]:
    """Return the size that a header declares, of formats whose decoders come too late with it."""
    match kind:
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
