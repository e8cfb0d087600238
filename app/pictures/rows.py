"""Pictures as rows: the transactions that create, rename, list and delete them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Connection, Row, Select, bindparam, delete, select, update

from app.accounts import quota
from app.accounts.identity import Identity, Tier
from app.bundles import removal as bundles
from app.database import Statement, insert_into
from app.database.pagination import Page, before_of, page_of
from app.errors import Forbidden, NotFound
from app.events.entities import EventType, Subject
from app.links import rows as timelinks
from app.objects import lifecycle as objects
from app.objects import removal
from app.objects.entities import Content, Received
from app.objects.preconditions import Preconditions, State
from app.objects.reading import contents
from app.objects.tables import object_bytes
from app.objects.tables import objects as object_rows
from app.pictures import exif
from app.pictures.entities import KIND, NewPicture, Picture
from app.pictures.formats import Facts
from app.pictures.tables import pictures, thumbnails

_columns = (
    pictures.c.id,
    pictures.c.uuid,
    pictures.c.name,
    pictures.c.format,
    pictures.c.width,
    pictures.c.height,
    pictures.c.is_complete,
    pictures.c.thumbhash,
    pictures.c.exif,
    pictures.c.created_at,
    pictures.c.modified_at,
)
_own = pictures.c.account_id == bindparam("account_id")
_find = Statement(
    select(*_columns, *contents.content_columns())
    .select_from(pictures.join(object_rows).outerjoin(object_bytes))
    .where(_own, pictures.c.uuid == bindparam("uuid"))
)
_page = Statement(
    select(*_columns, *contents.listed_columns())
    .select_from(pictures.join(object_rows))
    .where(_own, pictures.c.id < bindparam("before", type_=BigInteger))
    .order_by(pictures.c.id.desc())
    .limit(bindparam("limit"))
)
_beside = bindparam("id", type_=BigInteger)
_newer = Statement(
    select(pictures.c.uuid).where(_own, pictures.c.id > _beside).order_by(pictures.c.id).limit(1)
)
_older = Statement(
    select(pictures.c.uuid)
    .where(_own, pictures.c.id < _beside)
    .order_by(pictures.c.id.desc())
    .limit(1)
)
_current = Statement(
    select(pictures.c.id, pictures.c.object_id, pictures.c.modified_at, object_rows.c.sha256)
    .select_from(pictures.join(object_rows))
    .where(_own, pictures.c.uuid == bindparam("uuid"))
)
_insert = Statement(insert_into(pictures))


def find(connection: Connection, identity: Identity, uuid: str) -> Picture:
    """Return a picture, ready to be read; raises `NotFound`."""
    row = _find(connection, account_id=identity.account_id, uuid=uuid).first()
    if row is None:
        raise unknown()
    return _picture(row, identity.tier)


def find_all(
    connection: Connection, identity: Identity, uuids: Sequence[str]
) -> dict[str, Picture]:
    """Return those pictures of the account that are there, by their ids, without their bytes."""
    found: Select[Any] = select(*_columns, *contents.listed_columns())
    rows = connection.execute(
        found.select_from(pictures.join(object_rows)).where(
            pictures.c.account_id == identity.account_id, pictures.c.uuid.in_(uuids)
        )
    )
    return {row.uuid: _picture(row, identity.tier) for row in rows}


def find_with_neighbours(
    connection: Connection, identity: Identity, uuid: str
) -> tuple[Picture, str | None, str | None]:
    """Return a picture, and the ids on the wire of the next newer and the next older one."""
    row = _find(connection, account_id=identity.account_id, uuid=uuid).first()
    if row is None:
        raise unknown()
    beside = {"account_id": identity.account_id, "id": row.id}
    newer, older = (find(connection, **beside).first() for find in (_newer, _older))
    return _picture(row, identity.tier), newer and newer.uuid, older and older.uuid


def find_original(connection: Connection, identity: Identity, uuid: str) -> Picture:
    """Return a picture whose original may be read; raises `Forbidden` if the tier forbids that."""
    picture = find(connection, identity, uuid)
    if not picture.tier.allow_original:
        raise Forbidden("The account's tier does not allow originals")
    return picture


def admit(_connection: Connection, _identity: Identity) -> int:
    """Return the slots that a picture takes."""
    return 1


def create(
    connection: Connection,
    identity: Identity,
    new: NewPicture,
    facts: Facts,
    received: Received,
    now: int,
) -> Picture:
    """Create a picture from a received body."""
    object_id = objects.settle(connection, identity, received, kind=KIND, slots=1, now=now)
    _insert(
        connection,
        uuid=new.uuid,
        account_id=identity.account_id,
        object_id=object_id,
        name=new.name,
        format=facts.format,
        width=facts.width,
        height=facts.height,
        is_complete=facts.is_complete,
        thumbhash=facts.thumbhash,
        exif=facts.exif.to_json(),
        bare=facts.bare,
        created_at=now,
        modified_at=now,
    )
    subject = Subject("picture", new.uuid, new.name)
    identity.record(connection, EventType.PICTURE_ADDED, subject, size=received.size)
    content = Content(object_id, None, received.size, received.sha256, now, None)
    return Picture(new.uuid, new.name, facts, now, now, identity.tier, content)


def rename(
    connection: Connection,
    identity: Identity,
    uuid: str,
    name: str | None,
    conditions: Preconditions,
    now: int,
) -> Picture:
    """Rename a picture, unless ``name`` is None; raises `NotFound`."""
    quota.lock_account(connection, identity.account_id)
    current = _current(connection, account_id=identity.account_id, uuid=uuid).first()
    if current is None:
        raise unknown()
    conditions.check(_state(current))
    if name is not None:
        changes = {"name": name, "modified_at": now}
        connection.execute(update(pictures).where(pictures.c.id == current.id).values(changes))
    return find(connection, identity, uuid)


def remove(
    connection: Connection, identity: Identity, uuid: str, conditions: Preconditions, now: int
) -> None:
    """Delete a picture with its thumbnails and end its links; their bytes are due at once."""
    quota.lock_account(connection, identity.account_id)
    current = _current(connection, account_id=identity.account_id, uuid=uuid).first()
    if current is None:
        raise unknown()
    conditions.check(_state(current))
    timelinks.end(connection, "picture", [current.id], now)
    bundles.forget(connection, "picture", [current.id])
    made = thumbnails.c.picture_id == current.id
    derived = connection.execute(
        select(thumbnails.c.object_id).where(made, thumbnails.c.object_id.is_not(None))
    ).scalars()
    object_ids = [*derived, current.object_id]
    connection.execute(delete(thumbnails).where(made))
    connection.execute(delete(pictures).where(pictures.c.id == current.id))
    removal.remove_all(connection, object_ids, due_at=now)


def page(
    connection: Connection, identity: Identity, limit: int, cursor: str | None
) -> Page[Picture]:
    """Return a page of the account's pictures, newest first."""
    rows = _page(
        connection,
        account_id=identity.account_id,
        before=before_of(KIND, cursor),
        limit=limit + 1,
    ).rows
    return page_of(
        KIND, rows, limit, lambda row: _picture(row, identity.tier), lambda row: int(row.id)
    )


def unknown() -> NotFound:
    """Return the error for a picture that does not exist in the account."""
    return NotFound("No such picture")


def _picture(row: Row[Any], tier: Tier) -> Picture:
    _, uuid, name, *of_picture, found, created_at, modified_at = tuple(row)[: len(_columns)]
    content = tuple(row)[len(_columns) :]
    facts = Facts(*[*of_picture, exif.from_json(found)])
    return Picture(uuid, name, facts, created_at, modified_at, tier, contents.content_of(content))


def _state(current: Any) -> State:  # noqa: ANN401 - a row of `_current`
    return State(bytes(current.sha256).hex(), current.modified_at)
