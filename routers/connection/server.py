"""The HTTP server: uvicorn, with our connections and a bounded stop."""

import asyncio
import ipaddress
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog
import uvicorn
from starlette.types import ASGIApp

from app.config import Settings
from routers.connection.protocol import HttpProtocol

_ALONE: Final = "not reloaded: one process has to be restarted, only several WORKERS take turns"
_LAST_WORDS: Final = 5  # seconds for the responses to cancelled requests

log = structlog.get_logger(__name__)

Greet = Callable[[str], Awaitable[str]]
"""Makes the text to print once a URL is served."""


class Server(uvicorn.Server):
    """A server that prints its URL when it has started, and ends overdue requests at a stop."""

    def __init__(self, config: uvicorn.Config, greet: Greet | None, grace: float) -> None:
        """``grace`` is the number of seconds that running requests get at a stop."""
        super().__init__(config)
        self._greet = greet
        self._grace = grace

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._greet is None:
            return
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        greeting = await self._greet(_url(host, port))
        with suppress(OSError):  # standard output is closed
            print(greeting, flush=True)  # noqa: T201

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wait for running requests; those that exceed the grace period are cancelled."""
        grace = asyncio.get_running_loop().call_later(self._grace, self._end_requests)
        try:
            await super().shutdown(sockets)
        finally:
            grace.cancel()

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until SIGTERM or SIGINT."""
        # uvicorn raises the signal again once it has stopped in good order
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        with suppress(KeyboardInterrupt):
            super().run(sockets)

    def _end_requests(self) -> None:
        for task in self.server_state.tasks:
            task.cancel()


def configured(app: ASGIApp, settings: Settings) -> uvicorn.Config:
    """Return uvicorn's configuration for an application."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        http=HttpProtocol,
        ws="none",
        timeout_graceful_shutdown=settings.shutdown_grace + _LAST_WORDS,
    )


def serve(app: ASGIApp, settings: Settings, greet: Greet) -> int:
    """Serve until SIGTERM or SIGINT; running requests then get their grace period."""
    if sys.stdin is None or not sys.stdin.isatty():  # whose end it would be, too
        signal.signal(signal.SIGHUP, lambda *_: log.warning(_ALONE))
    Server(configured(app, settings), greet, settings.shutdown_grace).run()
    return 0


def _url(host: str, port: int) -> str:
    address = ipaddress.ip_address(host)
    if address.is_unspecified:  # all addresses; a browser needs one
        address = ipaddress.ip_address("::1" if address.version == 6 else "127.0.0.1")  # noqa: PLR2004
    return f"http://[{address}]:{port}" if ":" in str(address) else f"http://{address}:{port}"
