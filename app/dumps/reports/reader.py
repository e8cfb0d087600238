"""The reading of one minidump in a child process, with the symbols that there are for it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO, Final

import structlog

from app import clock
from app.database import Database
from app.dumps.minidump import reading
from app.dumps.minidump.file import Unreadable
from app.dumps.minidump.reading import Reading
from app.errors import NotFound, ObjectDamaged, ServiceUnavailable
from app.objects.entities import Content
from app.objects.reading.downloads import Downloads
from app.processes.child import MAX_FILES
from app.processes.pool import ChildFailed, ChildPool
from app.symbols import lookup
from app.symbols.cached_files import CachedFiles

SECONDS: Final = 20.0
MEMORY: Final = 512 * 1024 * 1024
"""Limits on reading one minidump; memory in bytes."""

CHILD_MODULES: Final = ("app.dumps.minidump.reading", "app.stacks.symbols")
"""The modules that child processes import."""

_MAX_CACHES: Final = MAX_FILES - 1  # one is the minidump

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Symbolicated:
    """What has been read of a minidump, and the ids of the symbols that were used."""

    reading: Reading
    symbols: Sequence[int]


class DumpReader:
    """Reads minidumps, first without symbols, to see which are needed."""

    def __init__(
        self,
        database: Database,
        downloads: Downloads,
        cached_files: CachedFiles,
        children: ChildPool,
    ) -> None:
        self._database = database
        self._downloads = downloads
        self._cached_files = cached_files
        self._children = children

    async def read(self, account_id: int, content: Content) -> Symbolicated:
        """Read a minidump of an account.

        Raises `Unreadable`, `ChildFailed` and `ObjectDamaged` for what will not get better, and
        else what keeps it from being read for now.
        """
        async with self._downloads.local_file(content) as file:
            plain = await self._read(content, file)
            caches = await self._database.read(
                lookup.find, account_id, _wanted(plain), _MAX_CACHES, clock.now()
            )
            if not caches:
                return Symbolicated(plain, ())
            try:
                named = await self._with_symbols(content, file, caches)
            except (Unreadable, ChildFailed, NotFound, ObjectDamaged) as error:
                log.warning("a minidump can't be read with symbols", reason=str(error))
                return Symbolicated(_without(plain, str(error)), ())
        return Symbolicated(named, [cache.symbols for cache in caches])

    async def _with_symbols(
        self, content: Content, file: BinaryIO, caches: Sequence[lookup.Cache]
    ) -> Reading:
        async with self._cached_files.open_all([cache.content for cache in caches]) as files:
            opened = [(c.debug_id, f) for c, f in zip(caches, files, strict=True)]
            return await self._read(content, file, opened)

    async def _read(
        self, content: Content, file: BinaryIO, caches: Sequence[tuple[str, BinaryIO]] = ()
    ) -> Reading:
        try:
            return await self._children.run(reading.read, file, caches)
        except (Unreadable, ChildFailed, ServiceUnavailable):
            raise
        except Exception as error:
            log.exception("reading a minidump failed", key=content.key)
            raise Unreadable(f"reading it failed: {type(error).__name__}") from error


def _wanted(found: Reading) -> Sequence[str]:
    """Return the debug ids of a minidump's modules, those first that stacks pass through."""
    in_stacks = [module.debug_id for module in found.modules]
    loaded = [module["debug_id"] for module in found.report["modules"]]
    return [*dict.fromkeys(name for name in (*in_stacks, *loaded) if name is not None)]


def _without(found: Reading, reason: str) -> Reading:
    left_out = [*found.report["left_out"], f"symbols: {reason}"]
    return replace(found, report=found.report | {"left_out": left_out})
