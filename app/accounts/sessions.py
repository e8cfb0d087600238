"""Sessions: a login by password, the tokens it lives by, and its end."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Row, bindparam, delete, insert, select, update
from uuid_utils import uuid7

from app import clock
from app.accounts.authentication import Login
from app.accounts.credentials import end_everything
from app.accounts.identity import Access, Identity
from app.accounts.tables import accounts, sessions
from app.config import Settings
from app.database import Database, Statement
from app.errors import Forbidden, NotFound, Unauthorized
from app.objects.pagination import Page, decode_cursor, page_of
from app.objects.quota import lock_account
from app.security import events
from app.security.events import Event
from app.security.keyring import Keyring, RefreshToken

GRACE: Final = 30 * clock.SECOND
"""How long a refresh token that was used returns its successor again (two tabs, a lost answer)."""

USER_AGENT_MAX: Final = 255
_LIST = "sessions"


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session about to be opened at a door, which is the contract that opens it."""

    uuid: str
    door: str
    user_agent: str
    created_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Session:
    """A session as its owner sees it; times in UTC microseconds."""

    uuid: str
    created_at: int
    expires_at: int
    user_agent: str
    current: bool


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a session is used by; ``expires_in`` is the access token's, in seconds."""

    access_token: str
    refresh_token: str
    expires_in: int


def new_session(
    settings: Settings, *, door: str, user_agent: str, lifetime: int | None = None
) -> NewSession:
    """Make up a session that begins now; ``lifetime`` in seconds, a refresh token's by default."""
    now = clock.now()
    if lifetime is None:
        lifetime = settings.refresh_token_lifetime
    return NewSession(
        uuid=str(uuid7()),
        door=door,
        user_agent=user_agent[:USER_AGENT_MAX],
        created_at=now,
        expires_at=now + lifetime * clock.SECOND,
    )


async def begin(database: Database, login: Login, new: NewSession) -> None:
    """Do what `open_session` does, for the log too."""
    await database.write(open_session, login, new)
    events.record(Event.SESSION_BEGUN, account=login.account, session=new.uuid, door=new.door)


def open_session(connection: Connection, login: Login, new: NewSession) -> None:
    """Open a session; raises `Unauthorized` if the password has been changed since it was given."""
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
            door=new.door,
            rotation=1,
            rotated_at=new.created_at,
            created_at=new.created_at,
            expires_at=new.expires_at,
            user_agent=new.user_agent,
        )
    )


def issue_tokens(
    keyring: Keyring, settings: Settings, *, session: str, account: str, n: int, now: int
) -> Tokens:
    """Make a session's access token, and its refresh token number ``n``."""
    return Tokens(
        access_token=keyring.issue_access_token(session, account, now),
        refresh_token=keyring.issue_refresh_token(session, n),
        expires_in=settings.access_token_lifetime,
    )


@dataclass(frozen=True, slots=True)
class Refreshed:
    """A session that goes on: its account, and the number of its refresh token in force."""

    account: str
    n: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A session that was ended, since a token of it came again."""

    account: str


_here = (
    (sessions.c.uuid == bindparam("session"))
    & (sessions.c.door == bindparam("door"))
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
    select(sessions.c.rotation, sessions.c.rotated_at, accounts.c.uuid)
    .select_from(sessions.join(accounts))
    .where(_here, accounts.c.is_active, accounts.c.deleted_at.is_(None))
)
_end = Statement(delete(sessions).where(sessions.c.uuid == bindparam("session")))


def rotate(
    connection: Connection, token: RefreshToken, *, door: str, now: int, expires_at: int
) -> Refreshed | Ended | None:
    """Use a refresh token; None when it isn't good, and one used before ends its session.

    The session then lives until ``expires_at``. It doesn't raise, which would undo that end.
    """
    _rotate(
        connection, session=token.session, door=door, n=token.n, now=now, new_expires_at=expires_at
    )
    state = _state(connection, session=token.session, door=door, now=now).first()
    if state is None:
        return None
    if state.rotation == token.n + 1 and now <= state.rotated_at + GRACE:
        return Refreshed(account=state.uuid, n=state.rotation)
    if token.n < state.rotation:
        _end(connection, session=token.session)
        return Ended(account=state.uuid)
    return None


async def refresh(
    database: Database, keyring: Keyring, settings: Settings, refresh_token: str, *, door: str
) -> Tokens:
    """Trade a refresh token for new tokens; raises `Unauthorized`."""
    token = keyring.parse_refresh_token(refresh_token)
    now = clock.now()
    expires_at = now + settings.refresh_token_lifetime * clock.SECOND
    refreshed = await database.write(rotate, token, door=door, now=now, expires_at=expires_at)
    if isinstance(refreshed, Ended):
        events.record(Event.TOKEN_REUSED, account=refreshed.account, session=token.session)
    if not isinstance(refreshed, Refreshed):
        raise Unauthorized("The refresh token is not valid any more", error="invalid_token")
    return issue_tokens(
        keyring,
        settings,
        session=token.session,
        account=refreshed.account,
        n=refreshed.n,
        now=now,
    )


def account_of(connection: Connection, token: RefreshToken, *, door: str, now: int) -> str | None:
    """Return the account of the session that a refresh token is in force for; None when of none."""
    state = _state(connection, session=token.session, door=door, now=now).first()
    if state is None or state.rotation != token.n:
        return None
    account: str = state.uuid
    return account


async def renew(database: Database, keyring: Keyring, refresh_token: str, *, door: str) -> str:
    """Make a new access token by a refresh token that stays valid; raises `Unauthorized`."""
    token = keyring.parse_refresh_token(refresh_token)
    now = clock.now()
    account = await database.read(account_of, token, door=door, now=now)
    if account is None:
        raise Unauthorized("The refresh token is not valid any more", error="invalid_token")
    return keyring.issue_access_token(token.session, account, now)


async def log_out(access: Access) -> None:
    """End the session by which the caller came; raises `Forbidden` if it came by none."""
    _, identity = await access.write_by(end_own)
    events.record(Event.SESSION_ENDED, identity, session=identity.session)


async def log_out_of(access: Access, uuid: str) -> None:
    """Do what `end` does, for the log too."""
    _, identity = await access.write_by(end, uuid)
    events.record(Event.SESSION_ENDED, identity, session=uuid)


async def log_out_everywhere(access: Access) -> None:
    """Do what `end_all` does, for the log too."""
    _, identity = await access.write_by(end_all)
    events.record(Event.EVERYTHING_ENDED, identity)


def end_own(connection: Connection, identity: Identity) -> None:
    """End the session by which the caller came; raises `Forbidden` if it came by none."""
    if identity.session is None:
        raise Forbidden("The service token belongs to no session")
    _end(connection, session=identity.session)


def end(connection: Connection, identity: Identity, uuid: str) -> None:
    """End a session of the caller's account, at once; raises `NotFound`."""
    own = (sessions.c.account_id == identity.account_id) & (sessions.c.uuid == uuid)
    if connection.execute(delete(sessions).where(own)).rowcount == 0:
        raise NotFound("There is no such session")


def end_all(connection: Connection, identity: Identity) -> None:
    """End every session and API key of the caller's account."""
    end_everything(connection, identity.account_id)


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
    )
