"""Rows of accounts: made, changed by their owners, deleted."""

from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, select, update
from sqlalchemy.exc import IntegrityError

from app.accounts.entities import Account, NewAccount
from app.accounts.identity import Identity
from app.accounts.logins.authentication import hold_password
from app.accounts.logins.sessions import end_everything
from app.accounts.otp.rows import IS_ON
from app.accounts.tables import accounts, tiers
from app.accounts.tiers import tier_id_of
from app.database import insert_if_absent, require_storage
from app.errors import Conflict, EmailTaken, Forbidden, UsernameTaken
from app.events.entities import EventType, Subject
from app.events.log import record
from app.security.credentials import SERVICE_ACCOUNT

ROW: Final[Select[Any]] = (
    select(accounts, tiers.c.name.label("tier"), tiers.c.max_total_bytes, tiers.c.max_objects)
    .add_columns(IS_ON.label("has_second_factor"))
    .select_from(accounts.join(tiers))
    .where(accounts.c.deleted_at.is_(None))
)
"""Accounts that are not deleted, with the columns for `account_of`."""


def account_of(row: Row[Any]) -> Account:
    """Make an `Account` of a row of `ROW`."""
    return Account(
        uuid=row.uuid,
        username=row.username,
        email=row.email,
        tier=row.tier,
        is_admin=row.is_admin,
        is_active=row.is_active,
        created_at=row.created_at,
        used_bytes=row.used_bytes,
        used_objects=row.used_objects,
        max_bytes=row.max_total_bytes,
        max_objects=row.max_objects,
        source_url=row.source_url,
        has_second_factor=bool(row.has_second_factor),
        display_name=row.display_name,
    )


_insert = insert_if_absent(
    accounts,
    "uuid",
    "username",
    "username_key",
    "email",
    "email_key",
    "password_hash",
    "tier_id",
    "is_admin",
    "is_active",
    "used_bytes",
    "used_objects",
    "created_at",
    "deleted_at",
)


def insert(connection: Connection, new: NewAccount, *, tier_id: int) -> bool:
    """Insert an account unless its name or address is taken; returns whether it did."""
    inserted = _insert(
        connection,
        uuid=new.uuid,
        username=new.username,
        username_key=new.username.lower(),
        email=new.email,
        email_key=_email_key(new.email),
        password_hash=new.password_hash,
        tier_id=tier_id,
        is_admin=new.is_admin,
        is_active=True,
        used_bytes=0,
        used_objects=0,
        created_at=new.created_at,
        deleted_at=None,
    )
    return inserted.first() is not None


def take_turn(connection: Connection) -> None:
    """Lock out others who make an account until the transaction ends."""
    built_in = select(accounts.c.id).where(accounts.c.username_key == SERVICE_ACCOUNT)
    connection.execute(built_in.with_for_update(key_share=True))


def create(connection: Connection, new: NewAccount) -> Account:
    """Make an account; raises `UsernameTaken` or `EmailTaken`."""
    if not new.is_admin:  # an administrator may be needed to free storage
        require_storage(connection)
    take_turn(connection)
    if not insert(connection, new, tier_id=tier_id_of(connection, new.tier)):
        named = select(accounts.c.id).where(accounts.c.username_key == new.username.lower())
        raise UsernameTaken if connection.execute(named).first() else EmailTaken
    made = connection.execute(ROW.where(accounts.c.uuid == new.uuid)).one()
    subject = Subject("account", new.uuid, new.username)
    record(
        connection, EventType.ACCOUNT_CREATED, made.id, new.maker, subject, is_admin=new.is_admin
    )
    return account_of(made)


def is_there(connection: Connection, uuid: str) -> bool:
    """Tell whether there is such an account, active and not deleted."""
    found = select(accounts.c.id).where(
        accounts.c.uuid == uuid, accounts.c.is_active, accounts.c.deleted_at.is_(None)
    )
    return connection.execute(found).first() is not None


def profile(connection: Connection, identity: Identity) -> Account:
    """Return the caller's account."""
    return account_of(connection.execute(ROW.where(accounts.c.id == identity.account_id)).one())


def change(
    connection: Connection, identity: Identity, verified: str, changes: Mapping[str, str | None]
) -> Account:
    """Set ``email`` or ``password_hash``; a new password ends every session and API key."""
    hold_password(connection, identity, verified)
    if "email" in changes:
        changes = {**changes, "email_key": _email_key(changes["email"])}
    if changes:
        _update(connection, identity.account_id, changes)
    if "email" in changes:
        identity.record(connection, EventType.EMAIL_CHANGED)
    if "password_hash" in changes:
        end_everything(connection, identity.account_id)
        identity.record(connection, EventType.PASSWORD_CHANGED)
    return profile(connection, identity)


def describe(
    connection: Connection, identity: Identity, facts: Mapping[str, str | None]
) -> Account:
    """Set the caller's ``display_name`` or ``source_url``."""
    _update(connection, identity.account_id, facts)
    return profile(connection, identity)


def delete_own(connection: Connection, identity: Identity, verified: str, now: int) -> None:
    """Delete the caller's account, whose password has just been verified."""
    keep_an_admin(connection, without=identity.account_id)
    hold_password(connection, identity, verified)
    delete(connection, identity, identity.account_id, now)


def delete(connection: Connection, identity: Identity, account_id: int, now: int) -> None:
    """Delete an account, see `mark_deleted`; the log of whoever does it says so."""
    account = connection.execute(ROW.where(accounts.c.id == account_id)).one()
    mark_deleted(connection, account_id, now)
    subject = Subject("account", account.uuid, account.username)
    identity.record(connection, EventType.ACCOUNT_DELETED, subject)


def mark_deleted(connection: Connection, account_id: int, now: int) -> None:
    """Hide an account and all it has at once; `app.tasks.purge` removes them."""
    refuse_service(connection, account_id)
    keep_an_admin(connection, without=account_id)
    _update(connection, account_id, {"deleted_at": now})
    end_everything(connection, account_id)


def keep_an_admin(connection: Connection, *, without: int) -> None:
    """Raise `Conflict` when there is no other administrator.

    It locks the administrators' rows, so that two can't leave at once; call it before locking other
    accounts.
    """
    admins = (
        select(accounts.c.id)
        .where(accounts.c.is_admin, accounts.c.is_active, accounts.c.deleted_at.is_(None))
        .order_by(accounts.c.id)
        .with_for_update(key_share=True)
    )
    if connection.execute(admins).scalars().all() == [without]:
        raise Conflict("This is the only administrator")


def refuse_service(connection: Connection, account_id: int) -> None:
    """Raise `Forbidden` for the built-in account, which can't be changed."""
    name = select(accounts.c.username_key).where(accounts.c.id == account_id)
    if connection.execute(name).scalar() == SERVICE_ACCOUNT:
        raise Forbidden("The built-in service account can't be changed or deleted")


def _update(connection: Connection, account_id: int, changes: Mapping[str, Any]) -> None:
    try:
        connection.execute(update(accounts).where(accounts.c.id == account_id).values(changes))
    except IntegrityError:  # of what can be changed, only the address is unique
        raise EmailTaken from None


def _email_key(email: str | None) -> str | None:
    return None if email is None else email.lower()
