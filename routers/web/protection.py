"""Headers that protect every answer: from caches, from guesses at its type, from other windows."""

from typing import Final

RawHeaders = list[tuple[bytes, bytes]]

_NOSNIFF: Final = (b"x-content-type-options", b"nosniff")
_NO_STORE: Final = (b"cache-control", b"no-store")
_OPENER: Final = (b"cross-origin-opener-policy", b"same-origin")
_HSTS: Final = (b"strict-transport-security", b"max-age=31536000")  # a year (RFC 6797)
_HTML: Final = b"text/html"


def protect(headers: RawHeaders, *, is_https: bool) -> None:
    """Add what an answer doesn't say itself: nobody keeps it, and nobody guesses what it is.

    A page shares no window with other sites' pages, and a host that was reached over https once is
    asked by nothing else.
    """
    given = dict(headers)
    if _NOSNIFF[0] not in given:
        headers.append(_NOSNIFF)
    if _NO_STORE[0] not in given:
        headers.append(_NO_STORE)
    if given.get(b"content-type", b"").startswith(_HTML):
        headers.append(_OPENER)
    if is_https:
        headers.append(_HSTS)
