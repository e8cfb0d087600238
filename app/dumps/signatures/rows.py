"""Signatures as rows: the transactions that list, find and change them."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, func, select, true, tuple_, update

from app.accounts import quota
from app.accounts.identity import Identity
from app.database.pagination import Page, decode_cursor, encode_cursor
from app.database.search import walk
from app.dumps import counts
from app.dumps.entities import Filters
from app.dumps.signatures.entities import (
    DAY,
    RECENT,
    Details,
    Listed,
    Signature,
    Sort,
    State,
    Wanted,
)
from app.dumps.tables import signature_counts, signatures
from app.dumps.versions import newest_first
from app.errors import InvalidCursor, InvalidRequest, NotFound

_COLUMNS: Final = tuple(Signature.__dataclass_fields__)
_columns: Final = tuple(signatures.c[name] for name in _COLUMNS)
_KEYS: Final = {
    Sort.NAME: signatures.c.name,
    Sort.LAST_SEEN: signatures.c.last_seen_at,
    Sort.FIRST_SEEN: signatures.c.first_seen_at,
    Sort.COUNT: signatures.c.count,
}
_LOWER: Final = str.maketrans({letter: letter.lower() for letter in map(chr, range(65, 91))})

Place = tuple[Any, int] | None
"""What a list is sorted by, and the id; None: before the first."""


def page(
    connection: Connection,
    identity: Identity,
    wanted: Wanted,
    limit: int,
    cursor: str | None,
    now: int,
) -> Page[Listed]:
    """Return a page of the account's signatures; one that takes too long to fill ends early."""
    key, own = _KEYS[wanted.sort], signatures.c.account_id == identity.account_id
    list_name = f"signatures by {wanted.sort}"
    is_ascending = wanted.sort is Sort.NAME
    hit = _hit(wanted).label("hit")

    def look(after: Place, size: int) -> Sequence[tuple[Place, bool]]:
        rows = select(key, signatures.c.id, hit).where(own).limit(size)
        if after is not None:
            place, there = tuple_(key, signatures.c.id), tuple_(*after)
            rows = rows.where(place > there if is_ascending else place < there)
        order = (key, signatures.c.id) if is_ascending else (key.desc(), signatures.c.id.desc())
        return [((row[0], row[1]), row[2]) for row in connection.execute(rows.order_by(*order))]

    found = walk(look, _place(list_name, cursor, wanted.sort), limit + 1)
    shown, stopped_at = found.page(limit)
    ids = [place[1] for place in shown if place is not None]
    listed = _listed(connection, identity, ids, now)
    if stopped_at is None:
        return Page(listed, None)
    value, number = stopped_at
    return Page(listed, encode_cursor(list_name, f"{number} {value}"))


def find(connection: Connection, identity: Identity, uuid: str) -> Signature:
    """Return a signature; raises `NotFound`."""
    return _signature(_row(connection, identity, uuid))


def find_details(
    connection: Connection, identity: Identity, uuid: str, filters: Filters, days: int, now: int
) -> Details:
    """Return a signature with the counts of its dumps that pass the filters; raises `NotFound`."""
    signature = find(connection, identity, uuid)
    filters = replace(filters, signature=signature.name)
    return Details(signature, counts.count(connection, identity, filters, days, now))


def find_named(connection: Connection, identity: Identity, name: str) -> Signature | None:
    """Return the signature of this name, if there is one."""
    own = signatures.c.account_id == identity.account_id
    row = connection.execute(select(*_columns).where(own, signatures.c.name == name)).first()
    return None if row is None else _signature(row)


def has_any(connection: Connection, identity: Identity) -> bool:
    """Tell whether the account has a signature."""
    own = select(signatures.c.id).where(signatures.c.account_id == identity.account_id)
    return connection.execute(own.limit(1)).first() is not None


