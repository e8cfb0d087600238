"""Changes of files: their names, their lifetimes, and what their links allow."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, update

from app.accounts import quota
from app.accounts.identity import Identity
from app.files import eviction, rows
from app.files.entities import File
from app.files.tables import files
from app.links import terms
from app.links.entities import NewLink
from app.objects.preconditions import Preconditions


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
    expires_at = terms.change(
        connection, identity, "file", current.id, current.expires_at, facts, link, now
    )
    evicted = 0
    if facts.get("expires_in"):
        evicted = eviction.evict_first(
            connection, identity.account_id, max_files - 1, now, spared=uuid
        )
    columns: dict[str, Any] = {"modified_at": now, "expires_at": expires_at}
    columns["name"] = facts.get("name", current.name)
    connection.execute(update(files).where(files.c.id == current.id).values(columns))
    return rows.find(connection, identity, uuid, now), evicted
