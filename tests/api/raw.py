"""A request as a server passes it on, message by message: for what no client library will do."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import unquote

import httpx

from tests.api.conftest import Service

Message = dict[str, Any]
DISCONNECT: Message = {"type": "http.disconnect"}


def part(data: bytes, *, more: bool = True) -> Message:
    """Make the message that carries a part of a body."""
    return {"type": "http.request", "body": data, "more_body": more}


@dataclass
class Answer:
    """What an application sent; ``ended`` says whether it came to the end of the body."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    ended: bool = False
    receives: int = 0
    """How often the application asked for something of the request's body."""


async def request(
    service: Service,
    method: str,
    path: str,
    headers: dict[str, str],
    messages: AsyncIterator[Message] | list[Message],
    *,
    on_send: Callable[[Answer], Awaitable[None]] | None = None,
    query: bytes = b"",
) -> Answer:
    """Run one request; ``path`` is sent as it is. After its messages the client stays silent."""
    answer = Answer()
    left = messages if isinstance(messages, AsyncIterator) else _each(messages)

    async def receive() -> Message:
        answer.receives += 1
        async for message in left:
            return message
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def send(message: Any) -> None:  # noqa: ANN401 - ASGI's own type
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {
                n.decode().lower(): v.decode("latin-1") for n, v in message["headers"]
            }
        else:
            answer.body += message.get("body", b"")
            answer.ended = not message.get("more_body", False)
        if on_send is not None:
            await on_send(answer)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "headers": [(n.lower().encode(), v.encode("latin-1")) for n, v in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("test", 80),
        "state": {},
    }
    await cast("httpx.ASGITransport", service.client._transport).app(scope, receive, send)
    return answer


async def _each(messages: list[Message]) -> AsyncIterator[Message]:
    for message in messages:
        yield message
