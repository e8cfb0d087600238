"""Hashes of an object that arrives in pieces: they run on from one to the next."""

import asyncio
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from app.objects.digests import Digests, Hashing

_KEPT: Final = 4096  # of unfinished objects, half a KiB each


class RunningHashes:
    """The hashes of unfinished objects whose bytes were received, or read, in this process.

    The state of a hash can't be stored. So when another process received a part, the rest is read
    when the object is finished, from where the hash here had got to.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[int, tuple[int, Hashing]] = OrderedDict()

    def find(self, object_id: int, size: int, announced: Digests) -> tuple[int, Hashing]:
        """Return hashes of the first bytes of an object, up to ``size``, and how many these are.

        They check the digests that were ``announced`` of the whole.
        """
        hashed, kept = self._kept.get(object_id, (0, None))
        hashing = None if kept is None or hashed > size else kept.expecting(announced)
        return (0, Hashing(announced)) if hashing is None else (hashed, hashing)

    def keep(self, object_id: int, hashed: int, hashing: Hashing) -> None:
        """Keep the hashes of the first ``hashed`` bytes, which are committed."""
        self._kept[object_id] = hashed, hashing
        self._kept.move_to_end(object_id)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    def forget(self, object_id: int) -> None:
        """Forget an object that is finished or gone."""
        self._kept.pop(object_id, None)


def begin_update(
    threads: ThreadPoolExecutor, hashing: Hashing, data: bytes | memoryview
) -> asyncio.Future[None]:
    """Begin to hash bytes in a thread; `finished` awaits it."""
    return asyncio.get_running_loop().run_in_executor(threads, hashing.update, data)


async def updated(threads: ThreadPoolExecutor, digest: Any, data: bytes | memoryview) -> None:  # noqa: ANN401
    """Hash bytes in a thread, to its end even if cancelled: it reads a buffer on loan."""
    await finished(asyncio.get_running_loop().run_in_executor(threads, digest.update, data))


async def finished(*futures: asyncio.Future[None]) -> None:
    """Await the work of threads to its end even if cancelled."""
    if not futures:
        return
    work = asyncio.gather(*futures)
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait(futures)
        raise
