"""The outermost middleware: request id, client, path, log line, unexpected errors."""

import asyncio
from typing import Final
from urllib.parse import urlsplit

import structlog
from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from app import clock
from app.config import Settings
from app.database import Patience
from app.errors import ServiceUnavailable
from app.logging import current_request
from app.workers.link import Link
from routers.connection.exchanges import ABORT, INTERIM
from routers.http.bodies import ClientDisconnected
from routers.web.forwarded import Proxies, is_proxied
from routers.web.observation import RAW_PREFIX, Observation
from routers.web.problems import failed, render
from routers.web.protection import protect

_UNGUARDED: Final = (
    "served by other connections than Holdall's: nothing bounds heads and slow clients, and "
    "requests that offer an upgrade may lose their bodies. Use main.py, or uvicorn with --http "
    "routers.connection.protocol:HttpProtocol"
)

log = structlog.get_logger("holdall.requests")


class Edge:
    """The outermost middleware; pure ASGI, so that streaming costs nothing."""

    def __init__(self, app: FastAPI, settings: Settings) -> None:
        self.app = app
        self._proxies = Proxies(settings.trusted_proxies)
        self._withholds_interim = settings.interim_responses == "direct"
        self._public_url = settings.public_url or ""
        self._prefix = urlsplit(self._public_url).path.rstrip("/")
        self._is_known = False  # whether connections are our own

    def join(self, link: Link) -> None:
        """Be served by a worker with this link to its supervisor."""
        self.app.state.link = link

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":  # none are served here
            await send({"type": "websocket.close"})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if not self._is_known:
            self._is_known = True
            if ABORT not in scope.get("extensions", {}):
                log.warning(_UNGUARDED)
        headers = dict(scope["headers"])
        if self._withholds_interim and is_proxied(headers):
            offered = scope.get("extensions", {})
            scope["extensions"] = {name: offered[name] for name in offered if name != INTERIM}
        self._locate(scope)
        self._proxies.apply(scope)
        observed = Observation(scope, headers, receive)
        answer = _Answer(send, observed, is_https=self._is_https(scope))
        current_request.set(observed.request)  # of this task: the server's lines have it too
        try:
            with Patience():
                await self._answer(scope, observed.receive, answer)
        finally:
            observed.end()
            self._note_use(observed)

    async def _answer(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        try:
            await self.app(scope, receive, answer)
        except ClientDisconnected:
            await answer.abort(scope)
        except asyncio.CancelledError:  # the server stops, and the grace is over
            stopping = ServiceUnavailable("The service is stopping; ask again")
            await answer.end(scope, receive, render(Request(scope), stopping))
        except Exception:
            log.exception("a request failed")
            await answer.end(scope, receive, failed(Request(scope), answer.observed.request.id))

    def _note_use(self, observed: Observation) -> None:
        request = observed.request
        if request.session is not None:
            self.app.state.runtime.parts.session_uses.note(
                request.session, clock.now(), request.address, observed.agent or b""
            )

    def _locate(self, scope: Scope) -> None:
        """Remove the path prefix of the public URL, unless the proxy has done so."""
        path, raw = _rooted(scope["path"], scope.get("raw_path") or scope["path"].encode())
        prefix = self._prefix
        if prefix:
            scope["root_path"] = prefix
            if path == prefix or path.startswith(prefix + "/"):
                path, raw = path[len(prefix) :] or "/", raw[len(prefix.encode()) :] or b"/"
                path, raw = _rooted(path, raw)
        if path.startswith(RAW_PREFIX):
            path = raw.partition(b"?")[0].decode("ascii", "replace")
        scope["path"] = prefix + path  # Starlette takes root_path off again when it routes

    def _is_https(self, scope: Scope) -> bool:
        return (self._public_url or scope["scheme"]).startswith("https")


class _Answer:
    """The ``send`` of one request: adds headers, and notes what is sent."""

    def __init__(self, send: Send, observed: Observation, *, is_https: bool) -> None:
        self._send = send
        self.observed = observed
        self._is_https = is_https

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if self.observed.status is not None:
                raise RuntimeError("another answer has begun already")
            self.observed.begin(message["status"])
            identified = (b"x-request-id", self.observed.request.id.encode())
            headers = [*message["headers"], identified]
            protect(headers, is_https=self._is_https)
            message["headers"] = headers
            await self._send(message)
            return
        await self._send(message)
        self.observed.sent(message)

    async def end(self, scope: Scope, receive: Receive, response: Response) -> None:
        """Answer so, if nothing has been answered yet; else break off."""
        if self.observed.status is None:
            await response(scope, receive, self)
        else:
            await self.abort(scope)

    async def abort(self, scope: Scope) -> None:
        """Close the connection, where the server can: what was begun can't be finished."""
        self.observed.aborted = True
        if ABORT in scope.get("extensions", {}):
            await self._send({"type": ABORT})


def _rooted(path: str, raw: bytes) -> tuple[str, bytes]:
    """Collapse leading slashes into one: some clients append to a base URL that ends with one."""
    spare = len(raw) - len(raw.lstrip(b"/")) - 1  # raw, for an encoded slash is none
    return (path[spare:], raw[spare:]) if spare > 0 else (path, raw)
