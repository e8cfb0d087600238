"""What is done to pictures in child processes; the service itself never loads a decoder.

A picture comes as an open file, or as its bytes.
"""

from dataclasses import dataclass
from typing import BinaryIO, Final, Literal

from app.errors import UnsupportedMediaType

HEADER: Final = 256
"""Bytes from which a picture's format is told."""

_AVIF_BRANDS: Final = (b"avif", b"avis")
_HEIF_BRANDS: Final = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
)
"""Major brands of HEIF, whichever way its pictures are coded."""

Kind = Literal["jpeg", "webp"]
"""What a thumbnail may be."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a picture is; width and height in pixels, as it is shown."""

    format: str
    width: int
    height: int
    is_complete: bool = True
    """Whether all of it is there; if not, it is shown as far as it goes."""


def kind_of(header: bytes) -> str | None:
    """Tell a picture's format by its first `HEADER` bytes; None: it is none that is taken here."""
    if header.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if header.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if header.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if header.startswith(b"RIFF") and header[8:12] == b"WEBP":
        return "webp"
    # an ISO media file names its brands: the major one, a version, then others
    brands = header[8 : int.from_bytes(header[:4])] if header[4:8] == b"ftyp" else b""
    if any(brands[at : at + 4] in _AVIF_BRANDS for at in (0, *range(8, len(brands), 4))):
        return "avif"
    return "heic" if brands[:4] in _HEIF_BRANDS else None


def unsupported() -> UnsupportedMediaType:
    """Make the error for what is no picture, or of another format."""
    return UnsupportedMediaType("A picture is a JPEG, PNG, WebP, GIF, AVIF or HEIC")


def examine(source: BinaryIO | bytes, max_pixels: int) -> Facts:
    """Find out what a picture is, and that it can be decoded.

    All of it is decoded, of an animation the first frame, of a HEIC the primary picture: nothing
    less tells a picture that was cut off or damaged. A JPEG is decoded at an eighth of its size,
    which costs a fifth of the whole and reads every byte.

    Raises `UnsupportedMediaType` for what is none of JPEG, PNG, WebP, GIF, AVIF and HEIC by its
    first bytes, `ContentTooLarge` for more than ``max_pixels`` before any of them is decoded, and
    `InvalidRequest` for what can't be decoded.
    """
    from app.pictures import decoding

    return decoding.examine(source, max_pixels)


def thumbnail(source: BinaryIO | bytes, height: int, kind: Kind, max_pixels: int) -> bytes:
    """Make a thumbnail ``height`` pixels high, or as high as the picture where that is less.

    It is upright, in sRGB, and has no metadata. Raises as `examine` does.
    """
    from app.pictures import decoding

    return decoding.thumbnail(source, height, kind, max_pixels)
