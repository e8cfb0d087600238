"""Rules for the head of a request that the parser doesn't check (RFC 9112)."""

import re
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from routers.connection.refusals import Refusal

Fields = list[tuple[bytes, bytes]]

_PLAIN: Final = rb"""[A-Za-z0-9._~!$&'()*+,;=-]"""
_NAME: Final = b"(?:%b|%%[0-9A-Fa-f]{2})%b*(?:%%[0-9A-Fa-f]{2}%b*)*" % (_PLAIN, _PLAIN, _PLAIN)
_HOST: Final = rb"(?:%b|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?" % _NAME
_AUTHORITY: Final = re.compile(_HOST)
_ABSOLUTE: Final = re.compile(rb"https?://(%b)(?=[/?#]|\Z)" % _HOST, re.IGNORECASE)
_VERSIONS: Final = frozenset({"1.0", "1.1"})
_METHODS: Final = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"


def check(version: str, method: bytes, fields: Fields) -> None:
    """Raise `Refusal` for a request that can't be served, or whose length is ambiguous."""
    if version not in _VERSIONS:
        raise Refusal(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "HTTP/1.1 is spoken here, and 1.0")
    if method == b"CONNECT":
        allowed = [(b"allow", _METHODS)]
        raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "This is no proxy", allowed)
    names = [name for name, _ in fields]
    hosts = names.count(b"host")
    if hosts != 1 and (hosts or version != "1.0"):
        raise Refusal(HTTPStatus.BAD_REQUEST, "A request has exactly one Host field")
    if hosts and not _is_host(fields[names.index(b"host")][1]):
        raise Refusal(HTTPStatus.BAD_REQUEST, "The Host field holds no host")
    if b"transfer-encoding" in names:
        _check_codings(version, [value for name, value in fields if name == b"transfer-encoding"])


@lru_cache(maxsize=32)  # nearly every request has that of the one before
def _is_host(value: bytes) -> bool:
    return _AUTHORITY.fullmatch(value.rstrip()) is not None


def _check_codings(version: str, codings: list[bytes]) -> None:
    if b",".join(codings).strip().lower() != b"chunked":
        raise Refusal(HTTPStatus.NOT_IMPLEMENTED, "The only transfer coding here is chunked")
    if version == "1.0":
        raise Refusal(HTTPStatus.BAD_REQUEST, "HTTP/1.0 has no transfer codings")


def target(method: bytes, url: bytes, fields: Fields) -> bytes:
    """Return a request's target as path and query.

    The authority of an absolute target replaces the Host field (RFC 9112 §3.2.2); ``*`` is the
    server's own, for OPTIONS.
    """
    if url.startswith(b"/"):
        rest = url
    elif url == b"*" and method == b"OPTIONS":
        return url
    else:
        absolute = _ABSOLUTE.match(url)
        if absolute is None:
            raise Refusal(HTTPStatus.BAD_REQUEST, "The request's target is neither path nor URL")
        fields[:] = [field for field in fields if field[0] != b"host"]
        fields.append((b"host", absolute[1]))
        rest = url[absolute.end() :]
        rest = rest if rest.startswith(b"/") else b"/" + rest
    if not rest.isascii() and not rest.partition(b"?")[0].isascii():
        raise Refusal(HTTPStatus.BAD_REQUEST, "A path is percent-encoded where it isn't ASCII")
    return rest.partition(b"#")[0]
