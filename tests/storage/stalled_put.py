"""Puts half an object and then stands still, so that a test can kill it.

``python -m tests.storage.stalled_put KIND SETTINGS KEY`` says ``stalled`` when it is there. It
imports the one store that it needs: the clients of all take two seconds.
"""

import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from storage.base import ObjectStore


async def body() -> AsyncGenerator[bytes]:
    for _ in range(24):
        yield bytes(1 << 20)
    print("stalled", flush=True)
    await asyncio.Event().wait()


async def open_store(kind: str, settings: dict[str, Any]) -> ObjectStore:
    match kind:
        case "local":
            from storage.local import LocalStore

            return LocalStore(Path(settings["root"]))
        case "s3":
            from storage.s3.store import S3Store

            return await S3Store.connect(**settings)
        case _:
            from storage.postgres import PostgresStore

            return await PostgresStore.connect(**settings)


async def main(kind: str, settings: dict[str, Any], key: str) -> None:
    await (await open_store(kind, settings)).put(key, body(), size=None)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]))
