"""Names in archives: safe to unpack anywhere, and each there once."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Final

from app.security.characters import without_bidi

_MAX: Final = 255  # bytes of a name in most file systems
_MAX_EXTENSION: Final = 16  # characters; what is longer is no extension
_MAX_PATH: Final = 1024  # bytes of a whole path; macOS has no more
# what separates, what Windows has no names with, control characters and lone surrogates
_UNSAFE: Final = re.compile('[\x00-\x1f\x7f-\x9f\\\\:*?"<>|\ud800-\udfff]')
_DEVICES: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


def unique_names(names: Iterable[str]) -> Iterator[str]:
    """Yield a safe path for each name: relative, with ``/`` between folders.

    Of equal ones the second gets a suffix: ``a (2).txt``. Names that differ in case alone, or in
    how Unicode composes them, are equal on many file systems, and so they are here.
    """
    step = cache(_safe_step)  # most are in a few folders
    safe = [_safe(name, step) for name in names]
    taken = {_key(folder) for path in safe for folder in _folders(path)}
    numbers: dict[str, int] = {}
    for path in safe:
        key, name = _key(path), path
        while _key(name) in taken:
            numbers[key] = number = numbers.get(key, 1) + 1
            name = _numbered(path, number)
        taken.add(_key(name))
        yield name


def _safe(name: str, safe_step: Callable[[str], str]) -> str:
    steps = map(safe_step, name.replace("\\", "/").split("/"))
    path = [step for step in steps if step] or ["_"]
    while len(path) > 1 and len("/".join(path).encode()) > _MAX_PATH:
        del path[0]
    return "/".join(path)


def _safe_step(step: str) -> str:
    """Return one step of a path; empty if it leads nowhere."""
    step = _UNSAFE.sub("_", without_bidi(step)).rstrip(" .").lstrip(" ")
    if _DEVICES.fullmatch(step):
        step = f"_{step}"
    return _cut(step, "")


def _numbered(path: str, number: int) -> str:
    folder, slash, name = path.rpartition("/")
    return f"{folder}{slash}{_cut(name, f' ({number})')}"


def _cut(name: str, suffix: str) -> str:
    """Return a name with a suffix before its extension, cut to the bytes that it may have."""
    if not suffix and len(name.encode()) <= _MAX:
        return name
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension) > _MAX_EXTENSION:
        stem, dot, extension = name, "", ""
    ending = f"{suffix}{dot}{extension}"
    room = _MAX - len(ending.encode())
    return stem.encode()[:room].decode(errors="ignore") + ending


def _key(path: str) -> str:
    if path.isascii():
        return path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


def _folders(path: str) -> Iterator[str]:
    folder = path
    while folder := folder.rpartition("/")[0]:
        yield folder
