"""The rules for a request's head that the parser leaves to the server (RFC 9112)."""

import re
from http import HTTPStatus
from typing import Final

from routers.web.refusals import Refusal

Fields = list[tuple[bytes, bytes]]

_HOST: Final = (
    rb"""(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)(?::[0-9]*)?"""
)
_AUTHORITY: Final = re.compile(_HOST)
_ABSOLUTE: Final = re.compile(rb"https?://(%b)(?=[/?#]|\Z)" % _HOST, re.IGNORECASE)
_VERSIONS: Final = frozenset({"1.0", "1.1"})
_METHODS: Final = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"


def check(version: str, method: bytes, fields: Fields) -> None:
    """Raise `Refusal` for a request that can't be served, or whose end isn't certain."""
    if version not in _VERSIONS:
        raise Refusal(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "HTTP/1.1 is spoken here, and 1.0")
    if method == b"CONNECT":
        allowed = [(b"allow", _METHODS)]
        raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "This is no proxy", allowed)
    hosts = [value for name, value in fields if name == b"host"]
    if len(hosts) != 1 and (hosts or version != "1.0"):
        raise Refusal(HTTPStatus.BAD_REQUEST, "A request has exactly one Host field")
    if hosts and not _AUTHORITY.fullmatch(hosts[0].rstrip()):
        raise Refusal(HTTPStatus.BAD_REQUEST, "The Host field holds no host")
    codings = [value for name, value in fields if name == b"transfer-encoding"]
    if codings and b",".join(codings).strip().lower() != b"chunked":
        raise Refusal(HTTPStatus.NOT_IMPLEMENTED, "The only transfer coding here is chunked")
    if codings and version == "1.0":
        raise Refusal(HTTPStatus.BAD_REQUEST, "HTTP/1.0 has no transfer codings")


def target(method: bytes, url: bytes, fields: Fields) -> bytes:
    """Return a request's target as path and query.

    The authority of an absolute one takes the place of the Host field (RFC 9112 §3.2.2); ``*`` is
    the whole server's, for OPTIONS.
    """
    if not url.partition(b"?")[0].isascii():
        raise Refusal(HTTPStatus.BAD_REQUEST, "A path is percent-encoded where it isn't ASCII")
    if url.startswith(b"/") or (url == b"*" and method == b"OPTIONS"):
        return url
    absolute = _ABSOLUTE.match(url)
    if absolute is None:
        raise Refusal(HTTPStatus.BAD_REQUEST, "The request's target is neither a path nor a URL")
    fields[:] = [field for field in fields if field[0] != b"host"]
    fields.append((b"host", absolute[1]))
    rest = url[absolute.end() :]
    return rest if rest.startswith(b"/") else b"/" + rest
