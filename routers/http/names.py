"""The names of files that are sent, from the headers of a raw body or of a form's part."""

import re
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from typing import Final
from urllib.parse import unquote_to_bytes

from multipart import parse_content_disposition

from app.errors import FieldError, InvalidRequest
from app.objects.file_names import file_name
from app.security.characters import without_bidi

_PARAMETER: Final = re.compile(
    r';\s*([\w!#$%&\'*+.^`|~-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;"]*)', re.ASCII
)
_CHARSETS: Final = frozenset({"utf-8", "iso-8859-1"})
_WORD: Final = r"=\?[^?\s]+\?[bq]\?[^?\s]*\?="
_WORDS: Final = re.compile(rf"{_WORD}(?:\s+{_WORD})*", re.IGNORECASE)


def name_in_headers(x_file_name: str | None, disposition: str | None) -> str:
    """Return a file's name from X-File-Name, or else Content-Disposition; raises `InvalidRequest`.

    The former is percent-encoded UTF-8.
    """
    try:
        if x_file_name is not None:
            return file_name(percent_decoded(x_file_name))
        return file_name(disposition_name(disposition or "") or "")
    except ValueError as error:
        header = "Content-Disposition" if x_file_name is None else "X-File-Name"
        wrong = FieldError(loc=["header", header], msg=str(error))
        raise InvalidRequest("A file needs a valid name", errors=[wrong]) from None


def percent_decoded(header: str) -> str:
    """Return the name in a percent-encoded header; raises `ValueError` if it isn't UTF-8."""
    try:
        return without_bidi(unquote_to_bytes(header.encode("latin-1")).decode())
    except UnicodeError:
        raise ValueError("A name must be percent-encoded UTF-8") from None


def disposition_name(header: str) -> str | None:
    """Return the file name in a Content-Disposition (RFC 6266), or None if it has none.

    ``filename*`` wins over ``filename``, even in forms, where RFC 7578 forbids it but clients send
    it. Many clients write ``filename`` in plain UTF-8, some as encoded words, old ones in Latin-1.
    """
    extended = _extended(parameters(header).get("filename*", ""))
    if extended is not None:
        return without_bidi(extended)
    _, _, plain = parse_content_disposition(header)
    return None if plain is None else without_bidi(_from_words(text_of(plain)))


def parameters(header: str) -> dict[str, str]:
    """Return the parameters of a header by lower-case name; of duplicates the first."""
    return {
        name.lower(): re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
        for name, value in reversed(_PARAMETER.findall(header))
    }


def text_of(latin1: str) -> str:
    """Return text that was decoded as Latin-1 as UTF-8 instead, if it is valid UTF-8."""
    try:
        return latin1.encode("latin-1").decode()
    except UnicodeError:
        return latin1


def _from_words(name: str) -> str:
    """Decode encoded words (RFC 2047), which .NET sends; any other name stays as it is."""
    if not _WORDS.fullmatch(name):
        return name
    try:
        return str(make_header(decode_header(name)))
    except (HeaderParseError, LookupError, ValueError):
        return name


def _extended(value: str) -> str | None:
    """Decode an extended value (RFC 8187); None if it isn't valid."""
    charset, _, rest = value.partition("'")
    _, quote, encoded = rest.partition("'")
    if not quote or charset.lower() not in _CHARSETS:
        return None
    try:
        return unquote_to_bytes(encoded).decode(charset)
    except UnicodeError:
        return None
