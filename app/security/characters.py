"""Characters that change the direction of text, by which one name looks like another (UTS #55)."""

import re
from typing import Final

_BIDI: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Embeddings, overrides and isolates (UAX #9); the marks for single characters may stay."""


def without_bidi(name: str) -> str:
    """Return the name that came with a file, without such characters."""
    return _BIDI.sub("", name)


def refuse_bidi(name: str) -> str:
    """Return a name that a user chose; raises `ValueError` if it has such characters."""
    if _BIDI.search(name):
        raise ValueError("A name can't hold characters that change its direction")
    return name
