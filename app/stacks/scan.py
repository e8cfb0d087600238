"""Unwinding by a scan of the stack for what may be a return address.

This is the last resort: it may find what an earlier call has left behind.
"""

from typing import Final

from app.stacks.frames import Frame, Process, Registers

_WORDS: Final = 40
_WORDS_OF_SURE: Final = 160  # after a frame that is sure, whose function may have a large frame
_LARGEST_FRAME: Final = 128 * 1024  # bytes


def caller(process: Process, frame: Frame) -> Registers | None:
    """Return the caller's registers, or None."""
    architecture = process.architecture
    stack = frame.registers.get(architecture.stack)
    if stack is None:
        return None
    words = _WORDS_OF_SURE if frame.trust in {"context", "cfi"} else _WORDS
    for place in range(stack, stack + words * architecture.width, architecture.width):
        value = process.word(place)
        if value is None:
            return None
        if value and process.is_code(value):
            found = {
                architecture.counter: process.code(value),
                architecture.stack: place + architecture.width,
            }
            pointer = _frame_pointer(process, frame, stack, place)
            return found if pointer is None else found | {architecture.frame: pointer}
    return None


def _frame_pointer(process: Process, frame: Frame, stack: int, place: int) -> int | None:
    """Return the frame pointer of a caller whose return address is at ``place``.

    It was pushed below that, or is still in its register.
    """
    architecture = process.architecture
    known = frame.registers.get(architecture.frame)
    if architecture.link is not None or place == stack:
        return None
    below = place - architecture.width
    pushed = process.word(below)
    may_be_pushed = known == below or architecture.name == "x86"
    if may_be_pushed and pushed is not None and place < pushed <= below + _LARGEST_FRAME:
        return pushed if process.memory.has(pushed) else None
    return known if known is not None and known > place and process.memory.has(known) else None
