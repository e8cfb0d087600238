"""Rows of invitations and password resets. Each is used up by the transaction that it permits."""

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, or_, select

from app.accounts import administration, rows
from app.accounts.entities import Account, NewAccount
from app.accounts.identity import Identity
from app.accounts.quota import lock_account
from app.accounts.tables import accounts, invitations, password_resets, tiers
from app.accounts.tiers import tier_id_of
from app.accounts.welcome.entities import Invitation, NewInvitation, NewReset, Offer
from app.database.pagination import Page, before_of, page_of
from app.errors import Conflict, NotFound
from app.events.entities import Actor, EventType, Subject
from app.events.log import record
from app.security.credentials import SERVICE_ACCOUNT

_LIST = "invitations"

_known = select(invitations, accounts.c.username, tiers.c.name.label("tier")).select_from(
    invitations.join(accounts, invitations.c.account_id == accounts.c.id).join(
        tiers, invitations.c.tier_id == tiers.c.id
    )
)
_good = _known.where(
    # the command line invites as the service does
    or_(accounts.c.is_admin, accounts.c.username_key == SERVICE_ACCOUNT),
    accounts.c.is_active,
    accounts.c.deleted_at.is_(None),
)
_offered = (
    select(password_resets.c.expires_at, password_resets.c.ends_second_factor)
    .add_columns(accounts.c.id, accounts.c.uuid)
    .add_columns(accounts.c.username, accounts.c.email, tiers.c.name.label("tier"))
    .select_from(password_resets.join(accounts).join(tiers))
    .where(accounts.c.is_active, accounts.c.deleted_at.is_(None))
)


def invite(connection: Connection, identity: Identity, new: NewInvitation) -> Invitation:
    """Insert an invitation; raises `InvalidRequest` when there is no such tier."""
    connection.execute(
        insert(invitations).values(
            uuid=new.uuid,
            account_id=identity.account_id,
            token_hash=new.token_hash,
            tier_id=tier_id_of(connection, new.tier),
            is_admin=new.is_admin,
            email=new.email,
            created_at=new.created_at,
            expires_at=new.expires_at,
        )
    )
    row = connection.execute(_known.where(invitations.c.uuid == new.uuid)).one()
    facts = {"tier": row.tier, "is_admin": row.is_admin}
    identity.record(
        connection, EventType.INVITATION_CREATED, _subject(new.uuid, row.email), **facts
    )
    return _invitation_of(row)


def list_invitations(
    connection: Connection, _: Identity, limit: int, cursor: str | None, now: int
) -> Page[Invitation]:
    """List the invitations that can be accepted, newest first."""
    page = (
        _good.where(invitations.c.expires_at > now, invitations.c.id < before_of(_LIST, cursor))
        .order_by(invitations.c.id.desc())
        .limit(limit + 1)
    )
    found = connection.execute(page).all()
    return page_of(_LIST, found, limit, _invitation_of, lambda row: row.id)


def take_back(connection: Connection, identity: Identity, uuid: str) -> None:
    """End an invitation; raises `NotFound`."""
    row = connection.execute(select(invitations).where(invitations.c.uuid == uuid)).first()
    if row is None or not _remove(connection, row.token_hash):
        raise NotFound("No such invitation")
    identity.record(connection, EventType.INVITATION_DELETED, _subject(uuid, row.email))


def offer_reset(connection: Connection, identity: Identity, uuid: str, new: NewReset) -> Account:
    """Offer an account's owner a new password, in place of any former offer.

    Raises `NotFound`, `Forbidden` for the service's account, and `Conflict` for an inactive one.
    """
    account = administration.get(connection, identity, uuid)
    account_id = administration.id_of(connection, uuid)
    rows.refuse_service(connection, account_id)
    if not account.is_active:
        raise Conflict("The account is inactive, so a new password would not let anyone in")
    lock_account(connection, account_id)
    own = password_resets.c.account_id == account_id
    connection.execute(delete(password_resets).where(own))
    connection.execute(
        insert(password_resets).values(
            account_id=account_id,
            token_hash=new.token_hash,
            ends_second_factor=new.ends_second_factor,
            created_at=new.created_at,
            expires_at=new.expires_at,
        )
    )
    subject = Subject("account", uuid, account.username)
    facts = {"ends_second_factor": new.ends_second_factor}
    record(connection, EventType.RESET_CREATED, account_id, identity.actor, subject, **facts)
    return account


def find(connection: Connection, token_hash: bytes, now: int) -> Offer:
    """Return what the link of a token offers; raises `NotFound`."""
    row = _invitation(connection, token_hash, now)
    if row is not None:
        return Offer(None, row.email, row.tier, row.expires_at, ends_second_factor=False)
    reset = _reset(connection, token_hash, now)
    return Offer(
        reset.username,
        reset.email,
        reset.tier,
        reset.expires_at,
        ends_second_factor=reset.ends_second_factor,
    )


def accept_invitation(
    connection: Connection, new: NewAccount, *, token_hash: bytes, now: int
) -> Account:
    """Make the account of an invitation; raises `NotFound`, `UsernameTaken` and `EmailTaken`."""
    row = _invitation(connection, token_hash, now)
    if row is None or not _remove(connection, token_hash):
        raise _gone()
    made = rows.create(connection, replace(new, tier=row.tier, is_admin=row.is_admin))
    facts = {"account": made.uuid, "username": made.username}
    subject = _subject(row.uuid, row.email)
    record(connection, EventType.INVITATION_ACCEPTED, row.account_id, new.maker, subject, **facts)
    return made


def use_reset(
    connection: Connection, token_hash: bytes, password_hash: str, actor: Actor
) -> Account:
    """Give an account its new password, which ends all that lets one in; raises `NotFound`."""
    reset = _reset(connection, token_hash, actor.at)
    lock_account(connection, reset.id)
    mine = delete(password_resets).where(password_resets.c.token_hash == token_hash)
    if connection.execute(mine).rowcount == 0:
        raise _gone()  # somebody else was faster
    subject = Subject("account", reset.uuid, reset.username)
    record(connection, EventType.RESET_USED, reset.id, actor, subject)
    administration.set_password(
        connection,
        reset.uuid,
        password_hash,
        actor,
        ends_second_factor=reset.ends_second_factor,
    )
    return administration.named(connection, reset.username)


def _remove(connection: Connection, token_hash: bytes) -> bool:
    """Remove an invitation; False: somebody else was faster."""
    mine = delete(invitations).where(invitations.c.token_hash == token_hash)
    return connection.execute(mine).rowcount > 0


def _invitation(connection: Connection, token_hash: bytes, now: int) -> Row[Any] | None:
    good = _good.where(invitations.c.token_hash == token_hash, invitations.c.expires_at > now)
    return connection.execute(good).first()


def _reset(connection: Connection, token_hash: bytes, now: int) -> Row[Any]:
    row = connection.execute(
        _offered.where(
            password_resets.c.token_hash == token_hash, password_resets.c.expires_at > now
        )
    ).first()
    if row is None:
        raise _gone()
    return row


def _subject(uuid: str, email: str | None) -> Subject:
    return Subject("invitation", uuid, email)


def _gone() -> NotFound:
    return NotFound("This link has been used or withdrawn, has expired, or never existed")


def _invitation_of(row: Row[Any]) -> Invitation:
    return Invitation(
        uuid=row.uuid,
        tier=row.tier,
        is_admin=row.is_admin,
        email=row.email,
        invited_by=row.username,
        created_at=row.created_at,
        expires_at=row.expires_at,
    )
