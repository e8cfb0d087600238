"""The names of files that come in, from the headers of a raw body or of a form's part."""

import re
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from typing import Final
from urllib.parse import unquote_to_bytes

from multipart import parse_content_disposition

from app.security.characters import without_bidi

_PARAMETER: Final = re.compile(
    r';\s*([\w!#$%&\'*+.^`|~-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;"]*)', re.ASCII
)
_CHARSETS: Final = frozenset({"utf-8", "iso-8859-1"})
_WORD: Final = r"=\?[^?\s]+\?[bq]\?[^?\s]*\?="
_WORDS: Final = re.compile(rf"{_WORD}(?:\s+{_WORD})*", re.IGNORECASE)


def percent_decoded(header: str) -> str:
    """Return the name in a header that is percent-encoded UTF-8; raises `ValueError`."""
    try:
        return without_bidi(unquote_to_bytes(header.encode("latin-1")).decode())
    except UnicodeError:
        raise ValueError("a name is percent-encoded UTF-8") from None


def disposition_name(header: str) -> str | None:
    """Return the file name in a Content-Disposition (RFC 6266), or None if it has none.

    ``filename*`` wins over ``filename``, in forms too, where it has no place (RFC 7578) but is
    sent. Many senders write ``filename`` in plain UTF-8, some in MIME's words, old ones in Latin-1.
    """
    extended = _extended(parameters(header).get("filename*", ""))
    if extended is not None:
        return without_bidi(extended)
    _, _, plain = parse_content_disposition(header)
    return None if plain is None else without_bidi(_from_words(text_of(plain)))


def parameters(header: str) -> dict[str, str]:
    """Return the parameters of a header's value, by their names in lower case; the first counts."""
    return {
        name.lower(): re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
        for name, value in reversed(_PARAMETER.findall(header))
    }


def text_of(latin1: str) -> str:
    """Return what was read as Latin-1, which takes every byte, as UTF-8 if it is that."""
    try:
        return latin1.encode("latin-1").decode()
    except UnicodeError:
        return latin1


def _from_words(name: str) -> str:
    """Read encoded words (RFC 2047), which .NET sends; what isn't all of them stays as it is."""
    if not _WORDS.fullmatch(name):
        return name
    try:
        return str(make_header(decode_header(name)))
    except (HeaderParseError, LookupError, ValueError):
        return name


def _extended(value: str) -> str | None:
    """Read an extended value (RFC 8187); None for what isn't a good one."""
    charset, _, rest = value.partition("'")
    _, quote, encoded = rest.partition("'")
    if not quote or charset.lower() not in _CHARSETS:
        return None
    try:
        return unquote_to_bytes(encoded).decode(charset)
    except UnicodeError:
        return None
