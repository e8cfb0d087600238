"""Passwords that are easily guessed."""

import importlib.util
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

MIN_LENGTH: Final = 8
MAX_LENGTH: Final = 128
COMMON: Final = 10_000
"""How many of the most common passwords are refused."""


def refusal(password: str, names: Iterable[str]) -> str | None:
    """Return what is wrong with a new password; None: nothing.

    ``names`` are those of its account. The first call reads a file.
    """
    if "\0" in password or not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        return f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters"
    folded = password.casefold()
    if folded in {name.casefold() for name in names}:
        return "A password must be another than the user name or the email address"
    if folded in _common():
        return f"This is among the {COMMON:,} most common passwords, which are guessed first"
    return None


@cache
def _common() -> frozenset[str]:
    """Return those of the most common passwords that are long enough.

    They are from zxcvbn, whose lists are ordered by frequency. Only the module with its lists is
    run, and then dropped: importing the package would take 15 MiB.
    """
    package = importlib.util.find_spec("zxcvbn")
    assert package is not None
    assert package.origin is not None
    path = Path(package.origin).with_name("frequency_lists.py")
    lists = importlib.util.spec_from_file_location("frequency_lists", path)
    assert lists is not None
    assert lists.loader is not None
    module = importlib.util.module_from_spec(lists)
    lists.loader.exec_module(module)
    most_common = module.FREQUENCY_LISTS["passwords"][:COMMON]
    return frozenset(password for password in most_common if len(password) >= MIN_LENGTH)
