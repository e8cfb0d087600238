"""Identities: a credential becomes an account and its rights, inside the request's transaction.

Nothing is cached, so a revoked session or key, a changed tier or a deleted account has effect from
the next transaction on, in every process.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, null, or_, select

from app import clock
from app.accounts.tables import accounts, api_keys, sessions, tiers
from app.database import Database, Statement
from app.errors import Forbidden, NotFound, Unauthorized
from app.logging import current_request
from app.security.credentials import (
    AccessToken,
    ApiKey,
    Credential,
    OpenedInbox,
    OpenedLink,
    OwnWork,
    ServiceToken,
)

P = ParamSpec("P")
T = TypeVar("T")

SERVICE_ACCOUNT: Final = "service"
"""User name of the built-in account, which the service token belongs to."""

GIVING: Final = "inboxes:give"
"""The scope of strangers who give to an inbox; no API key has it."""

_IMPLIED_BY: Final = {"dumps:submit": "dumps:write", "symbols:submit": "symbols:write"}


@dataclass(frozen=True, slots=True)
class Tier:
    """The limits and rights of a tier; None is no limit."""

    name: str
    heights: tuple[int, ...]
    allow_original: bool
    allow_links: bool
    max_object_bytes: int | None
    max_total_bytes: int | None
    max_objects: int | None
    default_lifetime: int | None = None
    """Seconds that sent files live if nobody says otherwise; None: `EXPIRE_TIME`."""
    max_lifetime: int | None = None
    """Seconds that a link may live."""
    default_downloads: int | None = None
    max_downloads: int | None = None
    """How many downloads a link may allow."""


@dataclass(frozen=True, slots=True)
class Giver:
    """A stranger who gives to an account by an inbox."""

    inbox: int
    """The id of its row."""
    client: bytes
    """A hash that tells the inbox's visitors apart."""


@dataclass(frozen=True, slots=True)
class Identity:
    """An active account, and what the request's credential permits."""

    account_id: int
    account_uuid: str
    username: str
    is_admin: bool
    tier: Tier
    scopes: frozenset[str] | None  # None: everything that the account may do
    session: str | None  # uuid of the session, if the credential is one
    key: str | None = None  # uuid of the API key, likewise
    giver: Giver | None = None  # a stranger in place of the account itself

    @property
    def inbox_id(self) -> int | None:
        """The inbox by which what is stored comes; None: its account stores it."""
        return None if self.giver is None else self.giver.inbox

    @property
    def is_service(self) -> bool:
        return self.username == SERVICE_ACCOUNT

    @property
    def only_submits(self) -> bool:
        """Whether its key may submit dumps but not write them, and so may be public."""
        scopes = self.scopes
        return scopes is not None and "dumps:submit" in scopes and "dumps:write" not in scopes

    def require(self, scope: str) -> None:
        """Raise `Forbidden` unless the credential permits ``scope``.

        ``account`` (to manage keys, sessions and the account itself) is permitted by no API key.
        ``admin`` is for administrators, but not for their keys; ``metrics:read`` is for them,
        their keys with that scope, and the service token.
        """
        if self.scopes is not None and not {scope, _IMPLIED_BY.get(scope)} & self.scopes:
            is_permitted_to_some = ":" in scope
            raise Forbidden(
                f"The API key lacks the scope {scope}"
                if is_permitted_to_some
                else "An API key can't do this"
            )
        if scope == "admin" and not self.is_admin:
            raise Forbidden("Only an administrator may do this")
        if scope == "metrics:read" and not (self.is_admin or self.is_service):
            raise Forbidden("Only an administrator or the service token may read the metrics")


def _columns(*also: ColumnElement[Any]) -> Select[Any]:
    columns: Select[Any] = select(
        accounts.c.id,
        accounts.c.uuid,
        accounts.c.username,
        accounts.c.is_admin,
        tiers.c.name,
        tiers.c.heights,
        tiers.c.allow_original,
        tiers.c.allow_links,
        tiers.c.max_object_bytes,
        tiers.c.max_total_bytes,
        tiers.c.max_objects,
        tiers.c.default_lifetime,
        tiers.c.max_lifetime,
        tiers.c.default_downloads,
        tiers.c.max_downloads,
        *also,
    )
    return columns.where(accounts.c.is_active, accounts.c.deleted_at.is_(None))


_by_session = Statement(
    _columns(null(), sessions.c.uuid, null())
    .select_from(sessions.join(accounts).join(tiers))
    .where(
        sessions.c.uuid == bindparam("session"),
        sessions.c.expires_at > bindparam("now"),
    )
)
_by_key = Statement(
    _columns(api_keys.c.scopes, null(), api_keys.c.uuid)
    .select_from(api_keys.join(accounts).join(tiers))
    .where(
        api_keys.c.hash == bindparam("hash"),
        or_(api_keys.c.expires_at.is_(None), api_keys.c.expires_at > bindparam("now")),
    )
)
_by_name = Statement(
    _columns(null(), null(), null())
    .select_from(accounts.join(tiers))
    .where(accounts.c.username_key == bindparam("username_key"))
)

