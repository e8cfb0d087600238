"""The names of files, as clients send them."""

import unicodedata
from collections.abc import Callable
from pathlib import PurePath
from typing import Final

from app.security.characters import refuse_bidi

MAX_NAME_LENGTH: Final = 255
MAX_PATH_LENGTH: Final = 1024

_ENDINGS: Final = {"jpeg": ("jpg", "jpeg"), "heic": ("heic", "heif")}
_MAX_SUFFIX: Final = 32  # characters; anything longer is no file extension


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


def is_storable(name: str) -> bool:
    """Tell whether a database can hold a name that somebody asks for."""
    return "\0" not in name and not any("\ud800" <= c <= "\udfff" for c in name)


def relative_name(sent: str) -> str:
    """Return a name that may be a relative path of ``/``; raises `ValueError`.

    Of any other path the last segment counts.
    """
    segments = [segment for segment in sent.split("/") if segment not in {"", "."}]
    if "\\" in sent or sent.startswith("/") or ".." in segments or not segments:
        return file_name(sent)
    name = "/".join(file_name(segment) for segment in segments)
    if len(name) > MAX_PATH_LENGTH:
        raise ValueError(f"A path may have up to {MAX_PATH_LENGTH} characters")
    return name


def picture_name(name: str, image_format: str) -> str:
    """Return the file name of a picture, whose name may have no ending."""
    endings = _ENDINGS.get(image_format, (image_format,))
    has_one = name.lower().endswith(tuple(f".{ending}" for ending in endings))
    return name if has_one else f"{name[: MAX_NAME_LENGTH - 5]}.{endings[0]}"


def free_name(
    name: str,
    is_taken: Callable[[str], bool],
    number: Callable[[int], str] = "_{}".format,
    longest: int = MAX_NAME_LENGTH,
) -> str:
    """Return a name that isn't taken: as given, or numbered before its extension.

    The number is the smallest free one if those in use have no gaps; finding it takes a number of
    steps that grows with its logarithm.
    """
    if not is_taken(name):
        return name
    ending = PurePath(name).suffix
    if len(ending) > _MAX_SUFFIX:
        ending = ""
    stem = name.removesuffix(ending)

    def numbered(n: int) -> str:
        end = f"{number(n)}{ending}"
        return stem[: longest - len(end)] + end

    taken, free = 0, 1
    while is_taken(numbered(free)):
        taken, free = free, free * 2
    while free - taken > 1:
        middle = (taken + free) // 2
        if is_taken(numbered(middle)):
            taken = middle
        else:
            free = middle
    return numbered(free)
