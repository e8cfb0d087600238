"""Symbolication: what reads dumps and symbols, in child processes, opened once."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from app.dumps.reports import reader
from app.dumps.reports.reader import DumpReader
from app.dumps.reports.task import Reports
from app.dumps.rules import naming
from app.dumps.rules.task import ApplyRules, Naming
from app.dumps.rules.use_cases import SignatureRules
from app.parts import Parts
from app.processes.pool import ChildPool
from app.symbols import caching
from app.symbols.cached_files import CachedFiles
from app.symbols.caching import SymbolCaches
from app.symbols.upload_keys import UploadKeys
from app.symbols.use_cases import SymbolFiles, kept_unused


@dataclass(frozen=True, slots=True)
class Symbolication:
    """What reads dumps and symbols."""

    reports: Reports
    symbols: SymbolFiles
    rules: SignatureRules


def open_symbolication(stack: AsyncExitStack, parts: Parts) -> Symbolication:
    """Open the reports of dumps, and the symbols that they want; ``stack`` ends the children."""
    children = ChildPool(
        workers=1,
        permits=parts.permits,
        memory=naming.MEMORY,
        seconds=naming.SECONDS,
        name="rules",
        modules=naming.CHILD_MODULES,
    )
    stack.push_async_callback(children.aclose)
    names = Naming(parts.database, children)
    reports = _open_reports(stack, parts, names)
    rules = SignatureRules(children, ApplyRules(parts.database, names))
    return Symbolication(reports, _open_symbols(stack, parts, reports), rules)


def _open_reports(stack: AsyncExitStack, parts: Parts, names: Naming) -> Reports:
    children = ChildPool(
        workers=1,
        permits=parts.permits,
        memory=reader.MEMORY,
        seconds=reader.SECONDS,
        name="minidumps",
        modules=reader.CHILD_MODULES,
    )
    stack.push_async_callback(children.aclose)
    cached = CachedFiles(
        parts.downloads,
        parts.scratch,
        parts.settings.data_dir / "symbols",
        max_bytes=parts.settings.symbol_cache_bytes,
    )
    return Reports(
        parts.database,
        DumpReader(parts.database, parts.downloads, cached, children),
        names,
        kept_for=kept_unused(parts.settings),
        wake_sweep=parts.sweep.wake,
    )


def _open_symbols(stack: AsyncExitStack, parts: Parts, reports: Reports) -> SymbolFiles:
    children = ChildPool(
        workers=1,
        permits=parts.permits,
        memory=caching.MEMORY,
        seconds=caching.SECONDS,
        name="symbols",
        modules=caching.CHILD_MODULES,
        output=caching.MAX_CACHE,
    )
    stack.push_async_callback(children.aclose)
    caches = SymbolCaches(
        parts.database,
        parts.uploads,
        parts.downloads,
        parts.scratch,
        children,
        on_ready=reports.wake,
    )
    return SymbolFiles(
        parts.settings,
        parts.uploads,
        parts.downloads,
        parts.scratch,
        children,
        caches,
        UploadKeys(parts.keyring.subkeys("symbol uploads")),
        wake_sweep=parts.sweep.wake,
    )
