"""Placeholders and EXIF of pictures that were stored before pictures had any."""

from typing import Final

from sqlalchemy import Connection, select, update

from app.database import Database
from app.errors import (
    ContentTooLarge,
    InvalidRequest,
    NotFound,
    ObjectDamaged,
    UnsupportedMediaType,
)
from app.objects import contents
from app.objects.entities import Content
from app.objects.tables import objects as object_rows
from app.pictures.formats import Facts
from app.pictures.imaging import Imaging
from app.pictures.tables import pictures
from app.tasks.supervisor import Task

BATCH: Final = 16

_HOPELESS: Final = (InvalidRequest, UnsupportedMediaType, ContentTooLarge, ObjectDamaged)

_unseen = pictures.c.thumbhash.is_(None)


class Placeholders(Task):
    """Looks at stored pictures that have no placeholder, the newest first, one by one.

    Two processes may look at the same one, and find the same.
    """

    name = "placeholders"

    def __init__(self, database: Database, imaging: Imaging) -> None:
        super().__init__()
        self._database = database
        self._imaging = imaging

    async def run_once(self, now: int) -> int:
        del now
        batch = await self._database.read(unseen)
        for picture_id, content in batch:
            try:
                facts = await self._imaging.examine(content)
            except NotFound:  # just deleted
                continue
            except _HOPELESS:
                facts = None
            await self._database.write(keep, picture_id, facts)
        return len(batch)

    async def next_due(self, now: int) -> int | None:
        return now if await self._database.read(unseen, 1) else None


def unseen(connection: Connection, limit: int = BATCH) -> list[tuple[int, Content]]:
    """Return the ids of some pictures without a placeholder, with their content."""
    rows = connection.execute(
        select(pictures.c.id, *contents.content_columns(with_data=False))
        .select_from(pictures.join(object_rows))
        .where(_unseen)
        .order_by(pictures.c.id.desc())
        .limit(limit)
    )
    return [(row.id, contents.content_of(row[1:])) for row in rows]


def keep(connection: Connection, picture_id: int, facts: Facts | None) -> None:
    """Keep what has been found; None: nothing can be, so nobody looks again."""
    found = (
        {"thumbhash": b""}
        if facts is None
        else {"thumbhash": facts.thumbhash, "exif": facts.exif.to_json()}
    )
    connection.execute(update(pictures).where(pictures.c.id == picture_id, _unseen).values(found))
