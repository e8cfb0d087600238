"""An account's own rules for signatures, which come before those of `rules.txt`.

In the same language: sections, in which each line is a regular expression for the plain name of a
function, as a whole and in any case. Lines of ``[group]`` end with the name of the group::

    [ignore]
    acme::log::.*
    [prefix]
    acme::Pool::.*
    [group]
    acme::(read|write)_\\w+ => acme I/O
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MAX_LINES: Final = 200
MAX_LINE: Final = 200
"""Limits on the rules of an account; of a line in characters."""

_ARROW: Final = " => "
_SECTION: Final = re.compile(r"\[(ignore|prefix|group)\]")

Patterns = Sequence[re.Pattern[str]]


class WrongRule(ValueError):
    """A line that is no rule; the message says which, and why."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"Line {line}: {reason}")


@dataclass(frozen=True, slots=True)
class OwnRules:
    """Rules that have been read."""

    ignore: Patterns = ()
    """Functions that are left out."""
    prefix: Patterns = ()
    """Functions that are named together with who called them."""
    group: Sequence[tuple[re.Pattern[str], str]] = ()
    """Functions that go by the name of a group."""

    def ignores(self, name: str) -> bool:
        """Tell whether a function is left out."""
        return any(pattern.fullmatch(name) for pattern in self.ignore)

    def goes_through(self, name: str) -> bool:
        """Tell whether a function is named together with who called it."""
        return any(pattern.fullmatch(name) for pattern in self.prefix)

    def group_of(self, name: str) -> str | None:
        """Return the name of a function's group: that of the first line that has it."""
        return next((name_of for pattern, name_of in self.group if pattern.fullmatch(name)), None)


NONE: Final = OwnRules()


def read(text: str) -> OwnRules:
    """Read rules; raises `WrongRule`."""
    found: dict[str, list[re.Pattern[str]]] = {"ignore": [], "prefix": [], "group": []}
    names: list[str] = []
    section: str | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if number > MAX_LINES:
            raise WrongRule(number, f"there may be up to {MAX_LINES} lines")
        if len(line) > MAX_LINE:
            raise WrongRule(number, f"a line may have up to {MAX_LINE} characters")
        line = line.strip()  # noqa: PLW2901 - as it is meant
        if not line or line.startswith("#"):
            continue
        if heading := _SECTION.fullmatch(line):
            section = heading[1]
            continue
        if section is None:
            raise WrongRule(number, "begin with a section: [ignore], [prefix] or [group]")
        if section == "group":
            line, name = _parted(number, line)  # noqa: PLW2901 - likewise
            names.append(name)
        found[section].append(_compiled(number, line))
    group = list(zip(found["group"], names, strict=True))
    return OwnRules(found["ignore"], found["prefix"], group)


def _parted(number: int, line: str) -> tuple[str, str]:
    pattern, arrow, name = (part.strip() for part in line.rpartition(_ARROW))
    if not (arrow and pattern and name):
        raise WrongRule(number, "write a group as `pattern => name`")
    return pattern, name


def _compiled(number: int, pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern, re.IGNORECASE)
    except (re.error, OverflowError, RecursionError) as error:
        raise WrongRule(number, f"no regular expression: {error}") from None
