"""The name of a file that comes as a raw body, from the headers beside it."""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

_PARAMETER: Final = re.compile(
    r';\s*([\w!#$%&\'*+.^`|~-]+)\s*=\s*("(?:[^"\\]|\\.)*"|[^\s;"]*)', re.ASCII
)
_CHARSETS: Final = frozenset({"utf-8", "iso-8859-1"})


def percent_decoded(header: str) -> str:
    """Return the text of a header that is percent-encoded UTF-8; raises `ValueError`."""
    try:
        return unquote_to_bytes(header.encode("latin-1")).decode()
    except UnicodeError:
        raise ValueError("a name is percent-encoded UTF-8") from None


def disposition_name(header: str) -> str | None:
    """Return the file name in a Content-Disposition (RFC 6266), or None if it has none.

    ``filename*`` wins over ``filename``, which many senders write in plain UTF-8.
    """
    names = {name.lower(): value for name, value in reversed(_PARAMETER.findall(header))}
    extended = _extended(names.get("filename*", ""))
    if extended is not None:
        return extended
    plain: str | None = names.get("filename")
    if plain is None:
        return None
    if plain.startswith('"'):
        plain = re.sub(r"\\(.)", r"\1", plain[1:-1])
    try:
        return plain.encode("latin-1").decode()
    except UnicodeError:
        return plain


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
