"""The rules of `rules.txt`: which frames a signature leaves out, and which it goes through."""

import re
from pathlib import Path
from typing import Final


def _read(text: str) -> dict[str, re.Pattern[str]]:
    patterns: dict[str, list[str]] = {}
    for line in filter(None, text.splitlines()):
        if line.startswith("["):
            section = patterns.setdefault(line.strip("[]"), [])
        elif not line.startswith("#"):
            section.append(line)
    return {name: re.compile("|".join(found), re.I) for name, found in patterns.items()}


_RULES: Final = _read(Path(__file__).with_name("rules.txt").read_text())

OUT_OF_MEMORY: Final = _RULES["out of memory"]
"""Of what runs when there is no memory."""

ASSERTION: Final = _RULES["assertion"]
"""Of what runs when an assertion fails."""

IRRELEVANT: Final = _RULES["irrelevant"]
"""Functions that are left out, as those above are."""

PREFIX: Final = _RULES["prefix"]
"""Functions that are named together with who called them."""

PREFIX_MODULES: Final = _RULES["prefix modules"]
"""Modules that came with the system, whose functions are."""
