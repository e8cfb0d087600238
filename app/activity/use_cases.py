"""Activity: what accounts may read of what happened to them, and administrators of all."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager

from app.accounts.identity import Access
from app.activity import rows
from app.activity.entities import Entry, Filters, Newest
from app.changes import Changes
from app.database.pagination import Page


class Activity:
    """Reads the log of events, and listens to what is added."""

    def __init__(self, changes: Changes[Newest]) -> None:
        self._changes = changes

    async def page(
        self, access: Access, filters: Filters, limit: int, cursor: str | None
    ) -> Page[Entry]:
        """Return a page of the account's own log, newest first."""
        return await access.read_long(rows.page, filters, limit, cursor)

    async def page_of_all(
        self, access: Access, filters: Filters, limit: int, cursor: str | None
    ) -> Page[Entry]:
        """Return a page of all logs, or of one account's; raises `Forbidden`, and `NotFound`."""
        return await access.needing("admin").read_long(rows.page_of_all, filters, limit, cursor)

    @asynccontextmanager
    async def listen(
        self, access: Access, filters: Filters, after: str | None
    ) -> AsyncIterator[AsyncIterator[Sequence[Entry]]]:
        """Listen to the account's own log: what is added, and what came ``after`` an entry.

        Yields no entries when a check found nothing new. See `Changes.listen`.
        """
        last = None if after is None else await access.read(rows.number_of, after)
        async with self._changes.listen(access) as states:
            yield _added(access, states, filters, last)


async def _added(
    access: Access, states: AsyncIterator[Newest | None], filters: Filters, last: int | None
) -> AsyncGenerator[Sequence[Entry], None]:
    """Yield the entries that are new in each state.

    On PostgreSQL transactions may commit in another order than that of their ids, so that what was
    seen is told by all of the newest ids.
    """
    seen: frozenset[int] | None = None
    async for state in states:
        if state is None:
            yield ()
            continue
        if seen is None:
            seen = frozenset(n for n in state.ids if last is None or n <= last)
        new = [number for number in state.ids if number not in seen]
        seen = frozenset(state.ids)
        entries = await access.read(rows.these, new) if new else ()
        yield [entry for entry in entries if not filters.types or entry.type in filters.types]
