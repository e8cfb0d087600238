"""The connection: uvicorn's, with limits.

Here are the times that a client has for a head, a body and a response, and the ways in which a
connection closes. Limits to what is read are in `routers.connection.messages`.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import structlog
import uvicorn.config
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.server import ServerState

from routers.connection import exchanges, refusals
from routers.connection.exchanges import Exchange
from routers.connection.messages import MessageReader
from routers.connection.refusals import Refusal

log = structlog.get_logger("holdall.connections")


class HttpProtocol(MessageReader):
    """A connection with limits, and with the extensions of `exchanges`."""

    cycle: Exchange

    is_draining = False
    """Whether the next response is the last, since the server stops serving."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._answering: Exchange | None = None
        self._refusal: Refusal | None = None
        self._is_deaf = False  # incoming bytes are dropped
        self._owed: Callable[[], None] | None = None
        self._owed_timer: asyncio.TimerHandle | None = None
        self._reading_timer: asyncio.TimerHandle | None = None
        self._checked: int | None = None  # bytes of bodies at the last check

    @property
    def _is_answering(self) -> bool:
        cycle = self._answering
        return cycle is not None and not (cycle.response_complete or cycle.disconnected)

    # callbacks of the transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._extensions = {
            version: exchanges.extensions(transport, version) for version in ("1.0", "1.1")
        }
        self._await_client()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._is_deaf = True
        self._owe(None)
        self._await_reader(0)
        if self._answering is not None:  # it need not be the last one that was asked for
            self._answering.disconnected = True
            self._answering.message_event.set()

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        if self._is_deaf:
            return
        try:
            self._read(data)
        except Refusal as refusal:
            self._refuse(refusal)
        else:
            self._await_client()

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """Complete the response to a client that has closed its side."""
        if self._is_deaf or self._in_body or not self._is_answering or self.scheme == "https":
            return None
        if self._answering is not None and self._answering.is_endless:
            return None
        self._is_deaf = True
        self._owe(None)
        if self.cycle.response_started:
            self.cycle.is_last = True
        else:
            self.cycle.keep_alive = False
        return True

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reader(self.transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        super().resume_writing()
        is_closing = self.transport.is_closing()
        self._await_reader(self.transport.get_write_buffer_size() if is_closing else 0)

    # requests

    def _begin(self, version: str) -> None:
        limit = self.limit_concurrency
        is_full = limit is not None and max(len(self.connections), len(self.tasks)) >= limit
        self.scope["extensions"] = self._extensions[version]
        app: ASGI3Application = service_unavailable if is_full else self.app
        self.cycle = exchange = Exchange(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue and version != "1.0",  # RFC 9110 §10.1.1
            keep_alive=(
                version != "1.0" and self.parser.should_keep_alive() and not self.is_draining
            ),
            on_response=self.on_response_complete,
        )
        if self._is_answering:
            self.flow.pause_reading()
            self.pipeline.appendleft((exchange, app))
        else:
            self._answering, self._checked = exchange, None
            self._start_asgi_task(exchange, app)

    def on_response_complete(self) -> None:
        is_last = self._answering is not None and self._answering.is_last
        if is_last:
            self.pipeline.clear()
        elif self.pipeline:
            following = self.pipeline[-1][0]
            assert isinstance(following, Exchange)
            self._answering, self._checked = following, None
        super().on_response_complete()
        if is_last:
            self._close()
        elif self._refusal is not None:
            self._answer_refusal()

    def _refuse(self, refusal: Refusal) -> None:
        """Answer instead of the application, after the responses before this one, and close."""
        self._is_deaf = True
        self._owe(None)
        client = self.client[0] if self.client else ""
        log.info(
            "request refused", status=int(refusal.status), detail=refusal.detail, client=client
        )
        if self._in_body and not self._drop_request():
            return
        self._refusal = refusal
        self._answer_refusal()

    def _drop_request(self) -> bool:
        """Drop a request with an invalid body; returns whether it can still be answered."""
        cycle = self.cycle
        if cycle.response_complete:
            self._close()
            return False
        if cycle.response_started:
            self.transport.abort()
            return False
        if self.pipeline:  # its turn has not come, for the last request is the first here
            self.pipeline.popleft()
        cycle.disconnected = True
        cycle.message_event.set()
        return True

    def _answer_refusal(self) -> None:
        if self._is_answering or self.transport.is_closing():
            return
        assert self._refusal is not None
        with_body = self.parser.get_method() != b"HEAD"
        headers = self.server_state.default_headers
        self.transport.write(self._refusal.render(headers, with_body=with_body))
        self._close()

    def drain(self) -> None:
        """Close after the next response; who asks nothing more is closed for being idle."""
        self.is_draining = True
        if self._is_answering:
            self.cycle.keep_alive = False

    # timers

    def _await_client(self) -> None:
        """Set the timer for what the client has to send: a body, a head, or nothing."""
        if self._in_body:
            self._owe(self._check_body, self.limits.body_seconds)
        elif self._in_head or not self._is_answering:
            self._owe(self._check_head, self.limits.head_seconds)
        else:
            self._owe(None)

    def _owe(self, check: Callable[[], None] | None, seconds: float = 0.0) -> None:
        if check == self._owed:
            return
        if self._owed_timer is not None:
            self._owed_timer.cancel()
        self._owed = check
        self._owed_timer = None if check is None else self.loop.call_later(seconds, check)

    def _check_head(self) -> None:
        self._owed = None
        if self._is_answering:  # the next request's can wait as long as this answer takes
            self._await_client()
        elif self._in_head:
            self._refuse(Refusal(HTTPStatus.REQUEST_TIMEOUT, "The head did not arrive in time"))
        else:
            self._hang_up()

    def _check_body(self) -> None:
        """Refuse a body that comes below the minimum rate, unless the client was made to wait."""
        self._owed = None
        cycle = self.cycle
        waits = cycle.body or cycle.waiting_for_100_continue or cycle is not self._answering
        before, self._checked = self._checked, None if waits else self._body_bytes
        least = self.limits.body_rate * self.limits.body_seconds
        if cycle.response_complete:
            self._close()
        elif before is None or self._checked is None or self._checked - before >= least:
            self._await_client()
        else:
            self._refuse(refusals.too_slow(cycle.scope["headers"]))

    def _await_reader(self, waiting: int) -> None:
        """Set the timer for the client to read some of the bytes that wait for it."""
        if self._reading_timer is not None:
            self._reading_timer.cancel()
            self._reading_timer = None
        if waiting:
            seconds = self.limits.reading_seconds
            self._reading_timer = self.loop.call_later(seconds, self._check_reader, waiting)

    def _check_reader(self, before: int) -> None:
        waiting = self.transport.get_write_buffer_size()
        if waiting < before:
            self._await_reader(waiting)
        else:
            self.transport.abort()

    # closing

    def _close(self) -> None:
        """Close, but give a client that is still sending time to read the response.

        Bytes for a closed connection cause a reset, which would discard the response (RFC 9112
        §9.6).
        """
        self._is_deaf = True
        self._unset_keepalive_if_required()
        if self.transport.is_closing():
            return
        is_sending = self._in_body or self._refusal is not None
        if is_sending and self.transport.can_write_eof():
            self.transport.write_eof()
            self.flow.resume_reading()
            self._owe(self._hang_up, self.limits.closing_seconds)
        else:
            self._hang_up()

    def timeout_keep_alive_handler(self) -> None:
        self._hang_up()

    def _hang_up(self) -> None:
        """Close as soon as the client has read what waits for it."""
        self.transport.close()
        self._await_reader(self.transport.get_write_buffer_size())


def install() -> None:
    """Make `HttpProtocol` uvicorn's default."""
    uvicorn.config.HTTP_PROTOCOLS["auto"] = f"{__name__}:{HttpProtocol.__name__}"
