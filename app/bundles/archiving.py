"""Bundles in an archive of their owner's: each is a folder."""

from collections.abc import Sequence

from sqlalchemy import Connection

from app.accounts.identity import Identity
from app.archives.archive import Entry
from app.bundles import rows
from app.bundles.entities import MAX_MEMBERS
from app.bundles.members import Members
from app.errors import InvalidRequest


def entries(
    connection: Connection, identity: Identity, members: Members, uuids: Sequence[str], now: int
) -> list[Entry]:
    """Return all that is in bundles as entries of an archive, in this order.

    Raises `NotFound` if a bundle is gone, `InvalidRequest` for more than `MAX_MEMBERS` members, and
    `Forbidden` if an API key may not read what they point to.
    """
    found: list[Entry] = []
    kinds: set[str] = set()
    for uuid in dict.fromkeys(uuids):
        bundle = rows.find(connection, identity, members, uuid, now)
        if len(found) + bundle.count > MAX_MEMBERS:
            raise InvalidRequest(f"One archive may hold up to {MAX_MEMBERS:,} files of bundles")
        for member in members.all(connection, bundle.id, now):
            found.append(Entry(f"{bundle.name}/{member.name}", member.content))
            if member.target is not None:
                kinds.add(member.kind)
    for kind in sorted(kinds):
        identity.require(members.targets.tables[kind].scope)
    return found
