"""Formats of pictures, detected by their first bytes; no decoder is loaded here."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final, Literal

from app.errors import UnsupportedMediaType
from app.pictures.exif import Exif

HEADER: Final = 256
"""Bytes that are enough to detect a format."""

_AVIF_BRANDS: Final = (b"avif", b"avis")
_HEIF_BRANDS: Final = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
)
"""Major brands of HEIF, for all codings of its pictures."""

ThumbnailFormat = Literal["jpeg", "webp"]


@dataclass(frozen=True, slots=True)
class Facts:
    """A picture's format, its size in pixels as it is shown, and what else its file says."""

    format: str
    width: int
    height: int
    is_complete: bool = True
    """False: the file is cut off or damaged, and is shown as far as it goes."""
    thumbhash: bytes | None = field(default=None, compare=False)
    """Its placeholder; None: it isn't made yet. Empty: it can't be made."""
    exif: Exif = field(default=Exif(), compare=False)
    bare: str | None = field(default=None, compare=False)
    """The parts of the file that are the picture and nothing else, see `app.objects.excerpts`.

    None: nobody has looked yet.
    """


def format_of(header: bytes) -> str | None:
    """Return the format of a picture by its first `HEADER` bytes; None: not one we accept."""
    if header.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if header.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if header.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if header.startswith(b"RIFF") and header[8:12] == b"WEBP":
        return "webp"
    # an ISO media file lists its brands: the major one, a version, then others
    brands = header[8 : int.from_bytes(header[:4])] if header[4:8] == b"ftyp" else b""
    if any(brands[at : at + 4] in _AVIF_BRANDS for at in (0, *range(8, len(brands), 4))):
        return "avif"
    return "heic" if brands[:4] in _HEIF_BRANDS else None


async def checked(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield a body that starts as a picture does; raises `UnsupportedMediaType` for any other."""
    header: bytes | None = b""
    async for chunk in chunks:
        if header is None:
            yield chunk
        elif len(header) + len(chunk) < HEADER:
            header += chunk
        else:
            _check(header + chunk)
            yield header + chunk
            header = None
    if header is not None:
        _check(header)
        yield header


def _check(header: bytes) -> None:
    if format_of(header[:HEADER]) is None:
        raise unsupported()


def unsupported() -> UnsupportedMediaType:
    """Return the error for a body that is no picture, or of another format."""
    return UnsupportedMediaType("A picture is a JPEG, PNG, WebP, GIF, AVIF or HEIC")
