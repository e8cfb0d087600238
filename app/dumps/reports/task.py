"""Reports: what minidumps say, read after the upload, and again when symbols arrive."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, Row, and_, func, select, update

from app import clock
from app.accounts import quota
from app.accounts.identity import Identity
from app.database import Database
from app.dumps import modules, rows
from app.dumps.entities import Dump
from app.dumps.flood import rows as flood_rows
from app.dumps.minidump.file import Unreadable
from app.dumps.reports.reader import DumpReader
from app.dumps.rules import rows as rule_rows
from app.dumps.rules.task import Naming
from app.dumps.signatures import life
from app.dumps.tables import dumps
from app.errors import InvalidRequest, NotFound, ObjectDamaged
from app.objects.entities import Content
from app.objects.reading import contents
from app.objects.tables import objects as object_rows
from app.processes.pool import ChildFailed
from app.stacks.modules import Module
from app.symbols import rows as symbol_rows
from app.tasks.supervisor import Task

BATCH: Final = 16
CLAIM: Final = 10 * clock.MINUTE
"""How long a claim keeps other processes away: longer than a batch can take."""

_NOTHING: Final[dict[str, Any]] = dict.fromkeys(
    ("platform", "architecture", "exception", "module", "signature")
)


@dataclass(frozen=True, slots=True)
class Unread:
    """A dump whose minidump is to be read, for the first time or again."""

    id: int
    account_id: int
    is_again: bool
    content: Content


@dataclass(frozen=True, slots=True)
class Found:
    """What reading a dump has found: its columns, its modules, the symbols that were used."""

    unread: Unread
    values: dict[str, Any]
    modules: Sequence[Module] = ()
    symbols: Sequence[int] = ()
    revision: int = 0
    """Of the account's rules that made the signature."""


class Reports(Task):
    """Reads minidumps: new ones first, then those that symbols have arrived for.

    The report of one that can't be read says why. ``kept_for`` is how long symbols live that no
    report uses.
    """

    name = "reports"

    def __init__(
        self,
        database: Database,
        reader: DumpReader,
        naming: Naming,
        *,
        kept_for: int | None,
        wake_sweep: Callable[[], None],
    ) -> None:
        super().__init__()
        self._database = database
        self._reader = reader
        self._naming = naming
        self._kept_for = kept_for
        self._wake_sweep = wake_sweep

    async def run_once(self, now: int) -> int:
        """Read a batch, one by one: uploads need the processors more."""
        batches = await self._database.write(modules.reread, now)
        claimed = await self._database.write(claim, now)
        found: list[Found] = []
        errors = []
        for unread in claimed:
            try:
                found.append(await self._read(unread))
            except NotFound:  # just deleted or replaced
                continue
            except Exception as error:  # noqa: BLE001 - raised below; the others are kept first
                errors.append(error)
        dropped = [await self._database.write(keep, each, self._kept_for, now) for each in found]
        if any(dropped):
            self._wake_sweep()
        if errors:
            raise ExceptionGroup(
                "some minidumps could not be read, and will be tried again", errors
            )
        return len(claimed) + batches

    async def next_due(self, now: int) -> int | None:
        del now
        return await self._database.read(next_due)

    async def _read(self, unread: Unread) -> Found:
        """Return what fills a dump's columns; raises when its bytes can't be had for now."""
        try:
            read = await self._reader.read(unread.account_id, unread.content)
        except (Unreadable, ChildFailed, ObjectDamaged) as error:
            reason = json.dumps({"error": str(error)})
            return Found(unread, _NOTHING | {"report_state": "failed", "report": reason})
        report = read.reading.report
        exception, module = report["exception"], report["crashing_module"]
        text = json.dumps(report)
        signature, revision = await self._naming.name(
            unread.account_id, text, read.reading.signature
        )
        values = {
            "report_state": "read",
            "report": text,
            "platform": report["platform"],
            "architecture": report["architecture"],
            "exception": None if exception is None else exception["name"],
            "module": None if module is None else module["name"],
            "signature": signature,
        }
        return Found(unread, values, read.reading.modules, read.symbols, revision)


def claim(connection: Connection, now: int) -> list[Unread]:
    """Claim a batch of minidumps that no process is reading; those to be read again come last."""
    is_new = and_(dumps.c.report_state == "pending", dumps.c.report_claimed_until <= now)
    claimed = _claim(connection, is_new, dumps.c.report_claimed_until, dumps.c.id, now)
    if claimed:
        return _unread(connection, claimed, is_again=False)
    is_again = dumps.c.reread_at <= now
    claimed = _claim(connection, is_again, dumps.c.reread_at, dumps.c.id.desc(), now)
    return _unread(connection, claimed, is_again=True)


