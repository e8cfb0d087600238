"""Pictures that were stored before all was read of new ones that is now: each is looked at once."""

from typing import Any, Final

from sqlalchemy import Connection, delete, select, update

from app.accounts import quota
from app.database import Database
from app.errors import (
    ContentTooLarge,
    InvalidRequest,
    NotFound,
    ObjectDamaged,
    UnsupportedMediaType,
)
from app.objects import lifecycle as objects
from app.objects import removal
from app.objects.entities import Content
from app.objects.excerpts import to_json
from app.objects.reading import contents
from app.objects.tables import object_bytes
from app.objects.tables import objects as object_rows
from app.pictures.formats import Facts
from app.pictures.imaging import Imaging
from app.pictures.tables import pictures, thumbnails
from app.tasks.supervisor import Task

BATCH: Final = 16

_MAY_MOVE: Final = frozenset({"gif", "webp"})
"""Formats of pictures that may be animations."""

_HOPELESS: Final = (InvalidRequest, UnsupportedMediaType, ContentTooLarge, ObjectDamaged)

_unseen = pictures.c.bare.is_(None)


class Placeholders(Task):
    """Looks at stored pictures, the newest first, one by one.

    Two processes may look at the same one, and find the same. Thumbnails of those that may move
    were made when none did: they go, to be made anew when somebody looks.
    """

    name = "placeholders"

    def __init__(self, database: Database, imaging: Imaging) -> None:
        super().__init__()
        self._database = database
        self._imaging = imaging

    async def run_once(self, now: int) -> int:
        batch = await self._database.read(unseen)
        for picture_id, content in batch:
            try:
                facts = await self._imaging.examine(content)
            except NotFound:  # just deleted
                continue
            except _HOPELESS:
                facts = None
            await self._database.write(keep, picture_id, facts, now)
        return len(batch)

    async def next_due(self, now: int) -> int | None:
        return now if await self._database.read(unseen, 1) else None


def unseen(connection: Connection, limit: int = BATCH) -> list[tuple[int, Content]]:
    """Return the ids of some pictures that are to be looked at, with their content."""
    rows = connection.execute(
        select(pictures.c.id, *contents.content_columns())
        .select_from(pictures.join(object_rows).outerjoin(object_bytes))
        .where(_unseen)
        .order_by(pictures.c.id.desc())
        .limit(limit)
    )
    return [(row.id, contents.content_of(row[1:])) for row in rows]


def keep(connection: Connection, picture_id: int, facts: Facts | None, now: int) -> None:
    """Keep what has been found; None: nothing can be, so nobody looks again."""
    found: dict[str, Any] = {"thumbhash": b"", "bare": to_json([])}
    if facts is not None:
        exif = facts.exif.to_json()
        found = {"thumbhash": facts.thumbhash, "exif": exif, "bare": facts.bare}
    own = pictures.c.id == picture_id
    account_id = connection.execute(select(pictures.c.account_id).where(own, _unseen)).scalar()
    if account_id is None:  # deleted, or another process was quicker
        return
    quota.lock_account(connection, account_id)
    connection.execute(update(pictures).where(own, _unseen).values(found))
    if facts is not None and facts.format in _MAY_MOVE:
        still = (thumbnails.c.picture_id == picture_id) & (thumbnails.c.format == "webp")
        made = select(thumbnails.c.object_id).where(still, thumbnails.c.object_id.is_not(None))
        object_ids = list(connection.execute(made).scalars())
        connection.execute(delete(thumbnails).where(still))
        removal.remove_all(connection, object_ids, due_at=now + objects.GRACE)
