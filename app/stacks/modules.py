"""The modules of a process, found by address."""

import heapq
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Module:
    """A loaded module; its size is in bytes."""

    name: str
    version: str | None
    base: int
    size: int
    debug_file: str | None = None
    """The name of the file that has its symbols."""
    debug_id: str | None = None
    """The id that this file has as well, as Breakpad writes it: a GUID and an age, in hex."""
    code_id: str | None = None
    """The build id, or the UUID on Apple's systems; on Windows, the image's time stamp and size."""


class Modules:
    """Modules by address; where several overlap, the first in the list."""

    def __init__(self, modules: Sequence[Module]) -> None:
        self._starts: list[int] = []
        self._owners: list[Module | None] = []
        by_base = sorted(enumerate(modules), key=lambda each: each[1].base, reverse=True)
        edges = sorted({edge for m in modules for edge in (m.base, m.base + m.size)})
        here: list[tuple[int, Module]] = []  # the modules at an edge, a heap by their order
        for edge in edges:
            while by_base and by_base[-1][1].base <= edge:
                order, module = by_base.pop()
                heapq.heappush(here, (order, module))
            while here and here[0][1].base + here[0][1].size <= edge:
                heapq.heappop(here)
            self._starts.append(edge)
            self._owners.append(here[0][1] if here else None)

    def at(self, address: int) -> Module | None:
        """Return the module that an address is in."""
        index = bisect_right(self._starts, address) - 1
        return None if index < 0 else self._owners[index]
