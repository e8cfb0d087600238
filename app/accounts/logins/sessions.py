"""Rows of sessions: opened by a login, kept by refresh tokens, ended."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Row, bindparam, delete, insert, select, update

from app import clock
from app.accounts.entities import Login, NewSession, Session
from app.accounts.identity import Identity
from app.accounts.logins.session_uses import ADDRESS_MAX
from app.accounts.quota import lock_account
from app.accounts.tables import accounts, api_keys, password_resets, sessions
from app.database import Statement
from app.database.pagination import Page, decode_cursor, page_of
from app.errors import Forbidden, NotFound, Unauthorized
from app.events.entities import Actor, EventType, Subject
from app.events.log import record
from app.security.keyring import RefreshToken

GRACE: Final = 30 * clock.SECOND
"""How long a used refresh token returns the same successor (two tabs, a lost answer)."""

_LIST = "sessions"


def open_session(connection: Connection, login: Login, new: NewSession, actor: Actor) -> None:
    """Insert a session; raises `Unauthorized` if the password has changed since it was verified."""
    lock_account(connection, login.account_id)
    unchanged = select(accounts.c.id).where(
        accounts.c.id == login.account_id,
        accounts.c.password_hash == login.password_hash,
        accounts.c.is_active,
        accounts.c.deleted_at.is_(None),
    )
    if connection.execute(unchanged).first() is None:
        raise Unauthorized("Invalid credentials")
    connection.execute(
        insert(sessions).values(
            uuid=new.uuid,
            account_id=login.account_id,
            door=new.client,
            rotation=1,
            rotated_at=new.created_at,
            created_at=new.created_at,
            expires_at=new.expires_at,
            user_agent=new.user_agent,
            last_used_at=new.created_at,
            last_address=None if actor.address is None else actor.address[:ADDRESS_MAX],
            last_user_agent=new.user_agent,
        )
    )
    record(
        connection,
        EventType.SESSION_BEGUN,
        login.account_id,
        actor,
        _subject(new.uuid),
        client=new.client,
        user_agent=new.user_agent,
    )


@dataclass(frozen=True, slots=True)
class Refreshed:
    """A refreshed session: its account, and the number of its current refresh token."""

    account: str
    n: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A session that was ended because a used refresh token came again."""


_here = (
    (sessions.c.uuid == bindparam("session"))
    & (sessions.c.door == bindparam("client"))
    & (sessions.c.expires_at > bindparam("now", type_=BigInteger))
)
_rotate = Statement(
    update(sessions)
    .where(_here, sessions.c.rotation == bindparam("n"))
    .values(
        rotation=sessions.c.rotation + 1,
        rotated_at=bindparam("now", type_=BigInteger),
        expires_at=bindparam("new_expires_at"),
    )
)
_state = Statement(
    select(sessions.c.rotation, sessions.c.rotated_at, accounts.c.uuid, accounts.c.id)
    .select_from(sessions.join(accounts))
    .where(_here, accounts.c.is_active, accounts.c.deleted_at.is_(None))
)
_end = Statement(delete(sessions).where(sessions.c.uuid == bindparam("session")))


def rotate(
    connection: Connection, token: RefreshToken, *, client: str, actor: Actor, expires_at: int
) -> Refreshed | Ended | None:
    """Use a refresh token; one that was used before ends its session. None: it isn't valid.

    The session then lives until ``expires_at``. Raising would roll the session's end back.
    """
    now = actor.at
    _rotate(
        connection,
        session=token.session,
        client=client,
        n=token.n,
        now=now,
        new_expires_at=expires_at,
    )
    state = _state(connection, session=token.session, client=client, now=now).first()
    if state is None:
        return None
    if state.rotation == token.n + 1 and now <= state.rotated_at + GRACE:
        return Refreshed(account=state.uuid, n=state.rotation)
    if token.n < state.rotation:
        _end(connection, session=token.session)
        record(connection, EventType.TOKEN_REUSED, state.id, actor, _subject(token.session))
        return Ended()
    return None


def account_of(connection: Connection, token: RefreshToken, *, client: str, now: int) -> str | None:
    """Return the account of a current refresh token; None: it isn't valid."""
    state = _state(connection, session=token.session, client=client, now=now).first()
    if state is None or state.rotation != token.n:
        return None
    account: str = state.uuid
    return account


def end_own(connection: Connection, identity: Identity) -> None:
    """End the session by which the caller came; raises `Forbidden` if it came by none."""
    if identity.session is None:
        raise Forbidden("The service token belongs to no session")
    _end(connection, session=identity.session)
    identity.record(connection, EventType.SESSION_ENDED, _subject(identity.session))


def end(connection: Connection, identity: Identity, uuid: str) -> None:
    """End a session of the caller's account, at once; raises `NotFound`."""
    own = (sessions.c.account_id == identity.account_id) & (sessions.c.uuid == uuid)
    if connection.execute(delete(sessions).where(own)).rowcount == 0:
        raise NotFound("No such session")
    identity.record(connection, EventType.SESSION_ENDED, _subject(uuid))


def end_all(connection: Connection, identity: Identity) -> None:
    """End every session and API key of the caller's account."""
    end_everything(connection, identity.account_id)
    identity.record(connection, EventType.CREDENTIALS_ENDED)


def list_own(
    connection: Connection, identity: Identity, limit: int, cursor: str | None, now: int
) -> Page[Session]:
    """List the sessions of the caller's account that have not expired, newest first."""
    page = (
        select(sessions)
        .where(sessions.c.account_id == identity.account_id, sessions.c.expires_at > now)
        .order_by(sessions.c.id.desc())
        .limit(limit + 1)
    )
    after = decode_cursor(_LIST, cursor, int)
    if after is not None:
        page = page.where(sessions.c.id < after)
    rows = connection.execute(page).all()
    return page_of(_LIST, rows, limit, lambda row: _session_of(row, identity), lambda row: row.id)


def _session_of(row: Row[Any], identity: Identity) -> Session:
    return Session(
        uuid=row.uuid,
        created_at=row.created_at,
        expires_at=row.expires_at,
        user_agent=row.user_agent,
        current=row.uuid == identity.session,
        last_used_at=row.last_used_at,
        last_address=row.last_address,
        last_user_agent=row.last_user_agent,
    )


def end_everything(connection: Connection, account_id: int) -> None:
    """End all sessions, API keys and password resets of an account, on every process at once."""
    lock_account(connection, account_id)
    for table in (sessions, api_keys, password_resets):
        connection.execute(delete(table).where(table.c.account_id == account_id))


def hold(connection: Connection, identity: Identity) -> None:
    """Keep the caller's session alive until the transaction ends, or raise `Unauthorized`.

    Functions that make a credential call it first: one that is made while `end_everything` runs
    would outlive the session that made it.
    """
    lock_account(connection, identity.account_id)
    if identity.session is None:
        return
    alive = select(sessions.c.id).where(sessions.c.uuid == identity.session)
    if connection.execute(alive).first() is None:
        raise Unauthorized("The session has ended", error="invalid_token")


def _subject(uuid: str) -> Subject:
    return Subject("session", uuid)
