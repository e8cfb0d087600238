"""The walk of a stack: from the frame that a thread was in, caller after caller, to its end."""

from collections.abc import Iterator
from typing import Final

from app.stacks import cfi, frame_pointers, scan, stack_win
from app.stacks.frames import Frame, Process, Registers, Trust
from app.stacks.modules import Module
from app.stacks.symbol_cache import CFI

_NULL_PAGE: Final = 0x1000


def walk(process: Process, registers: Registers) -> Iterator[Frame]:
    """Yield the frames of a thread with these registers, the innermost first.

    The walk ends where no caller can be found, or one that was there before.
    """
    counter = process.architecture.counter
    if counter not in registers:
        return
    frame = Frame("context", registers, registers[counter])
    seen = set()
    callee = None
    while True:
        yield frame
        seen.add((frame.registers[counter], frame.registers.get(process.architecture.stack)))
        following = _caller(process, frame, callee)
        if following is None:
            return
        callee, frame = frame, following
        if (frame.registers[counter], frame.registers[process.architecture.stack]) in seen:
            return


def _caller(process: Process, frame: Frame, callee: Frame | None) -> Frame | None:
    """Return the caller of a frame, whose own callee is needed for its parameters."""
    module = process.modules.at(frame.instruction)
    if module is not None:
        found = _by_rules(process, frame, module, callee)
        if found is not None:
            return _checked(process, frame, "cfi", found)
    elif frame.trust == "context":
        found = caller_of_nothing(process, frame.registers)
        if found is not None:
            return _checked(process, frame, "scan", found)
    found = frame_pointers.caller(process, frame)
    if found is not None:
        return _checked(process, frame, "frame_pointer", found)
    found = scan.caller(process, frame)
    return None if found is None else _checked(process, frame, "scan", found)


def _by_rules(
    process: Process, frame: Frame, module: Module, callee: Frame | None
) -> Registers | None:
    offset = frame.instruction - module.base
    rules = process.symbols.rules(module, offset)
    if rules is None or process.architecture.stack not in frame.registers:
        return None
    if rules.kind == CFI:
        return cfi.caller(process, frame, offset, rules.lines)
    if process.architecture.name != "x86" or (record := stack_win.parse(rules.lines[0])) is None:
        return None
    return stack_win.caller(process, frame, record, _parameters(process, callee))


def _parameters(process: Process, frame: Frame | None) -> int:
    """Return how many bytes of parameters a frame was given, as far as that is known."""
    module = None if frame is None else process.modules.at(frame.instruction)
    if frame is None or module is None:
        return 0
    rules = process.symbols.rules(module, frame.instruction - module.base)
    record = None if rules is None or rules.kind == CFI else stack_win.parse(rules.lines[0])
    return 0 if record is None else record.parameters


def caller_of_nothing(process: Process, registers: Registers) -> Registers | None:
    """Return the registers of what called an address outside all modules, such as null.

    Nothing has run since, so that the return address is where the call has put it, and all other
    registers are the caller's.
    """
    architecture = process.architecture
    stack = registers.get(architecture.stack)
    if stack is None:
        return None
    if architecture.link is None:
        address, after = process.word(stack), stack + architecture.width
    else:
        address, after = registers.get(architecture.link), stack
    if not address or not process.is_code(address):
        return None
    changed = {architecture.counter: process.code(address), architecture.stack: after}
    return {**registers, **changed}


def _checked(process: Process, callee: Frame, trust: Trust, registers: Registers) -> Frame | None:
    """Return the frame of a caller, unless its registers say that the stack has ended."""
    architecture = process.architecture
    counter, stack = registers[architecture.counter], registers[architecture.stack]
    before = callee.registers[architecture.stack]
    # on ARM, a function that calls no other one may need no stack, nor one that has just begun
    is_still = stack == before and architecture.link is not None
    has_moved = stack > before or (is_still and (callee.trust == "context" or trust == "cfi"))
    if counter < _NULL_PAGE or not has_moved or stack > architecture.mask:
        return None
    return Frame(trust, registers, counter - architecture.call)
