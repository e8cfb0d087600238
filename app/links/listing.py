"""Lists of an account's timelinks: by what they lead to, sorted; bounded as those of files are."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, false, func, select

from app.accounts.identity import Identity
from app.database.pagination import SORTED, Page, before_of, page_of
from app.database.search import contains
from app.database.sorting import Order, by_end, sorted_ids
from app.links import rows
from app.links.entities import LIST, LinkSort, Timelink, Wanted
from app.links.expiry import downloads_taken
from app.links.tables import timelinks
from app.links.targets import Targets


def page(
    connection: Connection,
    identity: Identity,
    targets: Targets,
    wanted: Wanted,
    limit: int,
    cursor: str | None,
    now: int,
) -> Page[Timelink]:
    """Return a page of the account's links."""
    own = rows.own_links(identity, targets, now)
    links = own.where(*_conditions(connection, identity, targets, wanted, now))
    if wanted.sort is LinkSort.NEWEST and not wanted.text:
        newest = links.where(timelinks.c.id < before_of(LIST, cursor))
        found = connection.execute(newest.order_by(timelinks.c.id.desc()).limit(limit + 1)).all()
        return page_of(
            LIST, found, limit, lambda row: rows.timelink_of(row, now), lambda row: int(row.id)
        )
    some = select(timelinks.c.id).where(timelinks.c.account_id == identity.account_id)
    links = links.where(timelinks.c.id.in_(some.order_by(timelinks.c.id.desc()).limit(SORTED)))
    ids, next_cursor = sorted_ids(connection, links, _order(wanted.sort, now), limit, cursor)
    listed = connection.execute(own.where(timelinks.c.id.in_(ids)))
    found_by_id = {row.id: rows.timelink_of(row, now) for row in listed}
    return Page([found_by_id[id_] for id_ in ids], next_cursor)


def _order(sort: LinkSort, now: int) -> Order:
    list_name = f"{LIST} by {sort}"
    if sort is LinkSort.ENDS:
        return by_end(list_name, timelinks.c.id, timelinks.c.expires_at)
    key = downloads_taken(now) if sort is LinkSort.USED else timelinks.c.id
    return Order(list_name, timelinks.c.id, key, descends=True)


def _conditions(
    connection: Connection, identity: Identity, targets: Targets, wanted: Wanted, now: int
) -> list[ColumnElement[Any]]:
    conditions: list[ColumnElement[Any]] = []
    if wanted.text:
        name = func.coalesce(*(target.name for target in targets.tables.values()))
        conditions.append(contains(name, wanted.text))
    if wanted.target_type is not None:
        conditions.append(timelinks.c.kind == wanted.target_type)
        if wanted.target_id is not None:
            kind, public_id = wanted.target_type, wanted.target_id
            target = targets.find(connection, identity, kind, public_id, now)
            is_to_it = false() if target is None else timelinks.c.target_id == target.id
            conditions.append(is_to_it)
    if wanted.only_active is not None:
        active = rows.is_active(identity.tier, targets, now)
        conditions.append(active if wanted.only_active else ~active)
    return conditions
