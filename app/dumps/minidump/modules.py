"""The modules of a minidump: the loaded ones, with the ids of their symbols, and former ones."""

import struct
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from app.dumps.minidump.file import MinidumpFile, Unreadable, printable
from app.dumps.minidump.tables import System
from app.stacks.architectures import APPLE
from app.stacks.modules import Module

_MAX_MODULES: Final = 4096
_MAX_NAME: Final = 512  # characters
_MAX_RECORD: Final = 2048  # bytes
_MODULES, _UNLOADED = 4, 14  # types of streams
_MODULE: Final = struct.Struct("<QIIII13III")
_MODULE_SIZE: Final = 108
_VERSION_SIGNATURE: Final = 0xFEEF04BD
_UNLOADED_HEAD: Final = struct.Struct("<III")
_UNLOADED_MODULE: Final = struct.Struct("<QIIII")
_PDB: Final = struct.Struct("<4s16sI")
_GUID: Final = 16  # bytes


@dataclass(frozen=True, slots=True)
class Unloaded:
    """A module that was loaded before."""

    name: str
    base: int
    size: int


def modules(dump: MinidumpFile, system: System) -> list[Module]:
    """Return the loaded modules."""
    found, unnamed, lost = [], 0, 0
    for entry in dump.entries(_MODULES, _MODULE_SIZE, _MAX_MODULES, "modules"):
        base, size, _, stamp, place, *version, record_size, record = _MODULE.unpack(
            entry[: _MODULE.size]
        )
        path = dump.text(place)
        unnamed += path is None
        name = _name(path)
        try:
            ids = _ids(dump.at(record, min(record_size, _MAX_RECORD), "id"), name)
        except Unreadable:
            lost += 1
            ids = _Ids()
        if system.platform == "windows" and stamp:
            ids.code_id = f"{stamp:08x}{size:x}"
        elif system.platform in APPLE and ids.debug_id is not None:
            ids.code_id = ids.debug_id[: 2 * _GUID].lower()
        found.append(
            Module(name, _version(version), system.address(base), size,
                   ids.debug_file, ids.debug_id, ids.code_id)
        )  # fmt: skip
    if unnamed:
        dump.damaged.append(f"names of modules: {unnamed} are outside the file")
    if lost:
        dump.damaged.append(f"ids of modules: {lost} are outside the file")
    return found


def unloaded(dump: MinidumpFile, system: System) -> list[Unloaded]:
    """Return the modules that were loaded before."""
    head = dump.stream(_UNLOADED, _UNLOADED_HEAD.size, "unloaded modules")
    if head is None:
        return []
    start, size, count = _UNLOADED_HEAD.unpack(head)
    if size < _UNLOADED_MODULE.size:
        raise Unreadable("unloaded modules: too short")
    found = []
    entries = dump.entries_after(_UNLOADED, start, count, size, _MAX_MODULES, "unloaded modules")
    for entry in entries:
        base, length, _, _, place = _UNLOADED_MODULE.unpack(entry[: _UNLOADED_MODULE.size])
        found.append(Unloaded(_name(dump.text(place)), system.address(base), length))
    return found


@dataclass(slots=True)
class _Ids:
    debug_file: str | None = None
    debug_id: str | None = None
    code_id: str | None = None


def _ids(record: bytes, name: str) -> _Ids:
    """Return what a CodeView record says of a module's symbols."""
    if record.startswith(b"RSDS") and len(record) >= _PDB.size:
        _, guid, age = _PDB.unpack(record[: _PDB.size])
        path = record[_PDB.size :].partition(b"\0")[0].decode("utf-8", "replace")
        return _Ids(_name(path), f"{_guid(guid)}{age:X}") if any(guid) else _Ids()
    if record.startswith(b"LEpB") and any(record[4:]):  # the build id of an ELF file
        build_id = record[4:]
        guid = build_id[:_GUID].ljust(_GUID, b"\0")
        return _Ids(name, f"{_guid(guid)}0", build_id.hex())
    return _Ids()


def _guid(data: bytes) -> str:
    return UUID(bytes_le=data).hex.upper()


def _name(path: str | None) -> str:
    last = (path or "").replace("\\", "/").rpartition("/")[2]
    return printable(last)[:_MAX_NAME] or "unnamed"


def _version(info: list[int]) -> str | None:
    magic, _, high, low, *_ = info
    if magic != _VERSION_SIGNATURE or not (high or low):
        return None
    return f"{high >> 16}.{high & 0xFFFF}.{low >> 16}.{low & 0xFFFF}"
