"""Faults that the tests of networked stores share."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from storage.base import ObjectStore, new_key
from storage.conformance.bodies import chunked, content, read
from storage.errors import StoreUnavailable

PROJECT = Path(__file__).parents[2]


async def assert_unavailable(store: ObjectStore, key: str) -> None:
    """Every verb says that the store is unavailable."""

    async def opening() -> None:
        async with store.open(key) as reader:
            await read(reader)

    async def listing() -> None:
        [_ async for _ in store.list()]

    verbs = [
        store.ping(),
        store.stat(key),
        store.delete([new_key("blobs")]),
        store.delete([new_key("blobs"), new_key("blobs")]),
        store.put(new_key("blobs"), chunked(b"small", 5), size=5),
        store.put(new_key("blobs"), chunked(content(9 << 20), 1 << 20), size=None),
        opening(),
        listing(),
    ]
    for answer in await asyncio.gather(*verbs, return_exceptions=True):
        with pytest.raises(StoreUnavailable):
            raise answer if isinstance(answer, BaseException) else AssertionError(answer)


async def killed_put(kind: str, settings: dict[str, str], key: str) -> None:
    """Kill a process by SIGKILL while it puts an object."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.storage.stalled_put", kind, json.dumps(settings), key),
        cwd=PROJECT,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        assert await process.stdout.readline() == b"stalled\n"
    finally:
        process.kill()
        await process.communicate()


@asynccontextmanager
async def answering(status: int, body: bytes) -> AsyncIterator[int]:
    """Run an HTTP server that answers everything in one way; yield its port."""
    head = f"HTTP/1.1 {status} So\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head.encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
