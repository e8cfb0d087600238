"""Headers of content that is sent: what it is called, and how a browser may treat it."""

import base64
import re
import unicodedata
from typing import Final
from urllib.parse import quote

_RASTER: Final = frozenset(
    f"image/{kind}" for kind in ("png", "jpeg", "gif", "webp", "avif", "bmp", "x-icon")
)
_NOT_TEXT: Final = frozenset({"text/html", "text/xml", "text/xsl", "text/javascript", "text/css"})
_SPELT: Final = {"ß": "ss", "ẞ": "SS"}
_UNSAFE: Final = re.compile(r'[\x00-\x1f\x7f"\\/%?]')  # browsers decode %41 (RFC 6266 App. D)
_MEDIA_TYPE: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+(\s*;.*)?")
DEFAULT_TYPE: Final = "application/octet-stream"
MAX_TYPE_LENGTH: Final = 255


def content_disposition(name: str | None, *, inline: bool = False) -> str:
    """Return the header for a file name (RFC 6266), with ``filename*`` where it isn't ASCII."""
    kind = "inline" if inline else "attachment"
    if name is None:
        return kind
    plain = _UNSAFE.sub("_", _ascii(name))
    header = f'{kind}; filename="{plain or "_"}"'
    if plain != name:
        header += f"; filename*=UTF-8''{quote(name, safe='')}"
    return header


def _ascii(name: str) -> str:
    """Return a name for clients that know ASCII alone: letters lose their accents, others go."""
    return "".join(_letter(c) for c in unicodedata.normalize("NFC", name))


def _letter(character: str) -> str:
    apart = _SPELT.get(character) or unicodedata.normalize("NFKD", character)
    plain = "".join(c for c in apart if not unicodedata.combining(c))
    return plain if plain and plain.isascii() else "_"


def repr_digest(sha256: bytes) -> str:
    """Return the value of Repr-Digest (RFC 9530)."""
    return f"sha-256=:{base64.b64encode(sha256).decode()}:"


def media_type(header: str | None) -> str:
    """Return the media type that a sender gave, or that of unknown bytes."""
    if header is None or len(header) > MAX_TYPE_LENGTH or not _MEDIA_TYPE.fullmatch(header):
        return DEFAULT_TYPE
    return header


def inline_type(content_type: str) -> str | None:
    """Return the type under which a browser may show such content itself; None: it may not.

    Raster images, audio and video as they are, text as plain text; what could run a script, never.
    """
    essence = content_type.partition(";")[0].strip().lower()
    if essence in _RASTER or essence.startswith(("audio/", "video/")):
        return essence
    if essence.startswith("text/") and essence not in _NOT_TEXT:
        return "text/plain; charset=utf-8"
    return None
