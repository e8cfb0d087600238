"""Responses of the connection itself, to messages that never reach the application."""

import json
from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Final

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

Headers = Sequence[tuple[bytes, bytes]]

_RESUMABLE: Final = frozenset({b"tus-resumable", b"upload-complete", b"upload-offset"})
"""Fields of uploads that keep what has arrived: of tus, and of the IETF draft."""


class Refusal(Exception):
    """A request that the connection answers before it closes; ``detail`` is for the client."""

    def __init__(self, status: HTTPStatus, detail: str, headers: Headers = ()) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self._headers = headers

    def render(self, server_headers: Headers, *, with_body: bool) -> bytes:
        """Return the whole response: a problem (RFC 9457); to HEAD without its body."""
        problem = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": self.status,
            "detail": self.detail,
        }
        body = json.dumps(problem).encode()
        headers = [
            *server_headers,
            (b"content-type", b"application/problem+json"),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
            *self._headers,
        ]
        head = STATUS_LINE[self.status] + b"".join(b"%b: %b\r\n" % field for field in headers)
        return head + b"\r\n" + (body if with_body else b"")


def too_slow(fields: Iterable[tuple[bytes, bytes]]) -> Refusal:
    """Return the refusal of a body that comes too slowly, of a request with these header fields.

    Clients of resumable uploads go on after an error of the server's, but not after a 408.
    """
    detail = "The body came too slowly"
    if _RESUMABLE.isdisjoint(name for name, _ in fields):
        return Refusal(HTTPStatus.REQUEST_TIMEOUT, detail)
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, detail, [(b"retry-after", b"1")])
