"""Unwinding by the records of 32-bit Windows, ``STACK WIN`` in Breakpad's symbol files.

One has a program in postfix notation that assigns to registers, or says how large the frame is. In
both, parameters that a callee was given belong to the caller's frame.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from app.stacks import postfix
from app.stacks.frames import Frame, Process, Registers
from app.stacks.postfix import Undefined

_WIDTH: Final = 4
_OUTPUT: Final = ("eip", "esp", "ebp", "ebx", "esi", "edi")
_REST: Final = 12  # the words before the program
_MAX_WORDS: Final = 256


@dataclass(frozen=True, slots=True)
class Record:
    """A record: sizes in bytes, and a program, or whether the frame pointer was pushed."""

    parameters: int
    saved: int
    local: int
    program: str | None
    has_pushed: bool


def parse(line: str) -> Record | None:
    """Return the record of a line, or None."""
    words = line.split(None, _REST)
    if len(words) <= _REST:
        return None
    try:
        parameters, saved, local = (int(word, 16) for word in words[7:10])
    except ValueError:
        return None
    has_program, rest = words[11] == "1", words[_REST]
    return Record(parameters, saved, local, rest if has_program else None, rest.strip() == "1")


def caller(
    process: Process, frame: Frame, record: Record, callee_parameters: int
) -> Registers | None:
    """Return the caller's registers, or None; ``callee_parameters`` are bytes."""
    try:
        if record.program is None:
            return _by_size(process, frame, record, callee_parameters)
        return _by_program(process, frame, record, callee_parameters)
    except (Undefined, KeyError):
        return None


def _by_size(process: Process, frame: Frame, record: Record, callee_parameters: int) -> Registers:
    stack = frame.registers["esp"]
    place = stack + record.local + record.saved + callee_parameters
    counter = _word(process, place)
    if frame.trust == "context" and counter == frame.registers["eip"]:  # left by a system call
        place += _WIDTH
        counter = _word(process, place)
    registers = {"eip": counter, "esp": place + _WIDTH}
    if record.has_pushed:
        pushed = stack + callee_parameters + record.saved - 2 * _WIDTH
        return registers | {"ebp": _word(process, pushed)}
    kept = {name: frame.registers[name] for name in ("ebp", "ebx") if name in frame.registers}
    return registers | kept


def _by_program(
    process: Process, frame: Frame, record: Record, callee_parameters: int
) -> Registers:
    words = [*_words(record.program or "")]
    mask = process.architecture.mask
    stack, pointer = frame.registers["esp"], frame.registers["ebp"]
    search = stack + record.local + record.saved + callee_parameters
    if "@" in words:  # the frame is aligned, so that only its pointer tells where it begins
        search = pointer + _WIDTH
    known = {name: frame.registers.get(name) for name in ("esp", "ebp", "ebx")}
    variables = {f"${name}": value for name, value in known.items() if value is not None} | {
        ".cbParams": record.parameters, ".cbCalleeParams": callee_parameters,
        ".cbSavedRegs": record.saved, ".cbLocals": record.local,
        ".raSearch": search & mask, ".raSearchStart": search & mask,
    }  # fmt: skip
    _run(postfix.Machine(process.word, mask), words, variables)
    found = {name: variables[f"${name}"] for name in _OUTPUT if f"${name}" in variables}
    if "eip" not in found or "esp" not in found:
        raise Undefined
    return found


def _words(program: str) -> Iterator[str]:
    for word in program.split():
        if word.startswith("=") and len(word) > 1:  # some writers leave out the blank
            yield from ("=", word[1:])
        else:
            yield word


def _run(machine: postfix.Machine, words: list[str], variables: dict[str, int]) -> None:
    """Run a program, which assigns to ``variables``; raises `Undefined`, `KeyError`."""
    if len(words) > _MAX_WORDS:
        raise Undefined
    stack: list[int | str] = []

    def take() -> int:
        value = stack.pop()
        return variables[value] if isinstance(value, str) else value

    try:
        for word in words:
            if word == "=":
                value, name = take(), stack.pop()
                if not isinstance(name, str):
                    raise Undefined
                variables[name] = value
            elif word == postfix.LOAD:
                stack.append(machine.load(take()))
            elif word in postfix.OPERATORS:
                right, left = take(), take()
                stack.append(machine.apply(word, left, right))
            else:
                is_name = word.startswith(("$", "."))
                stack.append(word if is_name else machine.number(word))
    except IndexError:
        raise Undefined from None


def _word(process: Process, place: int) -> int:
    found = process.word(place)
    if found is None:
        raise Undefined
    return found
