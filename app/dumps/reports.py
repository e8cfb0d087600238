"""Reports: what minidumps say, read in child processes after the upload."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from sqlalchemy import Connection, func, select, update

from app import clock
from app.database import Database
from app.dumps.minidump import reading
from app.dumps.minidump.file import Unreadable
from app.dumps.tables import dumps
from app.errors import NotFound, ObjectDamaged, ServiceUnavailable
from app.objects import contents
from app.objects.downloads import Downloads
from app.objects.entities import Content
from app.objects.tables import objects as object_rows
from app.processes.pool import ChildFailed, ChildPool
from app.tasks.supervisor import Task

BATCH: Final = 16
CLAIM: Final = 10 * clock.MINUTE
"""How long a claim keeps other processes away: longer than a batch can take."""

SECONDS: Final = 20.0
MEMORY: Final = 256 * 1024 * 1024
"""Limits on reading one minidump; memory in bytes."""

READER: Final = "app.dumps.minidump.reading"
"""The module that child processes import."""

_NOTHING: Final[dict[str, Any]] = dict.fromkeys(
    ("platform", "architecture", "exception", "module", "signature")
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Unread:
    """A dump whose minidump has not been read."""

    id: int
    content: Content


class Reports(Task):
    """Reads pending minidumps; the report of one that can't be read says why."""

    name = "reports"

    def __init__(self, database: Database, downloads: Downloads, children: ChildPool) -> None:
        super().__init__()
        self._database = database
        self._downloads = downloads
        self._children = children

    async def run_once(self, now: int) -> int:
        """Read a batch, one by one: uploads need the processors more."""
        claimed = await self._database.write(claim, now)
        found: list[tuple[Unread, dict[str, Any]]] = []
        errors = []
        for unread in claimed:
            try:
                found.append((unread, await self._read(unread)))
            except NotFound:  # just deleted or replaced
                continue
            except Exception as error:  # noqa: BLE001 - raised below; the others are kept first
                errors.append(error)
        if found:
            await self._database.write(keep, found)
        if errors:
            raise ExceptionGroup(
                "some minidumps could not be read, and will be tried again", errors
            )
        return len(claimed)

    async def next_due(self, now: int) -> int | None:
        del now
        return await self._database.read(next_due)

    async def _read(self, unread: Unread) -> dict[str, Any]:
        """Return the columns that a minidump fills; raises when its bytes can't be had for now."""
        try:
            report = await self._report(unread.content)
        except (Unreadable, ChildFailed, ObjectDamaged) as error:
            reason = json.dumps({"error": str(error)})
            return _NOTHING | {"report_state": "failed", "report": reason}
        exception, module = report["exception"], report["crashing_module"]
        return {
            "report_state": "read",
            "report": json.dumps(report),
            "platform": report["platform"],
            "architecture": report["architecture"],
            "exception": None if exception is None else exception["name"],
            "module": None if module is None else module["name"],
            "signature": reading.signature(report),
        }

    async def _report(self, content: Content) -> dict[str, Any]:
        async with self._downloads.local_file(content) as file:
            try:
                return await self._children.run(reading.read, file)
            except (Unreadable, ChildFailed, ServiceUnavailable):
                raise
            except Exception as error:
                log.exception("reading a minidump failed", key=content.key)
                raise Unreadable(f"reading it failed: {type(error).__name__}") from error


def claim(connection: Connection, now: int) -> list[Unread]:
    """Claim a batch of minidumps that no process has read or is reading."""
    due = (
        select(dumps.c.id)
        .where(dumps.c.report_state == "pending", dumps.c.report_claimed_until <= now)
        .order_by(dumps.c.report_claimed_until)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    claimed = update(dumps).where(dumps.c.id.in_(due)).values(report_claimed_until=now + CLAIM)
    ids = connection.execute(claimed.returning(dumps.c.id)).scalars().all()
    rows = connection.execute(
        select(dumps.c.id, *contents.content_columns(with_data=False))
        .select_from(dumps.join(object_rows))
        .where(dumps.c.id.in_(ids))
        .order_by(dumps.c.id)
    )
    return [Unread(row.id, contents.content_of(row[1:])) for row in rows]


def keep(connection: Connection, found: Sequence[tuple[Unread, dict[str, Any]]]) -> None:
    """Keep reports, but not those of dumps that have been replaced meanwhile."""
    for unread, values in found:
        connection.execute(
            update(dumps)
            .where(dumps.c.id == unread.id, dumps.c.object_id == unread.content.object_id)
            .where(dumps.c.report_state == "pending")
            .values(report_claimed_until=None, **values)
        )


def next_due(connection: Connection) -> int | None:
    """Return when the next minidump is due to be read, in microseconds; 0: at once."""
    moment: int | None = connection.execute(
        select(func.min(dumps.c.report_claimed_until)).where(dumps.c.report_state == "pending")
    ).scalar()
    return moment
