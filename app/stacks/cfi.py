"""Unwinding by call frame information, in the form that Breakpad's symbol files have it.

``STACK CFI`` records give each register of the caller as an expression in postfix notation, over
the callee's registers and memory. The last record up to an address counts, for each register.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from app.stacks import postfix
from app.stacks.frames import Frame, Process, Registers

_CFA, _RA, _UNDEFINED = ".cfa", ".ra", ".undef"
_ALIASES: Final[Mapping[str, Mapping[str, str]]] = {
    "arm": {"fp": "r11", "r13": "sp", "r14": "lr", "r15": "pc"},
    "arm64": {"fp": "x29", "lr": "x30", "x31": "sp"},
}
_MAX_RULES: Final = 64


def caller(process: Process, frame: Frame, offset: int, lines: Sequence[str]) -> Registers | None:
    """Return the caller's registers by the records that cover an offset in a module, or None."""
    rules = _rules(offset, lines)
    if _CFA not in rules or len(rules) > _MAX_RULES:
        return None
    architecture = process.architecture
    if rules.get(_RA, [_UNDEFINED]) == [_UNDEFINED]:  # the outermost function has no caller
        return {architecture.counter: 0, architecture.stack: frame.registers[architecture.stack]}
    aliases = _ALIASES.get(architecture.name, {})
    known = {**frame.registers, **_named(aliases, frame.registers)}
    machine = postfix.Machine(process.word, architecture.mask)
    cfa = machine.value(rules.pop(_CFA), known)
    if cfa is None:
        return None
    known[_CFA] = cfa
    address = machine.value(rules.pop(_RA), known)
    if address is None:
        return None
    registers = {n: v for n, v in frame.registers.items() if n in architecture.saved}
    registers[architecture.stack] = cfa
    for name, expression in rules.items():
        own = aliases.get(name, name)
        value = machine.value(expression, known)
        if value is None:
            registers.pop(own, None)
        elif own in architecture.offsets:
            registers[own] = value
    registers[architecture.counter] = process.code(address)
    if architecture.name == "arm64":
        for pointer in ("x29", "x30"):
            if pointer in registers:
                registers[pointer] = process.code(registers[pointer])
    return registers


def _named(aliases: Mapping[str, str], registers: Registers) -> dict[str, int]:
    return {alias: registers[name] for alias, name in aliases.items() if name in registers}


def _rules(offset: int, lines: Sequence[str]) -> dict[str, list[str]]:
    """Return the expression of each register, of the first record and those that change it."""
    rules: dict[str, list[str]] = {}
    for number, line in enumerate(lines):
        words = line.split()[2:]  # after STACK CFI
        if number == 0:
            words = words[3:]  # INIT, an address, a size
        else:
            try:
                if int(words[0], 16) > offset:
                    break
            except (ValueError, IndexError):
                break
            words = words[1:]
        rules.update(_expressions(words))
    return rules


def _expressions(words: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    name, expression = None, list[str]()
    for word in words:
        if word.endswith(":"):
            if name is not None:
                yield name, expression
            name, expression = word[:-1].removeprefix("$"), []
        else:
            expression.append(word)
    if name is not None:
        yield name, expression
