"""Interim responses: what clients are told before the answer (RFC 9110 §15.2)."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Final

from fastapi import Request

from routers.connection.exchanges import INTERIM

INTERVAL: Final = 10.0
"""Seconds after which a client hears again that its request is alive; proxies wait for 30 or 60."""


def can_be_told(request: Request) -> bool:
    """Tell whether interim responses can be sent: HTTP/1.1 has them, by Holdall's connections."""
    return INTERIM in request.scope.get("extensions", {})


async def send_interim(request: Request, status: int, headers: Mapping[str, str]) -> None:
    """Send an interim response, where that can be done and its client reads."""
    if can_be_told(request):
        fields = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await request._send({"type": INTERIM, "status": status, "headers": fields})


@asynccontextmanager
async def kept_alive(
    request: Request, status: int, headers: Callable[[], Mapping[str, str]]
) -> AsyncIterator[None]:
    """Send an interim response every `INTERVAL` seconds while the context lasts."""

    async def send() -> None:
        while True:
            await asyncio.sleep(INTERVAL)
            await send_interim(request, status, headers())

    sending = asyncio.create_task(send())
    try:
        yield
    finally:
        sending.cancel()
        await asyncio.wait([sending])
