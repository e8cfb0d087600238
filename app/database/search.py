"""Search for the newest rows that match, within a bounded number of rows.

Any column can be searched so (`find_newest`), and one with a trigram index in longer lists.

The differences between PostgreSQL (pg_trgm) and SQLite (FTS5) are here. Neither must sort
thousands of hits. FTS5 returns its rows newest first. PostgreSQL returns them in no order, so the
newest rows are looked at one by one, which fills a page with what is found often, and the index is
asked for what is rare.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    column,
    literal_column,
    or_,
    select,
    table,
)

BUDGET: Final = 20_000
"""Rows that are looked at, at most, for one page."""

SHORTEST: Final = 3
"""Characters of the shortest text that the index can find."""

_GROWTH: Final = 4

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Found(Generic[P]):
    """Places of rows that match, in order; all before ``stopped_at`` have been looked at.

    A place is the row's id, or what else a list is sorted by.
    """

    ids: Sequence[P]
    stopped_at: P | None
    """None: enough was found, or there is nothing more to look at."""

    def page(self, limit: int) -> tuple[Sequence[P], P | None]:
        """Return up to ``limit`` of the places, and that after which the next page begins, if any.

        One more place than ``limit`` has been looked for.
        """
        shown = self.ids[:limit]
        return shown, shown[-1] if len(self.ids) > limit else self.stopped_at


@dataclass(frozen=True, slots=True)
class Indexed:
    """A table with an index over its column ``search``.

    Its texts consist of letters and digits, and begin with a mark of three characters that is the
    account's own.
    """

    table: Table

    @property
    def fts(self) -> str:
        """The virtual table that is the index on SQLite."""
        return f"{self.table.name}_search"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A query: rows of an account, with ids between two others, that contain a text.

    ``condition`` makes further conditions on the columns of the table, or of a subquery.
    """

    account_id: int
    mark: str
    text: str
    after: int
    before: int
    condition: Callable[[Any], ColumnElement[bool]]


def walk(
    look: Callable[[P, int], Sequence[Any]], before: P, count: int, *, budget: int = BUDGET
) -> Found[P]:
    """Look at rows, newest first, until ``count`` match or the budget is spent.

    ``look(before, size)`` returns up to ``size`` rows from ``before`` down, each as its place and
    whether it matches.
    """
    ids: list[P] = []
    size, left = count, max(budget, count)
    while True:
        size = min(size, left)
        rows = look(before, size)
        ids += [row[0] for row in rows if row[1]]
        if len(ids) >= count or len(rows) < size:
            return Found(ids[:count], None)
        before, left = rows[-1][0], left - size
        if left == 0:
            return Found(ids, before)
        size *= _GROWTH


def contains(names: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """Return the condition that names contain a text, whatever its case.

    SQLite knows the case of ASCII letters alone: of others, the usual ways to write them are tried.
    """
    ways = {text} if text.isascii() else {text, text.lower(), text.upper(), text.capitalize()}
    return or_(*(names.icontains(way, autoescape=True) for way in sorted(ways)))


def find_newest(
    connection: Connection,
    rows: Table,
    account_id: int,
    condition: ColumnElement[bool],
    before: int,
    count: int,
) -> Found[int]:
    """Find the ids of an account's newest rows, below ``before``, for which a condition holds."""

    def look(below: int, size: int) -> Sequence[Any]:
        some = select(rows.c.id, condition.label("hit")).where(
            rows.c.account_id == account_id, rows.c.id < below
        )
        return connection.execute(some.order_by(rows.c.id.desc()).limit(size)).all()

    return walk(look, before, count)


def search(connection: Connection, indexed: Indexed, wanted: Wanted, count: int) -> Found[int]:
    """Return the ``count`` newest rows that contain a text of at least `SHORTEST` characters."""
    if connection.dialect.name == "sqlite":
        return _search_sqlite(connection, indexed, wanted, count)
    return _search_postgres(connection, indexed.table, wanted, count)


def _search_sqlite(
    connection: Connection, indexed: Indexed, wanted: Wanted, count: int
) -> Found[int]:
    rows = indexed.table
    index = table(indexed.fts, column("rowid"), column(indexed.fts))
    phrases = f'"{wanted.mark}" AND "{wanted.text}"'

    def look(before: int, size: int) -> Sequence[Any]:
        hit = wanted.condition(rows.c).label("hit")
        # an outer join, so that the index is asked first, which gives its rows in order
        matching = (
            select(index.c.rowid, hit)
            .select_from(index.outerjoin(rows, rows.c.id == index.c.rowid))
            .where(index.c[indexed.fts].op("MATCH")(phrases))
            .where(index.c.rowid < before, index.c.rowid > wanted.after)
            .order_by(index.c.rowid.desc())
            .limit(size)
        )
        return connection.execute(matching).all()

    return walk(look, wanted.before, count)


def _search_postgres(connection: Connection, rows: Table, wanted: Wanted, count: int) -> Found[int]:
    pattern = f"%{wanted.text}%"
    newest = (
        select(rows)
        .where(rows.c.account_id == wanted.account_id)
        .where(rows.c.id < wanted.before, rows.c.id > wanted.after)
        .order_by(rows.c.id.desc())
        .limit(BUDGET)
        .subquery()
    )
    often = (
        select(newest.c.id)
        .where(newest.c.search.like(pattern), wanted.condition(newest.c))
        .order_by(newest.c.id.desc())
        .limit(count)
    )
    ids = connection.execute(often).scalars().all()
    if len(ids) == count:
        return Found(ids, None)
    # the index holds this expression of the account; with the bare columns the planner might
    # rather walk through the account's rows in order, or read all their places first
    account = literal_column(f"({rows.name}.account_id + 0)", rows.c.account_id.type)
    id_ = literal_column(f"({rows.name}.id + 0)", rows.c.id.type)
    seldom = (
        select(rows.c.id)
        .where(account == wanted.account_id, rows.c.search.like(pattern))
        .where(and_(id_ < wanted.before, id_ > wanted.after), wanted.condition(rows.c))
        .order_by(id_.desc())
        .limit(count)
    )
    return Found(connection.execute(seldom).scalars().all(), None)
