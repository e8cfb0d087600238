"""The names of files, as clients send them."""

import unicodedata
from typing import Final

from app.security.characters import refuse_bidi

MAX_NAME_LENGTH: Final = 255


def file_name(sent: str) -> str:
    """Return the last segment of a name, which may have been a path; raises `ValueError`."""
    name = sent.replace("\\", "/").rpartition("/")[2]
    if name in {"", ".", ".."}:
        raise ValueError("A file name is required")
    if len(name) > MAX_NAME_LENGTH:
        raise ValueError(f"A name may have up to {MAX_NAME_LENGTH} characters")
    if any(unicodedata.category(c) in {"Cc", "Cs"} for c in name):
        raise ValueError("A name can't hold control characters or lone surrogates")
    return refuse_bidi(name)
