"""Messages as they come: heads and trailers with a bound, and no offer to upgrade.

Of bytes that aren't HTTP/1.1, or can't be served, `Refusal` is raised; the parser goes no further.
"""

import asyncio
from http import HTTPStatus
from typing import Any, ClassVar

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from routers.web import heads
from routers.web.limits import Limits
from routers.web.refusals import Refusal


class MessageReader(HttpToolsProtocol):
    """The reading side of a connection; the parser calls it, and stops where it raises."""

    limits: ClassVar[Limits] = Limits()

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.parser = _parser(self)
        self._in_head = self._in_body = False
        self._overhead = 0  # bytes since the last message's end, head's end, or byte of a body
        self._fields = 0
        self._body_bytes = 0  # of all bodies so far

    def _read(self, data: bytes) -> None:
        """Parse what has come."""
        rest: bytes | memoryview = data
        while rest:
            room = self.limits.head_bytes - self._overhead
            piece, rest = rest, b""
            if len(piece) > room and not self._in_body:
                piece, rest = memoryview(piece)[:room], memoryview(piece)[room:]
            self._overhead += len(piece)
            self._parse(piece)
            if self._overhead >= self.limits.head_bytes:
                raise _too_large(
                    f"A head or trailers may have up to {self.limits.head_bytes} bytes"
                )

    def _parse(self, data: bytes | memoryview) -> None:
        """Parse a piece.

        At a head that offers an upgrade the parser stops, since something else may follow. Here
        nothing else does (RFC 9110 §7.8): it is given the head again, without the offer.
        """
        pieces = [data]
        while pieces:
            piece = pieces.pop()
            try:
                self.parser.feed_data(piece)
            except httptools.HttpParserUpgrade as stop:
                pieces += [memoryview(piece)[stop.args[0] :], self._head_without_offer()]
                self.parser = _parser(self)
            except httptools.HttpParserError as error:
                cause = error.__context__  # what a callback raised
                if cause is None or isinstance(cause, httptools.HttpParserError):
                    cause = Refusal(HTTPStatus.BAD_REQUEST, f"This is not HTTP/1.1: {error}")
                raise cause from None

    def _head_without_offer(self) -> bytes:
        version = self.parser.get_http_version().encode()
        return b"\r\n".join(
            (
                b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version),
                *(b"%b: %b" % field for field in self.headers if field[0] != b"upgrade"),
                b"\r\n",
            )
        )

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._fields = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self._fields += 1
        if self._fields > self.limits.head_fields:
            raise _too_large(f"There may be up to {self.limits.head_fields} fields")
        if self._in_head:  # else it is a trailer's, which nobody wants (RFC 9110 §6.5.1)
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        method, version = self.parser.get_method(), self.parser.get_http_version()
        if self.parser.should_upgrade() and method != b"CONNECT":
            return  # `_parse` brings it back without
        heads.check(version, method, self.headers)
        self.url = heads.target(method, self.url, self.headers)
        if version == "1.0":
            self.expect_100_continue = False  # RFC 9110 §10.1.1
        super().on_headers_complete()
        self._in_head, self._in_body = False, True
        self._overhead = self._fields = 0

    def on_body(self, body: bytes) -> None:
        self._overhead = 0
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if self.parser.should_upgrade():
            return
        self._in_body = False
        self._overhead = 0
        super().on_message_complete()


def _parser(protocol: MessageReader) -> Any:  # noqa: ANN401 - the library's type
    parser = httptools.HttpRequestParser(protocol)
    # as uvicorn has it; and the codings that the parser would call invalid are refused by name
    parser.set_dangerous_leniencies(lenient_data_after_close=True, lenient_transfer_encoding=True)
    return parser


def _too_large(detail: str) -> Refusal:
    return Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, detail)
