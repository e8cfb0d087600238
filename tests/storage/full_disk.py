"""Fills a small disk through the local store: run as root of a user namespace, on a tmpfs of 8 MiB.

``python -m tests.storage.full_disk FOLDER`` ends with status 0 when all is as it should be.
"""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from storage.base import new_key
from storage.conformance.bodies import TwoBuffers, chunked, content, failing
from storage.conformance.hooks import MIB, fetch, make
from storage.errors import StoreFull, StoreUnavailable
from storage.local import LocalStore


def files(root: Path) -> int:
    return sum(path.is_file() for path in root.rglob("*"))


async def fill(store: LocalStore, root: Path) -> None:
    for size in (None, 16 * MIB):
        with pytest.raises(StoreFull) as caught:
            await store.put(new_key("blobs"), TwoBuffers(content(16 * MIB), 2 * MIB), size=size)
        assert isinstance(caught.value.__cause__, OSError)
        assert files(root) == 1, "the put that failed left something"
    failing_body = failing(content(12 * MIB), 12 * MIB, 1, KeyError("the body's own"))
    with pytest.raises(KeyError, match="the body's own"):
        await store.put(new_key("blobs"), failing_body, size=None)
    kept, data = await make(store, 6 * MIB)
    with pytest.raises(StoreFull):
        await store.put(new_key("blobs"), chunked(content(3 * MIB), 10_000), size=None)
    assert files(root) == 2
    filler = await make(store, free(root) - 64 * 1024)
    with pytest.raises(StoreFull):  # a body of one chunk, written in one go
        await store.put(new_key("blobs"), chunked(content(512 * 1024), MIB), size=None)
    await store.ping()
    assert await fetch(store, kept) == data
    await store.delete([filler[0]])
    await make(store, 100)
    assert files(root) == 3


def free(root: Path) -> int:
    found = os.statvfs(root)
    return found.f_bavail * found.f_frsize


async def lock(store: LocalStore, root: Path) -> None:
    key, data = await make(store, 5)
    subprocess.run(["mount", "-o", "remount,ro", root], check=True)  # noqa: ASYNC221
    for refused in (store.ping(), make(store, 5), store.delete([key])):
        with pytest.raises(StoreUnavailable) as caught:
            await refused
        assert isinstance(caught.value.__cause__, OSError)
    assert await fetch(store, key) == data


async def main(root: Path) -> None:
    store = LocalStore(root)
    await fill(store, root)
    await lock(store, root)
    await store.aclose()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
