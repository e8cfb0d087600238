"""Puts half an object and then stands still, so that a test can kill it.

``python -m tests.storage.stalled_put ROOT KEY`` says ``stalled`` when it is there.
"""

import asyncio
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

from storage.local import LocalStore


async def body() -> AsyncGenerator[bytes]:
    for _ in range(3):
        yield bytes(2 << 20)
    print("stalled", flush=True)
    await asyncio.Event().wait()


async def main(root: Path, key: str) -> None:
    await LocalStore(root).put(key, body(), size=None)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
