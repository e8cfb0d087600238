"""Headers of content: its name, its digest, and its media type."""

import base64
import re
import unicodedata
from typing import Final
from urllib.parse import quote

_RASTER: Final = frozenset(
    f"image/{name}" for name in ("png", "jpeg", "gif", "webp", "avif", "bmp", "x-icon")
)
_NOT_TEXT: Final = frozenset({"text/html", "text/xml", "text/xsl", "text/javascript", "text/css"})
_SPELT: Final = {"ß": "ss", "ẞ": "SS"}
_UNSAFE: Final = re.compile(r'[\x00-\x1f\x7f"\\/%?]')  # browsers decode %41 (RFC 6266 App. D)
_MEDIA_TYPE: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+(\s*;.*)?")
DEFAULT_TYPE: Final = "application/octet-stream"
MAX_TYPE_LENGTH: Final = 255


def content_disposition(name: str | None, *, inline: bool = False) -> str:
    """Return the header for a file name (RFC 6266), with ``filename*`` where it isn't ASCII."""
    disposition = "inline" if inline else "attachment"
    if name is None:
        return disposition
    plain = _UNSAFE.sub("_", _ascii(name))
    header = f'{disposition}; filename="{plain or "_"}"'
    if plain != name:
        header += f"; filename*=UTF-8''{quote(name, safe='')}"
    return header


def _ascii(name: str) -> str:
    """Return a name in ASCII: letters lose their accents, other characters become ``_``."""
    return "".join(_letter(c) for c in unicodedata.normalize("NFC", name))


def _letter(character: str) -> str:
    apart = _SPELT.get(character) or unicodedata.normalize("NFKD", character)
    plain = "".join(c for c in apart if not unicodedata.combining(c))
    return plain if plain and plain.isascii() else "_"


def repr_digest(sha256: bytes) -> str:
    """Return the value of Repr-Digest (RFC 9530)."""
    return f"sha-256=:{base64.b64encode(sha256).decode()}:"


def media_type(header: str | None) -> str:
    """Return the media type in a Content-Type, or that of unknown bytes if it isn't valid."""
    if header is None or len(header) > MAX_TYPE_LENGTH or not _MEDIA_TYPE.fullmatch(header):
        return DEFAULT_TYPE
    return header


def inline_type(content_type: str) -> str | None:
    """Return the media type under which a browser may show content; None: it may not.

    Raster images, audio and video as they are, text as plain text, and nothing that could run a
    script.
    """
    essence = content_type.partition(";")[0].strip().lower()
    if essence in _RASTER or essence.startswith(("audio/", "video/")):
        return essence
    if essence.startswith("text/") and essence not in _NOT_TEXT:
        return "text/plain; charset=utf-8"
    return None
