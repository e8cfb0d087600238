"""Incoming messages: heads and trailers up to a limit, without upgrades.

`Refusal` is raised for bytes that aren't HTTP/1.1 or can't be served; then the parser stops.
"""

import asyncio
from http import HTTPStatus
from typing import Any, ClassVar
from urllib.parse import unquote

import httptools
import uvicorn
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from routers.connection import heads
from routers.connection.limits import Limits
from routers.connection.refusals import Refusal


class MessageReader(HttpToolsProtocol):
    """The reading side of a connection, called by the parser, which stops if it raises."""

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
        self._in_body = False
        self._overhead = 0  # bytes since the last message's end, head's end, or byte of a body
        self._body_bytes = 0  # of all bodies so far

    @property
    def _in_head(self) -> bool:
        """Whether a head has begun and isn't complete."""
        return self.scope is not None and (self.cycle is None or self.cycle.scope is not self.scope)

    def _read(self, data: bytes | memoryview) -> None:
        """Parse received bytes, of a head only up to its limit."""
        room = self.limits.head_bytes - self._overhead
        if self._in_body or len(data) <= room:
            self._parse(data)
        else:
            view = memoryview(data)
            self._parse(view[:room])
            self._read(view[room:])

    def _parse(self, data: bytes | memoryview) -> None:
        """Parse a piece.

        At a head that offers an upgrade the parser stops, since another protocol may follow. Here
        none does (RFC 9110 §7.8): the head is parsed again without the offer.
        """
        self._overhead += len(data)
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
        if self._overhead >= self.limits.head_bytes:
            raise _too_large(f"A head or trailers may have up to {self.limits.head_bytes} bytes")

    def _head_without_offer(self) -> bytes:
        version = self.parser.get_http_version().encode()
        return b"\r\n".join(
            (
                b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version),
                *(b"%b: %b" % field for field in self.headers if field[0] != b"upgrade"),
                b"\r\n",
            )
        )

    def on_headers_complete(self) -> None:
        parser = self.parser
        method, version = parser.get_method(), parser.get_http_version()
        if parser.should_upgrade() and method != b"CONNECT":
            return  # `_parse` brings it back without
        self._count_fields()
        heads.check(version, method, self.headers)
        target = heads.target(method, self.url, self.headers)
        raw_path, _, query = target.partition(b"?")
        path = raw_path.decode("ascii")
        scope = self.scope
        scope["method"] = method.decode("ascii")
        scope["http_version"] = version
        scope["path"] = self.root_path + (unquote(path) if "%" in path else path)
        scope["raw_path"] = self.root_path.encode("ascii") + raw_path
        scope["query_string"] = query
        self._begin(version)
        self._in_body = True
        self._overhead = 0
        self.headers = []  # of trailers, which are none of the head's (RFC 9110 §6.5.1)

    def _begin(self, version: str) -> None:
        """Pass the request, whose head is complete, to the application."""
        raise NotImplementedError

    def _count_fields(self) -> None:
        if len(self.headers) > self.limits.head_fields:
            raise _too_large(f"There may be up to {self.limits.head_fields} fields")

    def on_body(self, body: bytes) -> None:
        self._overhead = 0
        self._body_bytes += len(body)
        waiting: bytes | bytearray = self.cycle.body
        if not waiting and len(body) > HIGH_WATER_LIMIT and not self.cycle.response_complete:
            self._pass_on(body)
            return
        if isinstance(waiting, bytes):  # many small pieces can follow what was passed on
            self.cycle.body = bytearray(waiting)
        super().on_body(body)

    def _pass_on(self, body: bytes) -> None:
        """Let the application have a large piece as it is, instead of a copy of a copy."""
        self.cycle.body = body  # type: ignore[assignment]
        self.flow.pause_reading()
        self.cycle.message_event.set()

    def on_message_complete(self) -> None:
        if not self._in_body:
            return  # it offers an upgrade
        self._count_fields()
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
