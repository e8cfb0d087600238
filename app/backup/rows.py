"""Rows on their way to a snapshot and back: which tables, and how their values are written.

Numbers, texts, booleans and NULL are as in JSON, bytes are base64. Moments are numbers in either
database: UTC microseconds.
"""

import base64
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Table, select, tuple_

import app.features
import app.tasks.tables  # noqa: F401 - both for their tables
from app.backup import lines
from app.backup.errors import BackupError
from app.database.instance import instance
from app.database.schema import metadata
from app.database.transactions import Transaction
from app.dumps.tables import dump_counts, signature_counts, signatures
from app.objects.tables import holds, tombstones
from app.tasks.tables import daily, moves

LEFT_OUT: Final[Mapping[str, str]] = {
    instance.name: "a restored database gets an identity of its own, and a store that it marks",
    tombstones.name: "what is to be deleted isn't copied",
    holds.name: "leases of what is running",
    daily.name: "turns of tasks, which begin anew",
    dump_counts.name: "dumps are counted as they come back",
    signature_counts.name: "as dump_counts",
    moves.name: "a restored database has one store",
}
"""Tables that a snapshot lacks, and why; all others are in it."""

_COUNTED: Final[Mapping[str, Sequence[str]]] = {signatures.name: ("count", "size")}
"""Columns in which dumps are counted, too; a snapshot has zeros there."""

_BLOCK: Final = 1024 * 1024  # bytes of lines that are read at once, about
_FEWEST, _MOST = 8, 1000  # rows that are


def saved_tables() -> list[Table]:
    """Return the tables of a snapshot; one that refers to another comes after it."""
    return [table for table in metadata.sorted_tables if table.name not in LEFT_OUT]


class RowsOf:
    """The rows of a table as blocks of lines, by the primary key, counted as they are read."""

    def __init__(self, transaction: Transaction, table: Table) -> None:
        self.count = 0
        self._transaction = transaction
        self._table = table
        self._zeros = dict.fromkeys(_COUNTED.get(table.name, ()), 0)

    async def blocks(self) -> AsyncGenerator[bytes]:
        last: tuple[Any, ...] | None = None
        limit = _FEWEST
        while rows := await self._transaction.run(_batch, self._table, last, limit):
            block = lines.encode(_neutral(row) | self._zeros for row in rows)
            yield block
            self.count += len(rows)
            last = tuple(rows[-1][column.name] for column in self._table.primary_key)
            # rows with much in them are read a few at a time
            limit = min(max(_BLOCK * len(rows) // len(block), _FEWEST), _MOST)


def _batch(
    connection: Connection, table: Table, last: tuple[Any, ...] | None, limit: int
) -> list[dict[str, Any]]:
    key = tuple(table.primary_key)
    rows = select(table).order_by(*key).limit(limit)
    if last is not None:
        rows = rows.where(tuple_(*key) > last)
    return [dict(row) for row in connection.execute(rows).mappings()]


def _neutral(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: base64.b64encode(value).decode() if isinstance(value, bytes | memoryview) else value
        for name, value in row.items()
    }


def values_of(table: Table, records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows for a table, of the records that were made of them; raises `BackupError`."""
    binary = [column.name for column in table.c if column.type.python_type is bytes]
    names = {column.name for column in table.c}
    strange = BackupError(f"the rows of {table.name} don't fit the schema of their release")
    for record in records:
        if record.keys() != names:
            raise strange
        for name in binary:
            if record[name] is not None:
                try:
                    record[name] = base64.b64decode(record[name], validate=True)
                except ValueError:
                    raise strange from None
    return list(records)
