"""Thumbnails as rows, which are also the locks between processes.

The process that inserts a row makes the thumbnail, under a lease; the others wait until it is
there, or the lease has ended.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from app import clock
from app.accounts import quota
from app.accounts.identity import Identity
from app.database import Statement
from app.errors import Forbidden, LeaseLost
from app.objects import lifecycle as objects
from app.objects.entities import Content, Received
from app.objects.reading import contents
from app.objects.tables import object_bytes
from app.objects.tables import objects as object_rows
from app.pictures.formats import ThumbnailFormat
from app.pictures.rows import find, unknown
from app.pictures.tables import pictures, thumbnails

KIND: Final = "thumbs"

LEASE: Final = 2 * clock.MINUTE
"""How long others wait for the maker of a thumbnail; then there may be two, and one is kept."""

RETRY: Final = 60 * clock.MINUTE
"""How long a failure to make a thumbnail counts."""


@dataclass(frozen=True, slots=True)
class Found:
    """The state of a thumbnail: its content, a failure, or that somebody is making it."""

    name: str
    """That of its picture."""
    content: Content | None
    failure: str | None
    is_being_made: bool


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to make a thumbnail, until somebody else takes it over."""

    thumbnail_id: int
    lease_until: int
    original: Content


_of = (
    (thumbnails.c.picture_id == pictures.c.id)
    & (thumbnails.c.height == bindparam("height", type_=BigInteger))
    & (thumbnails.c.format == bindparam("format"))
)
_find = Statement(
    select(
        pictures.c.name,
        thumbnails.c.lease_until,
        thumbnails.c.failure,
        *contents.content_columns(),
    )
    .select_from(
        pictures.outerjoin(thumbnails, _of)
        .outerjoin(object_rows, object_rows.c.id == thumbnails.c.object_id)
        .outerjoin(object_bytes, object_bytes.c.object_id == thumbnails.c.object_id)
    )
    .where(pictures.c.account_id == bindparam("account_id"), pictures.c.uuid == bindparam("uuid"))
)


def look(
    connection: Connection,
    identity: Identity,
    uuid: str,
    height: int,
    image_format: ThumbnailFormat,
    now: int,
) -> Found:
    """Return the state of a thumbnail.

    Raises `NotFound`, and `Forbidden` for a height that the account's tier does not have.
    """
    row = _find(
        connection, account_id=identity.account_id, uuid=uuid, height=height, format=image_format
    ).first()
    if row is None:
        raise unknown()
    _check_height(identity, height)
    name, lease_until, failure, *content = tuple(row)
    if content[0] is not None:
        return Found(name, contents.content_of(content), None, is_being_made=False)
    is_taken = lease_until is not None and lease_until > now
    if not is_taken:
        failure = None
    return Found(name, None, failure, is_being_made=is_taken and failure is None)


def claim(
    connection: Connection,
    identity: Identity,
    uuid: str,
    height: int,
    image_format: ThumbnailFormat,
    now: int,
) -> Claim | None:
    """Claim a thumbnail to be made; None: it is made, being made, or has failed lately."""
    quota.lock_account(connection, identity.account_id)
    picture = connection.execute(
        select(pictures.c.id).where(
            pictures.c.account_id == identity.account_id, pictures.c.uuid == uuid
        )
    ).scalar()
    if picture is None:
        raise unknown()
    _check_height(identity, height)
    same = (
        (thumbnails.c.picture_id == picture)
        & (thumbnails.c.height == height)
        & (thumbnails.c.format == image_format)
    )
    row = connection.execute(select(thumbnails).where(same)).first()
    if row is None:
        thumbnail_id = connection.execute(
            insert(thumbnails)
            .values(
                account_id=identity.account_id,
                picture_id=picture,
                height=height,
                format=image_format,
                object_id=None,
                lease_until=now + LEASE,
                failure=None,
                created_at=now,
            )
            .returning(thumbnails.c.id)
        ).scalar_one()
    elif row.object_id is None and row.lease_until <= now:
        thumbnail_id = row.id
        connection.execute(
            update(thumbnails)
            .where(thumbnails.c.id == row.id)
            .values(lease_until=now + LEASE, failure=None)
        )
    else:
        return None
    return Claim(thumbnail_id, now + LEASE, find(connection, identity, uuid).content)


def keep(
    connection: Connection, identity: Identity, held: Claim, received: Received, now: int
) -> Content:
    """Keep a thumbnail; raises `LeaseLost` when somebody else has taken it over."""
    quota.lock_account(connection, identity.account_id)
    if connection.execute(select(thumbnails.c.id).where(_is_held(held))).first() is None:
        raise LeaseLost
    object_id = objects.settle(
        connection, identity, received, kind=KIND, slots=0, now=now, free=True
    )
    connection.execute(
        update(thumbnails)
        .where(thumbnails.c.id == held.thumbnail_id)
        .values(object_id=object_id, lease_until=None)
    )
    return received.content(now)


def give_up(connection: Connection, held: Claim) -> None:
    """Let somebody else make a thumbnail."""
    connection.execute(delete(thumbnails).where(_is_held(held)))


def fail(connection: Connection, held: Claim, reason: str, now: int) -> None:
    """Note that a thumbnail can't be made, which counts for a while."""
    connection.execute(
        update(thumbnails).where(_is_held(held)).values(failure=reason, lease_until=now + RETRY)
    )


def _is_held(held: Claim) -> ColumnElement[bool]:
    return (
        (thumbnails.c.id == held.thumbnail_id)
        & (thumbnails.c.lease_until == held.lease_until)
        & thumbnails.c.object_id.is_(None)
        & thumbnails.c.failure.is_(None)
    )


def _check_height(identity: Identity, height: int) -> None:
    if height not in identity.tier.heights:
        raise Forbidden(f"The account's tier has no thumbnails {height} pixels high")
