"""Room on a device of this host, a reserve of which stays free."""

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

LARGEST_RESERVE: Final = 64 * 1024 * 1024
_SHARE: Final = 8


class Disk:
    """The device that a folder is on. The methods take microseconds on a local one, but block.

    ``reserve`` is in bytes; None: 64 MiB, or an eighth of a device smaller than 512 MiB.
    """

    def __init__(self, folder: Path, reserve: int | None) -> None:
        self._folder = folder
        self._reserve = reserve
        self._taking = 0
        self._lock = threading.Lock()

    def free(self) -> int:
        """Return how many bytes may be taken; below 0: how many of the reserve have been."""
        found = os.statvfs(self._folder)
        reserve = self._reserve
        if reserve is None:
            reserve = min(LARGEST_RESERVE, found.f_blocks * found.f_frsize // _SHARE)
        return found.f_bavail * found.f_frsize - reserve

    def require(self, size: int) -> None:
        """Raise the `OSError` of a full device unless ``size`` bytes may be taken."""
        with self._lock:
            self._require(size)

    @contextmanager
    def taking(self, size: int) -> Iterator[None]:
        """Hold room for ``size`` bytes that are written meanwhile; raises what `require` does."""
        if self._reserve == 0:
            yield
            return
        with self._lock:
            self._require(size)
            self._taking += size
        try:
            yield
        finally:
            with self._lock:
                self._taking -= size

    def _require(self, size: int) -> None:
        if self._reserve != 0 and self.free() - self._taking < size:
            raise OSError(errno.ENOSPC, "only the reserve is left", str(self._folder))
