"""Symbols as the rest of the service knows them; times in UTC microseconds, sizes in bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.objects.entities import Content, Received

KIND: Final = "symbols"
CACHE_KIND: Final = "symcaches"


class NoSymbols(Exception):
    """A file has no symbols that can be read; the message says why."""


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """What an object in a symbol file is; a file for several architectures has several."""

    number: int
    """Its place in the file."""
    debug_file: str | None
    """The name of the file, where that is said in it."""
    debug_id: str
    """A GUID and an age in hex, as Breakpad writes them."""
    code_id: str | None
    arch: str
    form: str
    """Such as ``elf`` or ``breakpad``."""
    features: tuple[str, ...]
    """Of ``debug``, ``symtab``, ``unwind`` and ``sources``, those that it has."""


@dataclass(frozen=True, slots=True)
class Symbols:
    """Symbols that are kept: one object of a file."""

    number: int
    uuid: str
    name: str
    """Of the file."""
    debug_file: str
    debug_id: str
    code_id: str | None
    arch: str
    form: str
    features: Sequence[str]
    state: str
    """``pending``: a cache is still to be made of it, ``ready``, or ``failed``."""
    error: str | None
    created_at: int
    used_at: int
    expires_at: int | None
    content: Content
    """Of the file."""


@dataclass(frozen=True, slots=True)
class NewFile:
    """A symbol file that has been received, and what is in it."""

    name: str
    identities: Sequence[FileIdentity]
    received: Received


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions on symbols, all of which must hold; None: no condition."""

    debug_file: str | None = None
    debug_id: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a debugger asks a symbol server for: a file by an id, of one of some kinds."""

    debug_id: str | None = None
    code_id: str | None = None
    forms: frozenset[str] = frozenset()
    """Such as ``pdb``; none: any."""
    feature: str | None = None
    """What it must have, such as ``debug``."""


@dataclass(frozen=True, slots=True)
class Zipped:
    """A file in a ZIP, as the directory describes it."""

    name: str
    place: int
    """Of its local header."""
    is_deflated: bool
    compressed: int
    """Bytes that it takes in the archive."""


def debug_file_of(name: str) -> str:
    """Return the name of the module that a file with separate symbols is for."""
    return name.removesuffix(".debug").removesuffix(".dbg").removesuffix(".sym") or name


def debug_id_of(sent: str) -> str:
    """Return a debug id as it is kept: in capitals, without dashes."""
    return sent.replace("-", "").upper()
