"""Serving by several processes: each is a server of its own, on sockets that all have."""

import asyncio
import gc
import signal
import socket
from collections.abc import Callable
from typing import Final, Protocol

from starlette.types import Receive, Scope, Send

from app.config import ConfigError, Settings
from app.processes import confinement
from app.workers.link import Link
from app.workers.processes import Role
from app.workers.supervisor import WorkerSupervisor
from routers.connection.server import Greet, Server, configured

_LOOK_SECONDS: Final = 0.1


class Application(Protocol):
    """An application that workers serve."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    def join(self, link: Link) -> None:
        """Be served by a worker with this link to its supervisor."""


class WorkerServer(Server):
    """A server that can leave its clients to the other workers, without their noticing.

    It accepts no more, and closes each connection after the next response: closing one that is
    idle could cross a request.
    """

    def __init__(
        self, app: Application, settings: Settings, link: Link, greet: Greet | None
    ) -> None:
        super().__init__(configured(app, settings), greet, settings.shutdown_grace)
        self._link = link
        self._is_leaving = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._link.on_drain(self._leave)
        self._link.tell("ready")

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._is_leaving:
            await self._drain()
        await super().shutdown(sockets)

    def _leave(self) -> None:
        self._is_leaving = self.should_exit = True

    async def _drain(self) -> None:
        for server in self.servers:
            server.close()
        clock = asyncio.get_running_loop().time
        until = clock() + self.config.timeout_keep_alive + 1
        while self.server_state.connections and clock() < until:
            for connection in self.server_state.connections:
                connection.drain()  # type: ignore[union-attr]
            await asyncio.sleep(_LOOK_SECONDS)


def serve(
    app: Application,
    settings: Settings,
    greet: Greet,
    *,
    make: Callable[[Settings], Application],
    load: Callable[[], Settings],
) -> int:
    """Serve by several processes until SIGTERM or SIGINT; returns the exit status.

    After SIGHUP, what ``load`` and ``make`` return comes in the place of the settings and the
    application. Raises `ConfigError` if the address can't be listened on.
    """
    sockets = _bound(settings.host, settings.port)

    def become(role: Role) -> int:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        link = Link(role.connection, number=role.number, of=settings.worker_count)
        served = app if role.settings is settings else make(role.settings)
        served.join(link)
        WorkerServer(served, role.settings, link, greet if role.is_first else None).run(sockets)
        return 0

    confinement.hide()
    config = configured(app, settings)
    config.load()  # what is imported here, the workers share
    config.get_loop_factory()
    gc.collect()
    gc.freeze()  # so that they don't copy what they only look at
    return WorkerSupervisor(settings, sockets, become=become, load=load).run()


def _bound(host: str, port: int) -> list[socket.socket]:
    """Bind a socket to each address of a host, as the event loop would."""
    sockets = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in dict.fromkeys(found):
            listening = socket.socket(family, kind, protocol)
            sockets.append(listening)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listening.bind(address)
    except OSError as error:
        for listening in sockets:
            listening.close()
        raise ConfigError(f"HOST, PORT: {host}, {port}: {error.strerror}") from error
    return sockets
