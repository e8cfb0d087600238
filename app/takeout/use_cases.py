"""An account's takeout: its contents in folders by their kinds, and its rows as lines of JSON."""

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Final

from isal.isal_zlib import crc32
from sqlalchemy import Table

from app import clock
from app.accounts.identity import Access
from app.archives.archive import Archive, Entry
from app.archives.names import unique_names
from app.database import Patience
from app.objects.entities import Content
from app.takeout.names import name_of
from app.takeout.rows import TAKEN, Taken, page

_FOLDER: Final = "account"
_BATCH: Final = 1000


class Takeout:
    """Makes the archives of whole accounts, one at a time: each needs 3 KiB for each object."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def archive(self, access: Access) -> Archive:
        """Return all that the caller's account keeps; the same as long as nothing is changed."""
        async with self._turn:
            taken = {table: await _collect(access, table) for table in TAKEN}
            return await asyncio.to_thread(_archive, taken)


async def _collect(access: Access, table: Table) -> Sequence[Taken]:
    """Return an account's rows of a table, a batch at a time: they may be very many."""
    taken: list[Taken] = []
    now, after = clock.now(), 0
    while True:
        with Patience():
            rows = await access.read_long(page, table, after, _BATCH, now)
        taken += rows
        if len(rows) < _BATCH:
            return taken
        after = rows[-1].record["id"]


def _archive(taken: Mapping[Table, Sequence[Taken]]) -> Archive:
    documents = [f"{_FOLDER}/{table.name}.jsonl" for table in taken]
    owned = [
        (row.record, Entry(name_of(table, row.record), row.content))
        for table, rows in taken.items()
        for row in rows
        if row.content is not None
    ]
    names = [*unique_names([*documents, *(entry.stored_name for _, entry in owned)])]
    for (record, _), name in zip(owned, names[len(documents) :], strict=True):
        record["path"] = name
    newest = max((entry.content.modified_at for _, entry in owned), default=0)
    texts = [
        Entry(name, _lines(rows, newest))
        for name, rows in zip(documents, taken.values(), strict=True)
    ]
    return Archive([*texts, *(entry for _, entry in owned)], names=names)


def _lines(rows: Sequence[Taken], modified_at: int) -> Content:
    """Return rows as lines of JSON (RFC 8259)."""
    data = b"".join(json.dumps(row.record, ensure_ascii=False).encode() + b"\n" for row in rows)
    sha256 = hashlib.sha256(data).digest()
    return Content(0, None, len(data), sha256, modified_at, data, crc32=crc32(data))
