"""Where in a takeout the contents of each table are, and what they are called."""

from collections.abc import Callable, Mapping
from typing import Final

from sqlalchemy import Table

from app.buffer.tables import buffers, past_clips
from app.bundles.tables import bundle_members
from app.dumps.tables import dump_attachments
from app.objects.file_names import picture_name
from app.pictures.tables import pictures
from app.symbols.tables import symbol_files
from app.takeout.rows import Record

Name = Callable[[Record], str]


def name_of(table: Table, record: Record) -> str:
    """Return the path of what a row owns."""
    name = _NAMES.get(table)
    return f"{table.name}/{_own_name(record)}" if name is None else name(record)


def _own_name(record: Record) -> str:
    return str(record.get("name") or record.get("original_name") or record["id"])


def _picture(record: Record) -> str:
    return f"pictures/{picture_name(_own_name(record), record['format'])}"


def _attachment(record: Record) -> str:
    return f"dumps/attachments/{record['dump_id']}/{_own_name(record)}"


def _member(record: Record) -> str:
    return f"bundles/{record['bundle_id']}/{record['name']}"


def _symbols(record: Record) -> str:
    return f"symbols/{_own_name(record)}"


def _buffer(record: Record) -> str:
    return f"buffer/{record['name'] or 'text.txt'}"


def _past_clip(record: Record) -> str:
    return f"buffer/before/{record['name'] or 'text.txt'}"


_NAMES: Final[Mapping[Table, Name]] = {
    pictures: _picture,
    bundle_members: _member,
    dump_attachments: _attachment,
    symbol_files: _symbols,
    buffers: _buffer,
    past_clips: _past_clip,
}
