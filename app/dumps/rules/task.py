"""Rules at work: signatures of new dumps, and of those that are there when rules change."""

import structlog

from app import clock
from app.database import Database
from app.dumps.rules import naming, rows
from app.dumps.rules.entities import Rules
from app.processes.pool import ChildFailed, ChildPool
from app.tasks.supervisor import Task

log = structlog.get_logger(__name__)


class Naming:
    """Makes signatures by the rules of accounts."""

    def __init__(self, database: Database, children: ChildPool) -> None:
        self._database = database
        self._children = children

    async def name(
        self, account_id: int, report: str, by_default: str | None
    ) -> tuple[str | None, int]:
        """Return the signature of a report in JSON, and the revision of the rules that made it.

        ``by_default`` is its signature by the built-in rules alone.
        """
        rules = await self._database.read(rows.of_account, account_id)
        if not rules.in_force:
            return by_default, rules.revision
        try:
            (found,) = await self._children.run(naming.names, rules.in_force, [report])
        except ChildFailed as error:
            await self.turn_off(account_id, rules, error)
            return by_default, rules.revision + 1
        return found, rules.revision

    async def names_of(self, batch: rows.Batch) -> list[str | None] | None:
        """Return the signatures of dumps; None: their account's rules took too long, and are off.

        A report that can't be had keeps its signature, with those of its batch.
        """
        reports = [dump.report for dump in batch.dumps]
        try:
            return await self._children.run(naming.names, batch.rules.in_force, reports)
        except ChildFailed as error:
            if not batch.rules.in_force:
                log.warning("signatures can't be made again", reason=str(error))
                return [dump.signature for dump in batch.dumps]
            await self.turn_off(batch.account_id, batch.rules, error)
            return None

    async def turn_off(self, account_id: int, rules: Rules, error: ChildFailed) -> None:
        """Stop using an account's rules."""
        log.warning("an account's rules for signatures are off", reason=str(error))
        await self._database.write(rows.turn_off, account_id, rules.revision, clock.now())


class ApplyRules(Task):
    """Applies rules that have changed to the dumps that are there, the newest first."""

    name = "rules"

    def __init__(self, database: Database, names: Naming) -> None:
        super().__init__()
        self._database = database
        self._names = names

    async def run_once(self, now: int) -> int:
        """Apply the rules of an account to a batch of its dumps."""
        del now
        batch = await self._database.read(rows.next_batch, naming.BATCH)
        if batch is None:
            return 0
        names = await self._names.names_of(batch)
        if names is not None:
            await self._database.write(rows.keep, batch, names)
        return 1
