"""The symbols of a process's modules, of caches that are mapped into memory.

This is for child processes: functions are looked up by the library ``symbolic``, and their names
demangled by ``multi_demangle``. Without the former nothing is known of functions.
"""

import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import BinaryIO, Final

from multi_demangle import demangle_symbol

from app.stacks.modules import Module
from app.stacks.symbol_cache import BadCache, Rules, SymbolCache

try:
    from symbolic._lowlevel import ffi
    from symbolic.exceptions import SymbolicError
    from symbolic.symcache import SymCache
except (ImportError, OSError):  # there is no wheel for this host
    CAN_READ = False
else:
    CAN_READ = True

_MAX_NAME: Final = 2048  # characters
_MAX_INLINES: Final = 64


@dataclass(frozen=True, slots=True)
class Location:
    """A function, and the line in it."""

    function: str
    offset: int
    """Of the address from the beginning of the function."""
    file: str | None
    line: int | None


class ProcessSymbols:
    """Symbols by the debug ids of modules; a cache that is damaged is left out.

    Of several caches for a module, each question is answered by the first that knows.
    """

    def __init__(self, caches: Sequence[tuple[str, BinaryIO]]) -> None:
        self.damaged: list[str] = []
        """The debug ids of damaged caches."""
        self._caches: dict[str, list[_Cache]] = {}
        for debug_id, file in caches:
            try:
                self._caches.setdefault(debug_id, []).append(_Cache(file))
            except (BadCache, ValueError, OSError):
                self.damaged.append(debug_id)

    def has(self, module: Module) -> bool:
        """Tell whether there are symbols of a module."""
        return bool(self._of(module))

    def rules(self, module: Module, offset: int) -> Rules | None:
        """Return the rules for unwinding that cover an offset in a module."""
        for cache in self._of(module):
            try:
                found = cache.rules(offset)
            except BadCache:
                self._drop(module, cache)
                continue
            if found is not None:
                return found
        return None

    def may_be_code(self, module: Module, offset: int) -> bool:
        """Tell whether a function covers an offset, or no functions of the module are known.

        Where there are rules for unwinding, one of them covers every call. The functions of a table
        of symbols seem to go on to the next one, over data as well.
        """
        if any(cache.has_cfi for cache in self._of(module)):
            return self.rules(module, offset) is not None
        caches = [cache for cache in self._of(module) if cache.has_functions]
        return not caches or any(cache.locate(offset) for cache in caches)

    def locate(self, module: Module, offset: int) -> Sequence[Location]:
        """Return the functions at an offset, those that were inlined first."""
        best: Sequence[Location] = ()
        for cache in self._of(module):
            found = cache.locate(offset)
            if found and (not best or (best[0].file is None and found[0].file is not None)):
                best = found
        return best

    def _of(self, module: Module) -> Sequence["_Cache"]:
        return self._caches.get(module.debug_id or "", ())

    def _drop(self, module: Module, cache: "_Cache") -> None:
        if module.debug_id is not None:
            self._caches[module.debug_id] = [c for c in self._of(module) if c is not cache]
            self.damaged.append(module.debug_id)


class _Cache:
    def __init__(self, file: BinaryIO) -> None:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._cache = SymbolCache(memoryview(mapped))
        self._functions = None
        if CAN_READ and self._cache.functions:
            try:
                data = ffi.from_buffer("uint8_t[]", self._cache.functions)
                self._functions = SymCache.from_bytes(data)  # type: ignore[no-untyped-call]
            except SymbolicError as error:
                raise BadCache from error
        self._located: dict[int, Sequence[Location]] = {}
        self.rules = lru_cache(1024)(self._cache.rules)
        self.has_cfi = self._cache.has_cfi

    @property
    def has_functions(self) -> bool:
        return self._functions is not None

    def locate(self, offset: int) -> Sequence[Location]:
        found = self._located.get(offset)
        if found is None:
            found = self._located[offset] = self._look_up(offset)
        return found

    def _look_up(self, offset: int) -> Sequence[Location]:
        if self._functions is None:
            return ()
        try:
            found = self._functions.lookup(offset)
        except (SymbolicError, UnicodeDecodeError):
            return ()
        return [
            Location(
                demangled(each.symbol),
                max(0, offset - each.sym_addr),
                each.full_path,
                each.line or None,
            )
            for each in found[-_MAX_INLINES:]
            if each.symbol
        ]


@lru_cache(4096)
def demangled(name: str) -> str:
    """Return a function's name as its programmer wrote it, of any of the usual manglings."""
    if len(name) > _MAX_NAME:
        return name[:_MAX_NAME]
    return str(demangle_symbol(name))[:_MAX_NAME]
