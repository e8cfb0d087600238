"""Changes of files: their names, their lifetimes, and what their links allow."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, update

from app import clock
from app.accounts import quota
from app.accounts.identity import Identity
from app.files import eviction, rows
from app.files.entities import File
from app.files.tables import files
from app.links import bounds
from app.links import rows as links
from app.links.entities import LinkOptions, NewLink
from app.objects.preconditions import Preconditions

_OPTIONS: Final = ("max_downloads", "password_hash", "note")


def change(
    connection: Connection,
    identity: Identity,
    uuid: str,
    facts: Mapping[str, Any],
    link: NewLink,
    conditions: Preconditions,
    max_files: int,
    now: int,
) -> tuple[File, int]:
    """Change the facts of a file that are given; returns it and how many others it has evicted.

    ``link`` becomes its own if it has none but needs one.
    """
    quota.lock_account(connection, identity.account_id)
    current = rows.current(connection, identity, uuid, conditions, now)
    seconds: int | None = facts.get("expires_in")
    expires_at: int | None = current.expires_at
    if seconds is not None:
        expires_at = now + seconds * clock.SECOND if seconds else None
    options = {name: facts[name] for name in _OPTIONS if name in facts}
    own = links.find_own(connection, "file", current.id, now)
    needs_link = own is None and any(value is not None for value in options.values())
    evicted = 0
    if seconds is not None:
        has_link = links.follow(connection, "file", current.id, expires_at, now)
        needs_link = needs_link or (expires_at is not None and not has_link)
        if expires_at is not None:
            evicted = eviction.evict_first(
                connection, identity.account_id, max_files - 1, now, spared=current.id
            )
    if needs_link or (seconds is not None and (seconds or own is not None)):
        left = None if expires_at is None else (expires_at - now) // clock.SECOND
        bounds.check_lifetime(identity.tier, left, "expires_in")
    if own is not None:
        links.change_own(connection, identity.tier, own, options)
    elif needs_link:
        link = replace(link, options=links.bounded(identity.tier, LinkOptions(**options)))
        rows.give_link(connection, identity, current.id, link, expires_at, now)
    columns: dict[str, Any] = {"modified_at": now, "expires_at": expires_at}
    columns["name"] = facts.get("name", current.name)
    connection.execute(update(files).where(files.c.id == current.id).values(columns))
    return rows.find(connection, identity, uuid, now), evicted
