"""The postfix notation of rules for unwinding, evaluated over registers and memory."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

LOAD: Final = "^"
"""The operator that takes an address, and gives what is there."""

_MAX_WORDS: Final = 128


class Undefined(Exception):
    """An expression has no value: it is wrong, or needs what isn't known."""


class Machine:
    """Evaluates expressions; ``word`` returns the number at an address, or None."""

    def __init__(self, word: Callable[[int], int | None], mask: int) -> None:
        self._word = word
        self._mask = mask

    def value(self, words: Sequence[str], names: Mapping[str, int]) -> int | None:
        """Return the value of an expression, in which names may have a dollar before them."""
        stack: list[int] = []
        try:
            if len(words) > _MAX_WORDS:
                return None
            for word in words:
                if word == LOAD:
                    stack.append(self.load(stack.pop()))
                elif word in OPERATORS:
                    right = stack.pop()
                    stack.append(self.apply(word, stack.pop(), right))
                else:
                    found = names.get(word.removeprefix("$"))
                    stack.append(self.number(word) if found is None else found)
        except (Undefined, IndexError):
            return None
        return stack[0] if len(stack) == 1 else None

    def load(self, address: int) -> int:
        """Return the number at an address; raises `Undefined`."""
        found = self._word(address)
        if found is None:
            raise Undefined
        return found

    def apply(self, operator: str, left: int, right: int) -> int:
        """Return the result of an operator; raises `Undefined`."""
        try:
            return OPERATORS[operator](left, right) & self._mask
        except ZeroDivisionError:
            raise Undefined from None

    def number(self, word: str) -> int:
        """Return the value of a number; raises `Undefined`."""
        try:
            return int(word) & self._mask
        except ValueError:
            raise Undefined from None


def _align(value: int, to: int) -> int:
    if to == 0 or to & (to - 1):
        raise Undefined
    return value & -to


OPERATORS: Final[Mapping[str, Callable[[int, int], int]]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "@": _align,
}
