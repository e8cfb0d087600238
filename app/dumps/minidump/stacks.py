"""The stacks of a minidump's threads, as a report has them."""

import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from app.dumps.minidump import threads as tables
from app.dumps.minidump.file import MinidumpFile
from app.dumps.minidump.tables import Crash, Place, System, writer
from app.dumps.minidump.threads import Thread
from app.stacks.architectures import ARCHITECTURES
from app.stacks.frames import Frame, Process, Registers
from app.stacks.modules import Module, Modules
from app.stacks.walking import caller_of_nothing, walk

if TYPE_CHECKING:
    from app.stacks.symbols import ProcessSymbols

_MAX_THREADS: Final = 1024
_MAX_FRAMES: Final = 1024  # of a thread
_MAX_ALL_FRAMES: Final = 16_384
_MAX_SECONDS: Final = 8.0  # of the processor; the child has more
_BEFORE, _AFTER = 32, 32  # bytes of code around the instruction that crashed

_NOWHERE: Final[dict[str, Any]] = {
    "address": None, "module": None, "module_offset": None, "function": None,
    "function_offset": None, "file": None, "line": None, "inlines": [],
}  # fmt: skip
"""A frame of which nothing is known."""


class Stacks:
    """The threads of a minidump, and what is known of the one that crashed.

    Nothing is known of the registers of an architecture that isn't among `ARCHITECTURES`.
    """

    def __init__(
        self,
        dump: MinidumpFile,
        system: System,
        modules: Modules,
        crash: Crash | None,
        symbols: "ProcessSymbols",
    ) -> None:
        self.left_out: list[str] = []
        """What a report has no room or time for, or the minidump does not have."""
        self.debug_ids: dict[str, Module] = {}
        """The modules that stacks pass through, by their debug ids."""
        self._dump = dump
        self._system = system
        self._threads = dump.attempt(partial(tables.threads, dump, system), [])
        self.count = len(self._threads)
        self._names = dump.attempt(partial(tables.names, dump), {})
        self._writer = dump.attempt(partial(writer, dump), None)
        self._crash = crash
        self._modules = modules
        self._symbols = symbols
        self._process = _process(dump, system, modules, self._threads, symbols)
        self._crashed = None if crash is None else self._crashed_thread(crash)
        self._registers = {} if crash is None else self._registers_at(crash)

    def threads(self) -> list[dict[str, Any]]:
        """Return the threads with their stacks, in the order of the minidump."""
        threads, crashed = list(self._threads), self._crashed
        if crashed is not None and crashed not in threads:
            threads.insert(0, crashed)
        order = sorted(range(len(threads)), key=lambda n: (threads[n] is not crashed, n))
        until, frames_left = time.process_time() + _MAX_SECONDS, _MAX_ALL_FRAMES
        found: dict[int, dict[str, Any]] = {}
        for number in order[:_MAX_THREADS]:
            if frames_left == 0 or time.process_time() > until:
                break
            thread = self._thread(threads[number], min(frames_left, _MAX_FRAMES))
            frames_left -= len(thread["frames"])
            found[number] = thread
        if len(found) < len(threads):
            self.left_out.append(f"threads: {len(found)} of {len(threads)} are here")
        return [found[number] for number in sorted(found)]

    def registers(self) -> dict[str, str]:
        """Return the registers of the thread that crashed."""
        return {name: hex(value) for name, value in self._registers.items()}

    def code(self) -> dict[str, str] | None:
        """Return the bytes around the instruction that crashed, as far as they are there."""
        if self._process is None or not self._registers:
            return None
        counter = self._registers[self._process.architecture.counter]
        start, data = self._process.memory.around(counter, _BEFORE, _AFTER)
        return {"address": hex(start), "bytes": data.hex()} if data else None

    def crashing_module(self) -> dict[str, Any] | None:
        """Return the module that the thread was in, or else its caller's."""
        if self._crash is None:
            return None
        if self._process is None or not self._registers:
            # on other systems it may be the address that was accessed
            at = self._crash.raised.address
            is_code = self._system.platform == "windows"
            return self._module_at(at, at, is_caller=False) if is_code else None
        architecture = self._process.architecture
        at = self._registers[architecture.counter]
        if (found := self._module_at(at, at, is_caller=False)) is not None:
            return found
        caller = caller_of_nothing(self._process, self._registers)
        if caller is None:
            return None
        at = caller[architecture.counter]
        return self._module_at(at - architecture.call, at, is_caller=True)

    def _crashed_thread(self, crash: Crash) -> Thread:
        own = (thread for thread in self._threads if thread.id == crash.thread)
        return next(own, Thread(crash.thread, (0, 0), tables.NO_STACK))

    def _registers_at(self, crash: Crash) -> Registers:
        """Return the registers of the exception, or else those of its thread."""
        own = (0, 0) if self._crashed is None else self._crashed.context
        return self._read_registers(crash.context) or self._read_registers(own)

    def _read_registers(self, context: Place) -> Registers:
        if self._process is None:
            return {}
        read = partial(tables.registers, self._dump, self._process.architecture, context)
        return self._dump.attempt(read, {})

    def _thread(self, thread: Thread, most: int) -> dict[str, Any]:
        is_crashed = thread is self._crashed
        if is_crashed:
            registers = self._registers
        else:
            is_writer = thread.id == self._writer
            registers = {} if is_writer else self._read_registers(thread.context)
        frames = [*islice(self._walk(registers), most + 1)]
        if is_crashed and len(frames) == 1 and self._lacks_stack():
            self.left_out.append(f"thread {thread.id}: its stack is not in the minidump")
        if len(frames) > most:
            self.left_out.append(f"thread {thread.id}: the frames after the first {most}")
        return {
            "id": thread.id,
            "name": self._names.get(thread.id),
            "is_crashed": is_crashed,
            "frames": [self._frame(n, frame) for n, frame in enumerate(frames[:most])],
        }

    def _lacks_stack(self) -> bool:
        if self._process is None or not self._registers:
            return False
        pointer = self._registers[self._process.architecture.stack]
        return not self._process.memory.has(pointer)

    def _walk(self, registers: Registers) -> Iterator[Frame]:
        return iter(()) if self._process is None else walk(self._process, registers)

    def _frame(self, number: int, frame: Frame) -> dict[str, Any]:
        found: dict[str, Any] = {"frame": number, "trust": frame.trust} | _NOWHERE
        found["address"] = hex(frame.instruction)
        module = self._modules.at(frame.instruction)
        if module is None:
            return found
        offset = frame.instruction - module.base
        found |= {"module": module.name, "module_offset": hex(offset)}
        if module.debug_id is not None:
            self.debug_ids.setdefault(module.debug_id, module)
        located = self._symbols.locate(module, offset)
        if not located:
            return found
        *inlines, outermost = located
        return found | {
            "function": outermost.function,
            "function_offset": hex(outermost.offset),
            "file": outermost.file,
            "line": outermost.line,
            "inlines": [
                {"function": each.function, "file": each.file, "line": each.line}
                for each in inlines
            ],
        }

    def _module_at(self, at: int, pointer: int, *, is_caller: bool) -> dict[str, Any] | None:
        module = self._modules.at(at)
        if module is None:
            return None
        return {
            "name": module.name,
            "offset": f"{pointer - module.base:#x}",
            "is_caller": is_caller,
        }


def _process(
    dump: MinidumpFile,
    system: System,
    modules: Modules,
    threads: Sequence[Thread],
    symbols: "ProcessSymbols",
) -> Process | None:
    architecture = ARCHITECTURES.get(system.architecture or "")
    if architecture is None:
        return None
    memory = tables.memory(dump, system, threads)
    return Process(architecture, system.platform, modules, memory, symbols)
