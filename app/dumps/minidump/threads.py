"""The threads of a minidump: their names, their registers, and the memory of the process."""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from app.dumps.minidump.file import MinidumpFile, Unreadable
from app.dumps.minidump.tables import Place, System
from app.stacks.architectures import Architecture
from app.stacks.frames import Registers
from app.stacks.memory import Memory, Range

_MAX_THREADS: Final = 2**16
_MAX_RANGES: Final = 2**16
_MAX_NAME: Final = 128  # characters
_THREADS, _MEMORY, _MEMORY_64, _NAMES = 3, 5, 9, 24  # types of streams
_THREAD: Final = struct.Struct("<IIIIQQIIII")
_NAME: Final = struct.Struct("<IQ")
_RANGE: Final = struct.Struct("<QII")
_RANGES_64: Final = struct.Struct("<QQ")
_RANGE_64: Final = struct.Struct("<QQ")

NO_STACK: Final = Range(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread: where its registers are in the file, and its stack."""

    id: int
    context: Place
    stack: Range


def threads(dump: MinidumpFile, system: System) -> list[Thread]:
    """Return the threads of the process."""
    found = []
    for entry in dump.entries(_THREADS, _THREAD.size, _MAX_THREADS, "threads"):
        number, _, _, _, _, start, size, place, context_size, context = _THREAD.unpack(entry)
        stack = Range(system.address(start), size if place else 0, place)
        found.append(Thread(number, (context, context_size), stack))
    return found


def names(dump: MinidumpFile) -> dict[int, str]:
    """Return the names of threads, by their ids."""
    found = {}
    for entry in dump.entries(_NAMES, _NAME.size, _MAX_THREADS, "names of threads"):
        number, place = _NAME.unpack(entry)
        if name := dump.text(place):
            found[number] = name[:_MAX_NAME]
    return found


def registers(dump: MinidumpFile, architecture: Architecture, context: Place) -> Registers:
    """Return the registers of a context; none if there is no context."""
    place, size = context
    if size == 0:
        return {}
    width = architecture.width
    needed = max(architecture.offsets.values()) + width
    if size < needed:
        raise Unreadable("context: too short")
    data = dump.at(place, needed, "context")
    return {
        name: int.from_bytes(data[offset : offset + width], "little")
        for name, offset in architecture.offsets.items()
    }


def memory(dump: MinidumpFile, system: System, threads: Sequence[Thread]) -> Memory:
    """Return the memory of the process, stacks included."""
    ranges = [thread.stack for thread in threads]
    for start, size, place in dump.attempt(lambda: [*_ranges(dump)], []):
        ranges.append(Range(system.address(start), size, place))
    return Memory(
        [
            Range(start, min(size, dump.size - place), place)
            for start, size, place in ranges
            if size > 0 and place < dump.size
        ],
        dump.available,
    )


def _ranges(dump: MinidumpFile) -> Iterator[tuple[int, int, int]]:
    """Yield the address, the size and the offset in the file of each range of memory."""
    for entry in dump.entries(_MEMORY, _RANGE.size, _MAX_RANGES, "memory"):
        yield _RANGE.unpack(entry)
    head = dump.stream(_MEMORY_64, _RANGES_64.size, "memory")
    if head is None:
        return
    count, place = _RANGES_64.unpack(head)
    entries = dump.entries_after(
        _MEMORY_64, _RANGES_64.size, count, _RANGE_64.size, _MAX_RANGES, "memory"
    )
    for entry in entries:
        start, length = _RANGE_64.unpack(entry)
        yield start, length, place
        place += length
