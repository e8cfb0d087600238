"""Administration of accounts: the search, and changes that only administrators may make."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, or_, select, update
from sqlalchemy import delete as delete_from

from app.accounts import rows
from app.accounts.entities import Account
from app.accounts.identity import Identity
from app.accounts.logins.sessions import end_everything
from app.accounts.otp import rows as otp_rows
from app.accounts.quota import lock_account
from app.accounts.rows import ROW, account_of, keep_an_admin, refuse_service
from app.accounts.tables import accounts, invitations
from app.accounts.tiers import tier_id_of
from app.database.pagination import Page, decode_cursor, page_of
from app.errors import NotFound
from app.events.entities import Actor, EventType, Subject
from app.events.log import record

_LIST = "accounts"


def search(
    connection: Connection, _: Identity, query: str | None, limit: int, cursor: str | None
) -> Page[Account]:
    """List accounts, newest first; ``query`` is a part of the name or address, without case."""
    page = ROW.order_by(accounts.c.id.desc()).limit(limit + 1)
    if query:
        part = query.lower()
        page = page.where(
            or_(
                accounts.c.username_key.contains(part, autoescape=True),
                accounts.c.email_key.contains(part, autoescape=True),
            )
        )
    after = decode_cursor(_LIST, cursor, int)
    if after is not None:
        page = page.where(accounts.c.id < after)
    rows = connection.execute(page).all()
    return page_of(_LIST, rows, limit, account_of, lambda row: row.id)


def get(connection: Connection, _: Identity, uuid: str) -> Account:
    """Return an account; raises `NotFound`."""
    row = connection.execute(ROW.where(accounts.c.uuid == uuid)).first()
    if row is None:
        raise NotFound("No such account")
    return account_of(row)


def named(connection: Connection, username: str) -> Account:
    """Return the account of that name, without case; raises `NotFound`."""
    row = connection.execute(ROW.where(accounts.c.username_key == username.lower())).first()
    if row is None:
        raise NotFound(f"No account has the name {username}")
    return account_of(row)


def set_password(
    connection: Connection,
    uuid: str,
    password_hash: str,
    actor: Actor,
    *,
    ends_second_factor: bool,
) -> None:
    """Give an account another password, which ends every session and API key."""
    account_id = id_of(connection, uuid)
    refuse_service(connection, account_id)
    lock_account(connection, account_id)
    values = {"password_hash": password_hash}
    connection.execute(update(accounts).where(accounts.c.id == account_id).values(values))
    end_everything(connection, account_id)
    record(connection, EventType.PASSWORD_CHANGED, account_id, actor, Subject("account", uuid))
    if ends_second_factor and otp_rows.remove(connection, account_id):
        record(connection, EventType.SECOND_FACTOR_DISABLED, account_id, actor)


def change(
    connection: Connection, identity: Identity, uuid: str, changes: Mapping[str, Any]
) -> Account:
    """Set ``tier`` (a name), ``is_active`` or ``is_admin``.

    Deactivation ends all credentials, and whoever administrates no more has invited nobody.
    """
    account_id = id_of(connection, uuid)
    refuse_service(connection, account_id)
    values: dict[str, Any] = {
        name: changes[name] for name in ("is_active", "is_admin") if name in changes
    }
    if False in values.values():
        keep_an_admin(connection, without=account_id)
        connection.execute(delete_from(invitations).where(invitations.c.account_id == account_id))
    if "tier" in changes:
        values["tier_id"] = tier_id_of(connection, changes["tier"])
    lock_account(connection, account_id)
    if values:
        connection.execute(update(accounts).where(accounts.c.id == account_id).values(values))
    if values.get("is_active") is False:
        end_everything(connection, account_id)
    changed = get(connection, identity, uuid)
    subject = Subject("account", uuid, changed.username)
    record(connection, EventType.ACCOUNT_CHANGED, account_id, identity.actor, subject, **changes)
    return changed


def delete(connection: Connection, identity: Identity, uuid: str, now: int) -> None:
    """Delete an account as its owner could; raises `NotFound`."""
    rows.delete(connection, identity, id_of(connection, uuid), now)


def id_of(connection: Connection, uuid: str) -> int:
    row = select(accounts.c.id).where(accounts.c.uuid == uuid, accounts.c.deleted_at.is_(None))
    account_id: int | None = connection.execute(row).scalar()
    if account_id is None:
        raise NotFound("No such account")
    return account_id
