"""What an account has, at a glance: how many of each kind, and the newest of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, Table, and_, func, or_, select, true

from app import clock
from app.accounts import rows as accounts
from app.accounts.identity import Access, Identity
from app.accounts.rows import Account
from app.blobs.tables import blobs
from app.buffer import rows as buffer
from app.buffer.entities import Clip
from app.dumps import rows as dump_service
from app.dumps.entities import Dump, Filters
from app.dumps.tables import dumps
from app.errors import NotFound
from app.files import rows as file_service
from app.files.rows import File
from app.files.tables import files
from app.links.expiry import has_downloads_left, is_open
from app.links.tables import timelinks
from app.pictures import rows as picture_service
from app.pictures.entities import Picture
from app.pictures.tables import pictures

MANY: Final = 1000
"""Where counting stops, so that a glance costs no more when there is much to look at."""

_NEWEST: Final = 3


@dataclass(frozen=True, slots=True)
class Counts:
    """How many there are of each kind, `MANY` for as many or more; of links those that are open."""

    files: int
    pictures: int
    dumps: int
    links: int
    blobs: int


@dataclass(frozen=True, slots=True)
class Overview:
    """An account, its counts, what is in its buffer, and the newest of the rest."""

    account: Account
    counts: Counts
    buffer: Clip | None
    files: Sequence[File]
    pictures: Sequence[Picture]
    dumps: Sequence[Dump]


async def look(access: Access) -> Overview:
    """Look at all that the caller's account has."""
    return await access.read(overview, clock.now())


def overview(connection: Connection, identity: Identity, now: int) -> Overview:
    """Look at all that the account has, at one moment."""
    return Overview(
        account=accounts.profile(connection, identity),
        counts=_counts(connection, identity, now),
        buffer=_buffer(connection, identity, now),
        files=file_service.page(connection, identity, _NEWEST, None, now).items,
        pictures=picture_service.page(connection, identity, _NEWEST, None).items,
        dumps=dump_service.page(connection, identity, Filters(), _NEWEST, None, now).items,
    )


def _counts(connection: Connection, identity: Identity, now: int) -> Counts:
    def count(table: Table, alive: ColumnElement[bool]) -> ColumnElement[int]:
        own = select(table.c.id).where(table.c.account_id == identity.account_id, alive)
        some = own.limit(MANY).subquery()
        return select(func.count()).select_from(some).scalar_subquery()

    def lives(table: Table) -> ColumnElement[bool]:
        return or_(table.c.expires_at.is_(None), table.c.expires_at > now)

    counts = select(
        count(files, lives(files)),
        count(pictures, true()),
        count(dumps, lives(dumps)),
        count(timelinks, and_(is_open(now), has_downloads_left(now))),
        count(blobs, true()),
    )
    return Counts(*connection.execute(counts).one())


def _buffer(connection: Connection, identity: Identity, now: int) -> Clip | None:
    try:
        return buffer.find(connection, identity, now)
    except NotFound:
        return None
