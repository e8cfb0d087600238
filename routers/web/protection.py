"""Headers that protect every response: from caches, type sniffing and other windows."""

from typing import Final

RawHeaders = list[tuple[bytes, bytes]]

_NOSNIFF: Final = (b"x-content-type-options", b"nosniff")
_NO_STORE: Final = (b"cache-control", b"no-store")
_OPENER: Final = (b"cross-origin-opener-policy", b"same-origin")
_HSTS: Final = (b"strict-transport-security", b"max-age=31536000")  # a year (RFC 6797)
_HTML: Final = b"text/html"


def protect(headers: RawHeaders, *, is_https: bool) -> None:
    """Add the headers that a response doesn't set itself, against caching and type sniffing.

    Pages are isolated from other sites' windows, and hosts that are reached by https stay with it.
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
