"""The overview of an account: how many things of each kind, and the newest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, Table, func, select

from app import clock
from app.accounts import rows as accounts
from app.accounts.entities import Account
from app.accounts.identity import Access, Identity
from app.buffer import rows as buffer
from app.buffer.entities import Clip
from app.dumps import rows as dump_service
from app.dumps.entities import Dump, Filters
from app.errors import NotFound
from app.features import COUNTED, Lives
from app.files import rows as file_service
from app.files.entities import File
from app.pictures import rows as picture_service
from app.pictures.entities import Picture

MANY: Final = 1000
"""Where counting stops, so that an overview of many things costs no more."""

_NEWEST: Final = 8


@dataclass(frozen=True, slots=True)
class Overview:
    """An account, its counts, its buffer, and the newest of its things."""

    account: Account
    counts: Mapping[str, int]
    """How many things there are of each feature, `MANY` for as many or more."""
    buffer: Clip | None
    files: Sequence[File]
    pictures: Sequence[Picture]
    dumps: Sequence[Dump]


async def look(access: Access) -> Overview:
    """Return the overview of the caller's account."""
    return await access.read(overview, clock.now())


def overview(connection: Connection, identity: Identity, now: int) -> Overview:
    """Read the overview in one transaction."""
    return Overview(
        account=accounts.profile(connection, identity),
        counts=_counts(connection, identity, now),
        buffer=_buffer(connection, identity, now),
        files=file_service.page(connection, identity, _NEWEST, None, now).items,
        pictures=picture_service.page(connection, identity, _NEWEST, None).items,
        dumps=dump_service.page(connection, identity, Filters(), _NEWEST, None, now).items,
    )


def _counts(connection: Connection, identity: Identity, now: int) -> Mapping[str, int]:
    def count(table: Table, lives: Lives) -> ColumnElement[int]:
        own = select(table.c.id).where(table.c.account_id == identity.account_id, lives(now))
        some = own.limit(MANY).subquery()
        return select(func.count()).select_from(some).scalar_subquery()

    counts = select(*(count(table, lives).label(name) for name, (table, lives) in COUNTED.items()))
    return dict(connection.execute(counts).one()._mapping)


def _buffer(connection: Connection, identity: Identity, now: int) -> Clip | None:
    try:
        return buffer.find(connection, identity, now)
    except NotFound:
        return None
