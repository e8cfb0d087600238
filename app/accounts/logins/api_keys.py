"""API keys: credentials of programs, each limited to its scopes."""

from typing import Any

from sqlalchemy import Connection, Row, insert, or_, select
from sqlalchemy import delete as delete_from
from uuid_utils import uuid7

from app import clock
from app.accounts.entities import ApiKeyRecord
from app.accounts.identity import Identity
from app.accounts.logins.sessions import hold
from app.accounts.tables import api_keys
from app.database import require_storage
from app.database.pagination import Page, decode_cursor, page_of
from app.errors import Forbidden, NotFound
from app.events.entities import EventType, Subject
from app.security import api_keys as secret_keys

_LIST = "keys"


def new_key(
    name: str, scopes: frozenset[str], expires_in: int | None
) -> tuple[str, bytes, ApiKeyRecord]:
    """Make a key that lives for ``expires_in`` seconds; returns it, its hash and its record."""
    key = secret_keys.generate()
    now = clock.now()
    record = ApiKeyRecord(
        uuid=str(uuid7()),
        name=name,
        scopes=tuple(sorted(scopes)),
        hint=key[: secret_keys.HINT_LENGTH],
        created_at=now,
        expires_at=None if expires_in is None else now + expires_in * clock.SECOND,
    )
    return key, secret_keys.hash_of(key), record


def create(connection: Connection, identity: Identity, digest: bytes, new: ApiKeyRecord) -> None:
    """Insert a key of the caller's account; raises `Forbidden` for an administrator's scope."""
    require_storage(connection)
    hold(connection, identity)
    if "metrics:read" in new.scopes and not identity.is_admin:
        raise Forbidden("Only an administrator's key may have the scope metrics:read")
    connection.execute(
        insert(api_keys).values(
            uuid=new.uuid,
            account_id=identity.account_id,
            name=new.name,
            scopes=" ".join(new.scopes),
            hash=digest,
            hint=new.hint,
            created_at=new.created_at,
            expires_at=new.expires_at,
        )
    )
    subject = Subject("key", new.uuid, new.name)
    identity.record(connection, EventType.KEY_CREATED, subject, scopes=new.scopes)


def list_own(
    connection: Connection, identity: Identity, limit: int, cursor: str | None, now: int
) -> Page[ApiKeyRecord]:
    """List the keys of the caller's account that have not expired, newest first."""
    page = (
        select(api_keys)
        .where(
            api_keys.c.account_id == identity.account_id,
            or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > now),
        )
        .order_by(api_keys.c.id.desc())
        .limit(limit + 1)
    )
    after = decode_cursor(_LIST, cursor, int)
    if after is not None:
        page = page.where(api_keys.c.id < after)
    rows = connection.execute(page).all()
    return page_of(_LIST, rows, limit, _record_of, lambda row: row.id)


def delete(connection: Connection, identity: Identity, uuid: str) -> None:
    """End a key of the caller's account, at once; raises `NotFound`."""
    own = (api_keys.c.account_id == identity.account_id) & (api_keys.c.uuid == uuid)
    deleted = connection.execute(delete_from(api_keys).where(own).returning(api_keys.c.name))
    name = deleted.scalar_one_or_none()
    if name is None:
        raise NotFound("No such API key")
    identity.record(connection, EventType.KEY_DELETED, Subject("key", uuid, name))


def _record_of(row: Row[Any]) -> ApiKeyRecord:
    return ApiKeyRecord(
        uuid=row.uuid,
        name=row.name,
        scopes=tuple(row.scopes.split()),
        hint=row.hint,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