_by_uuid = Statement(
    _columns(null(), null(), null())
    .select_from(accounts.join(tiers))
    .where(accounts.c.uuid == bindparam("account"))
)
_OF_LINKS: Final = frozenset({"pictures:read"})
_OF_INBOXES: Final = frozenset({GIVING})


def identify(connection: Connection, credential: Credential, now: int) -> Identity:
    """Return the identity of a credential; raises `Unauthorized` if it isn't valid any more.

    A stranger isn't told more than that an inbox isn't there: that raises `NotFound`.
    """
    match credential:
        case AccessToken(session=session):
            row = _by_session(connection, session=session, now=now).first()
        case ApiKey(hash=digest):
            row = _by_key(connection, hash=digest, now=now).first()
        case ServiceToken():
            row = _by_name(connection, username_key=SERVICE_ACCOUNT).first()
        case OpenedLink(account=account) | OpenedInbox(account=account) | OwnWork(account=account):
            row = _by_uuid(connection, account=account).first()
    if row is None:
        if isinstance(credential, OpenedInbox):
            raise NotFound("No such link, or it has expired")
        raise Unauthorized("The credentials are not valid any more", error="invalid_token")
    identity = _identity(row)
    match credential:
        case OpenedLink():
            return replace(identity, scopes=_OF_LINKS)
        case OpenedInbox(inbox=inbox, client=client):
            return replace(identity, scopes=_OF_INBOXES, giver=Giver(inbox, client))
    return identity


def _identity(row: Row[Any]) -> Identity:
    account_id, uuid, username, is_admin, name, heights, original, links, *more = tuple(row)
    max_object, max_total, max_objects, *of_links, scopes, session, key = more
    default_lifetime, max_lifetime, default_downloads, max_downloads = of_links
    tier = Tier(
        name=name,
        heights=parse_heights(heights),
        allow_original=bool(original),
        allow_links=bool(links),
        max_object_bytes=max_object,
        max_total_bytes=max_total,
        max_objects=max_objects,
        default_lifetime=default_lifetime,
        max_lifetime=max_lifetime,
        default_downloads=default_downloads,
        max_downloads=max_downloads,
    )
    permitted = None if scopes is None else frozenset(scopes.split())
    return Identity(account_id, uuid, username, bool(is_admin), tier, permitted, session, key)


def parse_heights(text: str) -> tuple[int, ...]:
    """Parse a tier's heights as they are stored: ``"200,400"``."""
    return tuple(int(height) for height in text.split(",") if height)


class Access:
    """The database for one request: each call first identifies the caller.

    Functions get the connection, the identity, and then their own arguments.
    """

    def __init__(self, database: Database, credential: Credential, scope: str | None) -> None:
        """``scope`` is what the caller needs; None: a valid credential."""
        self._database = database
        self._credential = credential
        self._scope = scope
        match credential:  # the writers of one account share commits, see `write_in_turn`
            case (
                AccessToken(account=account)
                | OpenedLink(account=account)
                | OpenedInbox(account=account)
                | OwnWork(account=account)
            ):
                self._turn = account
            case ApiKey(hash=digest):
                self._turn = digest.hex()
            case ServiceToken():
                self._turn = SERVICE_ACCOUNT

    def needing(self, scope: str) -> "Access":
        """Return the access of the same caller, who needs ``scope``."""
        return Access(self._database, self._credential, scope)

    async def read(
        self,
        fn: Callable[Concatenate[Connection, Identity, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run ``fn(connection, identity, …)`` that only reads."""
        return await self._database.read(self._admitting(fn, *args, **kwargs))

    async def read_long(
        self,
        fn: Callable[Concatenate[Connection, Identity, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Read as `Database.read_long` does."""
        return await self._database.read_long(self._admitting(fn, *args, **kwargs))

    async def write(
        self,
        fn: Callable[Concatenate[Connection, Identity, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run ``fn(connection, identity, …)`` in a transaction of its own."""
        admitting = self._admitting(fn, *args, **kwargs)
        return await self._database.write_in_turn(self._turn, admitting)

    async def write_by(
        self,
        fn: Callable[Concatenate[Connection, Identity, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> tuple[T, Identity]:
        """Do what `write` does; returns the identity too."""

        def both(connection: Connection, identity: Identity) -> tuple[T, Identity]:
            return fn(connection, identity, *args, **kwargs), identity

        return await self.write(both)

    async def identity(self) -> Identity:
        """Return the caller's identity; raises `Unauthorized` and `Forbidden`."""
        return await self.read(_itself)

    async def check(self) -> None:
        """Raise `Unauthorized` or `Forbidden` as `identity` does."""
        await self.read(_itself)

    def _admitting(
        self,
        fn: Callable[Concatenate[Connection, Identity, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Callable[[Connection], T]:
        """Return a function that identifies the caller and then runs ``fn``."""
        now = clock.now()
        request = current_request.get()

        def run(connection: Connection) -> T:
            identity = identify(connection, self._credential, now)
            if request is not None:
                request.account, request.key = identity.account_uuid, identity.key
            if self._scope is not None:
                identity.require(self._scope)
            return fn(connection, identity, *args, **kwargs)

        return run


def _itself(_connection: Connection, identity: Identity) -> Identity:
    return identity
