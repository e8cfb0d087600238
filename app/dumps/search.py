"""Filters on dumps: by fields, by their reports, and by any substring of their texts.

Texts are folded before they are compared: case is dropped, and each separator becomes a letter of
the Vai script, since a trigram index may know letters and digits alone.
"""

import unicodedata
from collections.abc import Iterable
from functools import partial
from itertools import islice
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Select, and_, or_, select

from app import clock
from app.database.search import SHORTEST, Found, Indexed, Wanted, search, walk
from app.dumps.entities import Filters
from app.dumps.tables import dumps

_INDEXED: Final = Indexed(dumps)
_SEPARATORS: Final = {c: 0xA500 + c for c in range(128) if not chr(c).isalnum()}  # of the Vai
_MARKS: Final = 0xE000  # for private use
_MARK_VALUES: Final = 6400
_VALUE_LENGTH: Final = 4096  # characters of a text that can be found
_LENGTH: Final = 32_768  # of all texts of a dump
_FEW: Final = 2_000
_INDICES: Final = ("signature", "label", "version")
_EQUAL: Final = (*_INDICES, "platform", "architecture", "exception", "module")
# rows get their ids when they are committed, their times a little sooner
_DISORDER: Final = 10 * clock.MINUTE


def searchable(account_id: int, texts: Iterable[str | None]) -> str:
    """Return the value of the column ``search`` for a dump with these texts."""
    folded = (fold(text[:_VALUE_LENGTH]) for text in texts if text)
    return _mark(account_id) + fold("\n") + fold("\n").join(folded)[:_LENGTH]


def fold(text: str) -> str:
    """Return a text folded: letters and digits, without case."""
    composed = unicodedata.normalize("NFC", text)
    return unicodedata.normalize("NFC", composed.casefold()).translate(_SEPARATORS)


def find(
    connection: Connection, account_id: int, filters: Filters, before: int, count: int, now: int
) -> Found[int]:
    """Find the ids of an account's newest dumps, below ``before``, that pass the filters.

    The work is bounded: where few of many pass, it stops early and says where.
    """
    after, before = _span(connection, account_id, filters, before)
    text = "" if filters.q is None else fold(filters.q)
    condition = partial(_condition, filters, now)

    def look(below: int, size: int) -> Any:  # noqa: ANN401 - rows
        hit = condition(dumps.c)
        if text:
            hit = and_(hit, dumps.c.search.like(f"%{text}%"))
        rows = select(dumps.c.id, hit.label("hit")).where(
            _own(account_id, filters), dumps.c.id < below, dumps.c.id > after
        )
        return connection.execute(rows.order_by(dumps.c.id.desc()).limit(size)).all()

    if len(text) < SHORTEST:
        return walk(look, before, count)
    if any(getattr(filters, name) is not None for name in _INDICES):  # which may be few
        found = walk(look, before, count, budget=_FEW)
        if len(found.ids) == count or found.stopped_at is None:
            return found
    wanted = Wanted(account_id, _mark(account_id), text, after, before, condition)
    return search(connection, _INDEXED, wanted, count)


def _own(account_id: int, filters: Filters) -> ColumnElement[bool]:
    """Return the condition that one index answers: the account, and a signature or the like."""
    wanted = ((name, getattr(filters, name)) for name in _INDICES)
    given = (dumps.c[name] == value for name, value in wanted if value is not None)
    return and_(dumps.c.account_id == account_id, *islice(given, 1))


def _condition(filters: Filters, now: int, columns: Any) -> ColumnElement[bool]:  # noqa: ANN401
    """Return the filters as a condition on ``columns``; NULL where a column is NULL."""
    wanted = [or_(columns.expires_at.is_(None), columns.expires_at > now)]
    for name in _EQUAL:
        value = getattr(filters, name)
        if value is not None:
            wanted.append(columns[name] == value)
    if filters.archived is not None:
        wanted.append(columns.archived.is_(filters.archived))
    if filters.since is not None:
        wanted.append(columns.created_at >= filters.since)
    if filters.until is not None:
        wanted.append(columns.created_at <= filters.until)
    return and_(*wanted)


def _span(
    connection: Connection, account_id: int, filters: Filters, before: int
) -> tuple[int, int]:
    """Return ids between which all dumps of the wanted time lie."""
    after = 0
    own = select(dumps.c.id).where(dumps.c.account_id == account_id).limit(1)
    made = dumps.c.created_at
    if filters.since is not None:
        older = own.where(made < filters.since - _DISORDER).order_by(made.desc())
        after = _first(connection, older, 0)
    if filters.until is not None:
        newer = own.where(made > filters.until + _DISORDER).order_by(made)
        before = min(before, _first(connection, newer, before))
    return after, before


def _first(connection: Connection, ids: Select[Any], default: int) -> int:
    found: int | None = connection.execute(ids).scalar()
    return default if found is None else found


def _mark(account_id: int) -> str:
    """Return three characters, one trigram of the index, that stand for an account."""
    values = (account_id // _MARK_VALUES**place % _MARK_VALUES for place in (2, 1, 0))
    return "".join(chr(_MARKS + value) for value in values)