def change(
    connection: Connection, identity: Identity, uuid: str, changes: Mapping[str, Any], now: int
) -> Signature:
    """Change a signature's state, the version that has the fix, or its note.

    Raises `NotFound`, and `InvalidRequest` for a version of what isn't resolved.
    """
    quota.lock_account(connection, identity.account_id)
    row = _row(connection, identity, uuid)
    state = State(changes.get("state", row.state))
    if changes.get("resolved_in") is not None and state is not State.RESOLVED:
        raise InvalidRequest(
            "Only a resolved signature has it: change its state to `resolved`, too",
            errors=[{"loc": ["body", "resolved_in"], "msg": f"The signature is {state}"}],
        )
    values = dict(changes) | {"modified_at": now}
    if "state" in changes or "resolved_in" in changes:
        is_resolved = state is State.RESOLVED
        values |= {
            "resolved_in": changes.get("resolved_in"),
            "resolved_at": now if is_resolved else None,
            "regressed_in": None,
            "regressed_at": None,
        }
    connection.execute(update(signatures).where(signatures.c.uuid == row.uuid).values(values))
    return find(connection, identity, uuid)


def _hit(wanted: Wanted) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = [true()]
    if wanted.state is not None:
        conditions.append(signatures.c.state == wanted.state)
    if wanted.q:
        part = wanted.q.translate(_LOWER)  # as the databases do it
        conditions.append(func.lower(signatures.c.name).contains(part, autoescape=True))
    return and_(*conditions)


def _place(list_name: str, cursor: str | None, sort: Sort) -> Place:
    position = decode_cursor(list_name, cursor, str)
    if position is None:
        return None
    number, _, value = position.partition(" ")
    try:
        return (value if sort is Sort.NAME else _integer(value)), _integer(number)
    except ValueError:
        raise InvalidCursor from None


def _integer(text: str) -> int:
    value = int(text)
    if not -(2**62) < value < 2**62:
        raise ValueError(text)
    return value


def _listed(
    connection: Connection, identity: Identity, ids: Sequence[int], now: int
) -> list[Listed]:
    """Return signatures in the order of their ids, with what came in the last days."""
    rows = connection.execute(
        select(signatures.c.id, *_columns).where(signatures.c.id.in_(ids))
    ).all()
    found = {row.id: _signature(row[1:]) for row in rows}
    names = [signature.name for signature in found.values()]
    recent = _recent(connection, identity, names, now)
    gone: dict[str | None, list[counts.Expired]] = {}
    for dump in counts.expired(connection, identity, now):
        gone.setdefault(dump.signature, []).append(dump)

    def listed(signature: Signature) -> Listed:
        less = gone.get(signature.name, ())
        signature = replace(
            signature,
            count=signature.count - len(less),
            size=signature.size - sum(dump.size for dump in less),
            gone=signature.gone + len(less),
        )
        days, versions = recent[signature.name]
        today = now // DAY
        return Listed(
            signature,
            [days[day] for day in range(today - RECENT + 1, today + 1)],
            [(version, versions[version]) for version in newest_first(versions)],
        )

    return [listed(found[number]) for number in ids if number in found]


def _recent(
    connection: Connection, identity: Identity, names: Sequence[str], now: int
) -> dict[str, tuple[Counter[int], Counter[str]]]:
    """Return how many dumps came in the last days, of any signature: by day, and by version."""
    counted = signature_counts.c
    rows = connection.execute(
        select(counted.signature, counted.day, counted.version, func.sum(counted.count))
        .where(
            counted.account_id == identity.account_id,
            counted.signature.in_(names),
            counted.day > now // DAY - RECENT,
        )
        .group_by(counted.signature, counted.day, counted.version)
    )
    found: dict[str, tuple[Counter[int], Counter[str]]]
    found = defaultdict(lambda: (Counter(), Counter()))
    for name, day, version, count in rows.all():
        days, versions = found[name]
        days[day] += int(count)
        if version:
            versions[version] += int(count)
    return found


def _row(connection: Connection, identity: Identity, uuid: str) -> Any:  # noqa: ANN401 - a row
    own = signatures.c.account_id == identity.account_id
    row = connection.execute(select(*_columns).where(own, signatures.c.uuid == uuid)).first()
    if row is None:
        raise NotFound("No such signature")
    return row


def _signature(row: Any) -> Signature:  # noqa: ANN401 - of `_columns`
    values = dict(zip(_COLUMNS, row, strict=True))
    return Signature(**values | {"state": State(values["state"])})
