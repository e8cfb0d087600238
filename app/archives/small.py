"""The bytes of small members, which the database has, read a batch at a time."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, select

from app.database import Database, Patience
from app.errors import NotFound
from app.objects.entities import Content
from app.objects.tables import object_bytes

_BATCH: Final = 500
_BYTES: Final = 2 * 1024 * 1024


class SmallContents:
    """Fills in the data of contents that are asked for in their order."""

    def __init__(self, database: Database, contents: Sequence[Content]) -> None:
        self._database = database
        self._contents = contents
        self._read = range(0)
        self._data: dict[int, bytes] = {}

    async def filled(self, number: int) -> Content:
        """Return a content with its data, unless a store has that.

        Raises `NotFound` if it has just been deleted.
        """
        content = self._contents[number]
        if not _is_in_database(content):
            return content
        if number not in self._read:
            await self.read_from(number)
        data = self._data.get(content.object_id)
        if data is None:
            raise NotFound
        return content.filled(data)

    async def read_from(self, number: int) -> None:
        """Read what comes next from a member on: it stays then, even if that is deleted."""
        ids: set[int] = set()
        stop, left = number, _BYTES
        while stop < len(self._contents) and len(ids) < _BATCH and left > 0:
            content = self._contents[stop]
            if _is_in_database(content):
                ids.add(content.object_id)
                left -= content.size
            stop += 1
        self._read = range(number, stop)
        with Patience():  # these reads may be many, and are no wait of one request
            self._data = await self._database.read(read, [*ids]) if ids else {}


def read(connection: Connection, object_ids: Sequence[int]) -> dict[int, bytes]:
    """Return the data of small objects by their ids, of those that are still there."""
    rows = connection.execute(
        select(object_bytes.c.object_id, object_bytes.c.data).where(
            object_bytes.c.object_id.in_(object_ids)
        )
    )
    return {row.object_id: bytes(row.data) for row in rows}


def _is_in_database(content: Content) -> bool:
    return content.data is None and content.size > 0 and not content.stored
