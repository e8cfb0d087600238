"""Unwinding by frame pointers: each points at the caller's, which the return address follows."""

from typing import Final

from app.stacks.frames import Frame, Process, Registers

_WINDOWS_OFFSETS: Final = range(0, 256, 16)
"""Bytes by which a frame pointer on 64-bit Windows may point below the caller's."""

_HOLE: Final = range(1 << 47, 0xFFFF800000000000)  # no addresses of x86_64
_ARM64_CODE: Final = range(0x1000, 1 << 52)


def caller(process: Process, frame: Frame) -> Registers | None:
    """Return the caller's registers, or None where there is no frame pointer."""
    name = process.architecture.name
    if name == "arm" and process.platform != "ios":  # elsewhere each compiler has its own
        return None
    pointer = frame.registers.get("r7" if name == "arm" else process.architecture.frame)
    stack = frame.registers.get(process.architecture.stack)
    if pointer is None or stack is None:
        return None
    if pointer == 0 and process.architecture.link is not None:  # the end of the stack
        return {process.architecture.counter: 0, process.architecture.stack: stack}
    is_windows = name == "x86_64" and process.platform == "windows"
    for offset in _WINDOWS_OFFSETS if is_windows else (0,):
        if (found := _saved_at(process, pointer + offset, stack)) is not None:
            return found
    return None


def _saved_at(process: Process, place: int, stack: int) -> Registers | None:
    """Return the registers of the caller whose frame pointer was saved at an address."""
    architecture = process.architecture
    width = architecture.width
    pointer, counter = process.word(place), process.word(place + width)
    if pointer is None or counter is None:
        return None
    counter, after = process.code(counter), place + 2 * width
    if architecture.name == "x86_64":
        is_ordered = after > stack and pointer >= after
        if not is_ordered or counter in _HOLE or not process.memory.has(pointer):
            return None
    if architecture.name == "arm64":
        pointer = process.code(pointer)
        if counter not in _ARM64_CODE:
            return None
    found = {architecture.counter: counter, architecture.stack: after}
    return found | {"r7" if architecture.name == "arm" else architecture.frame: pointer}
