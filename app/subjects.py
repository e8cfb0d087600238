"""Which of the things that events are about are still there."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import Connection, Table, literal_column, or_, select, union_all

from app import clock
from app.accounts.identity import Access, Identity
from app.accounts.tables import api_keys
from app.bundles.tables import bundles
from app.dumps.tables import signatures
from app.events.entities import Subject
from app.events.tables import webhooks
from app.features import COUNTED
from app.files.tables import files
from app.pictures.tables import pictures

_LINKS, _OPEN = COUNTED["timelinks"]

TABLES: Final[Mapping[str, Table]] = {
    "bundle": bundles,
    "file": files,
    "inbox": COUNTED["inboxes"][0],
    "key": api_keys,
    "link": _LINKS,
    "picture": pictures,
    "signature": signatures,
    "webhook": webhooks,
}
"""Where things are, by the kinds of subjects."""


async def still_there(access: Access, subjects: Collection[Subject]) -> frozenset[tuple[str, str]]:
    """Return the kinds and ids of those subjects that the caller's account still has."""
    ids: dict[str, list[str]] = defaultdict(list)
    for subject in subjects:
        if subject.kind in TABLES:
            ids[subject.kind].append(subject.id)
    return await access.read(_existing, ids, clock.now()) if ids else frozenset()


def _existing(
    connection: Connection, identity: Identity, ids: Mapping[str, Collection[str]], now: int
) -> frozenset[tuple[str, str]]:
    selects = []
    for kind, wanted in ids.items():
        table = TABLES[kind]
        those = table.c.account_id == identity.account_id, table.c.uuid.in_(wanted)
        lives = []
        if table is _LINKS:
            lives = [_OPEN(now)]
        elif "expires_at" in table.c:
            lives = [or_(table.c.expires_at.is_(None), table.c.expires_at > now)]
        selects.append(select(literal_column(f"'{kind}'"), table.c.uuid).where(*those, *lives))
    return frozenset((kind, uuid) for kind, uuid in connection.execute(union_all(*selects)))
