"""Symbol files in a child process: what they are, and the caches that are made of them.

The library for it has no wheels for musl and Windows; without it nothing can be read.
"""

import encodings.cp437  # noqa: F401 - of names in a ZIP; a confined child imports no more
import mmap
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, Final

from app.stacks import symbol_cache
from app.symbols.entities import FileIdentity, NoSymbols, Zipped

try:
    from symbolic._lowlevel import ffi
    from symbolic.debuginfo import Archive
    from symbolic.exceptions import SymbolicError
except (ImportError, OSError):  # there is no wheel for this host
    CAN_READ = False
else:
    CAN_READ = True

MAX_OBJECTS: Final = 16
MAX_ZIPPED: Final = 1000
"""Files that a ZIP may have."""

_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_MODULE: Final = re.compile(rb"MODULE \S+ \S+ \S+ ([^\r\n]+)")
_UUID: Final = 36  # characters
_NIL: Final = "0" * 32


def identify(file: BinaryIO) -> list[FileIdentity]:
    """Return what is in a symbol file; raises `NoSymbols`."""
    with _opened(file) as (archive, data):
        found = [
            _identity(number, each, data)
            for number, each in zip(range(MAX_OBJECTS), archive.iter_objects(), strict=False)
        ]
    known = [each for each in found if not each.debug_id.startswith(_NIL)]
    if not known:
        raise NoSymbols("it has no debug id, or no object at all")
    return known


def zip_directory(file: BinaryIO) -> list[Zipped]:
    """Return the files of a ZIP; raises `NoSymbols` for one that can't be read."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError) as error:
        raise NoSymbols(f"the ZIP can't be read: {error}") from None
    if len(entries) > MAX_ZIPPED:
        raise NoSymbols(f"a ZIP may have up to {MAX_ZIPPED} files")
    for entry in entries:
        if entry.compress_type not in _METHODS or entry.flag_bits & 1:
            raise NoSymbols(f"{entry.filename} is encrypted, or neither stored nor deflated")
    return [
        Zipped(
            entry.filename,
            entry.header_offset,
            entry.compress_type == zipfile.ZIP_DEFLATED,
            entry.compress_size,
        )
        for entry in entries
    ]


def make_cache(file: BinaryIO, number: int, debug_id: str, out: BinaryIO) -> None:
    """Write the cache of an object in a symbol file; raises `NoSymbols`."""
    with _opened(file) as (archive, data):
        found = next((o for n, o in enumerate(archive.iter_objects()) if n == number), None)
        if found is None or _identity(number, found, data).debug_id != debug_id:
            raise NoSymbols("it has no such object")
        reasons = []
        functions = rules = b""
        try:
            if found.features & {"debug", "symtab"}:
                functions = found.make_symcache().open_stream().read()
        except SymbolicError as error:
            reasons.append(f"functions: {error}")
        try:
            rules = found.make_cficache().open_stream().read()
        except SymbolicError as error:
            reasons.append(f"unwinding: {error}")
    if not functions and not rules:
        raise NoSymbols("; ".join(reasons) or "it has neither functions nor rules for unwinding")
    symbol_cache.write(out, functions, rules)


@contextmanager
def _opened(file: BinaryIO) -> Iterator[tuple[Any, mmap.mmap]]:
    if not CAN_READ:
        raise NoSymbols("this host can read no symbols")
    try:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError:
        raise NoSymbols("it is empty") from None
    try:
        archive = Archive.from_bytes(ffi.from_buffer("uint8_t[]", data))
    except SymbolicError as error:
        raise NoSymbols(str(error)) from None
    try:
        yield archive, data
    except SymbolicError as error:
        raise NoSymbols(str(error)) from None


def _identity(number: int, found: Any, data: mmap.mmap) -> FileIdentity:  # noqa: ANN401 - of symbolic
    form, debug_file = found.file_format, None
    if form == "breakpad" and (module := _MODULE.match(data[:4096])) is not None:
        debug_file = module[1].decode("utf-8", "replace").strip()
    return FileIdentity(
        number,
        debug_file,
        breakpad_id(found.debug_id),
        found.code_id,
        found.arch,
        form,
        tuple(sorted(found.features)),
    )


def breakpad_id(debug_id: str) -> str:
    """Return a debug id as Breakpad writes it, of the form that Sentry's library has."""
    guid, age = debug_id[:_UUID], debug_id[_UUID:].removeprefix("-")
    return f"{guid.replace('-', '')}{age or '0'}".upper()
