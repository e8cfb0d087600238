"""The record of a request: what its line in the log says, and what metrics count it by."""

import re
import time
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote

import structlog
import uuid_utils
from starlette.types import Message, Receive, Scope

from app import metrics
from app.logging import CurrentRequest
from routers.connection.exchanges import size_of

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9_.:-]{1,128}")
_TRACE_PARENT: Final = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}"
    rb"(?:(?<!00-.{52})-.*)?"  # later versions may say more
)
RAW_PREFIX: Final = "/v1/blobs/"
"""Prefix of paths that may contain encoded slashes, and so are matched undecoded."""

_LOGGED: Final = 2048  # bytes of a path
_LOGGED_AGENT: Final = 256

log = structlog.get_logger("holdall.requests")


class Observation:
    """What is seen of one request between its head and the end of its answer."""

    def __init__(self, scope: Scope, headers: Mapping[bytes, bytes], receive: Receive) -> None:
        self.request = CurrentRequest(
            _request_id(headers.get(b"x-request-id")), _trace_id(headers.get(b"traceparent"))
        )
        client = scope.get("client")
        self.request.address = None if client is None else client[0]
        self.status: int | None = None
        self.aborted = False
        self._scope = scope
        self.agent = headers.get(b"user-agent")
        self._receive = receive
        self._bytes_in = self._bytes_out = 0
        self._first_byte: float | None = None
        self._active = metrics.active_of(scope["method"])
        self._active.value += 1
        self._started = time.perf_counter()

    async def receive(self) -> Message:
        """Receive the next message of the body, and count its bytes."""
        message = await self._receive()
        if body := message.get("body"):
            self._bytes_in += len(body)
            metrics.received_bytes.value += len(body)
        return message

    def begin(self, status: int) -> None:
        """Note that the answer begins."""
        self.status = status
        self._first_byte = time.perf_counter() - self._started

    def sent(self, message: Message) -> None:
        """Note that a message of the answer's body has gone out."""
        if self._scope["method"] == "HEAD":
            return
        size = size_of(message)
        self._bytes_out += size
        metrics.sent_bytes.value += size

    def end(self) -> None:
        """Count the request, and write its line."""
        seconds = time.perf_counter() - self._started
        self._active.value -= 1
        scope = self._scope
        aborted = self.aborted or self.status is None
        route = getattr(scope.get("route"), "path", None)
        metrics.count_request(
            scope["method"],
            route,
            self.status,
            seconds=seconds,
            first_byte=self._first_byte,
            received=self._bytes_in,
            sent=self._bytes_out,
            aborted=aborted,
        )
        facts = {
            "method": scope["method"],
            "path": _logged_path(scope),
            "route": route,
            "status": self.status,
            "aborted": aborted or None,
            "ms": round(seconds * 1000, 1),
            "bytes_in": self._bytes_in,
            "bytes_out": self._bytes_out,
            "client": (scope.get("client") or ("",))[0],
            "account": self.request.account,
            "key": self.request.key,
            "user_agent": None if self.agent is None else _text(self.agent, _LOGGED_AGENT),
        }
        log.info("request", **{name: fact for name, fact in facts.items() if fact is not None})


def _request_id(sent: bytes | None) -> str:
    if sent is not None and _REQUEST_ID.fullmatch(sent):
        return sent.decode()
    return str(uuid_utils.uuid7())


def _trace_id(sent: bytes | None) -> str | None:
    """Read a ``traceparent`` (W3C Trace Context §3.2); None for none, or one that is invalid."""
    found = None if sent is None else _TRACE_PARENT.fullmatch(sent)
    return None if found is None else found[1].decode()


def _logged_path(scope: Scope) -> str:
    """Return the path for the log, cut: without the query, which may hold somebody's key."""
    path: str = scope["path"]
    if path.startswith(RAW_PREFIX):
        path = unquote(path)
    return _text(path.encode("utf-8", "replace"), _LOGGED)


def _text(data: bytes, limit: int) -> str:
    return data[:limit].decode("utf-8", "ignore")
