"""Whole lists as one JSON array: sent in batches, each read once the last has been sent."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Final, Protocol

from pydantic import BaseModel
from pydantic_core import to_json
from starlette.responses import Response

from routers.http.downloads import StreamedContent

BATCH: Final = 200
"""Items in memory at once."""


class ReadBatch(Protocol):
    """Reads the batch after a cursor, None for the first, and returns the cursor of the next."""

    async def __call__(self, cursor: str | None) -> tuple[Sequence[BaseModel], str | None]: ...


async def send_array(read: ReadBatch) -> Response:
    """Answer with everything that ``read`` gives, in its order.

    Nothing is held while a client takes its time but a batch. What goes wrong with the first batch
    does so before any header is sent; later it breaks the connection off.
    """
    items, cursor = await read(None)
    stack = AsyncExitStack()
    chunks = await stack.enter_async_context(aclosing(_array(read, items, cursor)))
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return StreamedContent(chunks, stack, 200, headers)


async def _array(
    read: ReadBatch, items: Sequence[BaseModel], cursor: str | None
) -> AsyncGenerator[bytes, None]:
    before = b"["
    while True:
        if items:
            yield before + to_json(items)[1:-1]
            before = b","
        if cursor is None:
            break
        items, cursor = await read(cursor)
    yield b"[]" if before == b"[" else b"]"