def _claim(
    connection: Connection,
    is_due: ColumnElement[bool],
    until: Column[Any],
    then_by: ColumnElement[int],
    now: int,
) -> Sequence[int]:
    due = (
        select(dumps.c.id)
        .where(is_due)
        .order_by(until, then_by)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    taken = update(dumps).where(dumps.c.id.in_(due)).values({until.name: now + CLAIM})
    return connection.execute(taken.returning(dumps.c.id)).scalars().all()


def _unread(connection: Connection, ids: Sequence[int], *, is_again: bool) -> list[Unread]:
    found = connection.execute(
        select(dumps.c.id, dumps.c.account_id, *contents.content_columns(with_data=False))
        .select_from(dumps.join(object_rows))
        .where(dumps.c.id.in_(ids))
        .order_by(dumps.c.id)
    )
    return [Unread(row.id, row.account_id, is_again, contents.content_of(row[2:])) for row in found]


def keep(connection: Connection, found: Found, kept_for: int | None, now: int) -> bool:
    """Keep a report, unless its dump has been replaced meanwhile; one that failed replaces none.

    It is read again where the rules for its signature have changed. Returns whether the dump's
    bytes were dropped, since there are enough alike.
    """
    unread, values = found.unread, found.values
    quota.lock_account(connection, unread.account_id)
    if values.get("signature") and found.revision != _revision(connection, unread.account_id):
        until = "reread_at" if unread.is_again else "report_claimed_until"
        due = dumps.c[until].is_not(None)  # it may have been replaced by what is no minidump
        again = update(dumps).where(dumps.c.id == unread.id, due).values({until: now})
        connection.execute(again)
        return False
    if unread.is_again and values["report_state"] == "failed":
        values = {}
    before = connection.execute(_before.where(dumps.c.id == unread.id)).first()
    name = values.get("signature")
    is_new = name is not None and life.find(connection, unread.account_id, name) is None
    expected = (
        and_(dumps.c.report_state == "read", dumps.c.reread_at.is_not(None))
        if unread.is_again
        else dumps.c.report_state == "pending"
    )
    kept = connection.execute(
        update(dumps)
        .where(dumps.c.id == unread.id, dumps.c.object_id == unread.content.object_id, expected)
        .values(report_claimed_until=None, reread_at=None, **values)
    )
    if kept.rowcount and values:
        modules.keep(connection, unread.account_id, unread.id, found.modules)
        symbol_rows.note_use(connection, found.symbols, kept_for, now)
        assert before is not None, "it was updated"
        _note(connection, found, before, now, is_new=is_new)
        if before.unread:
            return flood_rows.drop_if_enough(connection, unread.account_id, unread.id, now)
    return False


def _revision(connection: Connection, account_id: int) -> int:
    return rule_rows.of_account(connection, account_id).revision


_before: Final = select(
    dumps.c.uuid,
    dumps.c.signature,
    dumps.c.version,
    dumps.c.created_at,
    dumps.c.report.is_(None).label("unread"),
)


def _note(
    connection: Connection, found: Found, before: Row[Any], now: int, *, is_new: bool
) -> None:
    """Note what a dump is for its signature; one that is only read again is no crash more."""
    account_id, name = found.unread.account_id, found.values["signature"]
    if before.unread and name is not None:
        platform = found.values["platform"]
        crash = life.Crash(before.uuid, name, before.version, platform, before.created_at)
        life.crashed(connection, account_id, crash, now, is_new=is_new)
    elif before.signature != name:
        life.renamed(connection, account_id, before.signature, name if is_new else None)


def begin_again(connection: Connection, identity: Identity, uuid: str, now: int) -> Dump:
    """Have a minidump read again; raises `NotFound`, and `InvalidRequest` for what is none."""
    quota.lock_account(connection, identity.account_id)
    dump = rows.find(connection, identity, uuid, now)
    if dump.report_state == "none":
        raise InvalidRequest("The dump is no minidump")
    dump.require_bytes()
    connection.execute(
        update(dumps)
        .where(dumps.c.id == dump.number)
        .values(report_state="pending", report_claimed_until=0, reread_at=None)
    )
    return rows.find(connection, identity, uuid, now)


def next_due(connection: Connection) -> int | None:
    """Return when the next minidump is due to be read, in microseconds; 0: at once."""
    first: int | None = connection.execute(
        select(func.min(dumps.c.report_claimed_until)).where(dumps.c.report_state == "pending")
    ).scalar()
    again: int | None = connection.execute(
        select(func.min(dumps.c.reread_at)).where(dumps.c.reread_at.is_not(None))
    ).scalar()
    moments = (first, again, modules.next_batch(connection))
    return min((moment for moment in moments if moment is not None), default=None)
