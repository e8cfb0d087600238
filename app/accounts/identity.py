"""Identities: a credential becomes an account and its rights, inside the request's transaction.

Nothing is cached, so a revoked session or key, a changed tier or a deleted account has effect from
the next transaction on, in every process.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from sqlalchemy import Connection

from app import clock
from app.accounts.lookups import WHO, WIDTH, Lookup
from app.database import Database
from app.errors import Forbidden, NotFound, Unauthorized
from app.events.entities import Actor, EventType, Subject
from app.events.log import record
from app.logging import CurrentRequest, current_request
from app.security.credentials import (
    SERVICE_ACCOUNT,
    AccessToken,
    ApiKey,
    Credential,
    OnBehalf,
    OpenedInbox,
    OpenedLink,
    ServiceToken,
)

P = ParamSpec("P")
T = TypeVar("T")

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
    title: str
    """What the inbox is called."""


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
    key_name: str | None = None
    giver: Giver | None = None  # a stranger in place of the account itself
    asked_at: int = 0  # when its request looked it up, in UTC microseconds
    address: str | None = None  # where that came from, as far as it is known

    @property
    def inbox_id(self) -> int | None:
        """The inbox by which what is stored comes; None: its account stores it."""
        return None if self.giver is None else self.giver.inbox

    @property
    def inbox_title(self) -> str | None:
        """What that inbox is called."""
        return None if self.giver is None else self.giver.title

    @property
    def actor(self) -> Actor:
        """Who does what this identity does; of a stranger only the address."""
        if self.giver is not None:
            return Actor(self.asked_at, self.address)
        return Actor(
            self.asked_at,
            self.address,
            self.account_uuid,
            self.username,
            self.session,
            self.key,
            self.key_name,
        )

    def record(
        self,
        connection: Connection,
        type: EventType,  # noqa: A002
        subject: Subject | None = None,
        /,
        **facts: Any,  # noqa: ANN401 - plain values
    ) -> None:
        """Record what it has done to its account, see `app.events.log.record`."""
        record(connection, type, self.account_id, self.actor, subject, **facts)

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


_OF_LINKS: Final = frozenset({"pictures:read"})
_OF_INBOXES: Final = frozenset({GIVING})


def identify(
    connection: Connection, credential: Credential, now: int, address: str | None = None
) -> Identity:
    """Return the identity of a credential; raises `Unauthorized` if it isn't valid any more.

    A stranger isn't told more than that an inbox isn't there: that raises `NotFound`. ``address``
    is that of the request.
    """
    statement, values = WHO.of(credential, now)
    return _identity(statement(connection, **values).first(), credential, now, address)


def _identity(
    found: tuple[Any, ...] | None, credential: Credential, now: int, address: str | None
) -> Identity:
    """Return who a look-up has found; raises as `identify` does."""
    if found is None:
        if isinstance(credential, OpenedInbox):
            raise NotFound("No such link, or it has expired")
        raise Unauthorized("The credentials are no longer valid", error="invalid_token")
    account_id, uuid, username, is_admin, *of_tier, scopes, session, key, key_name = found[:WIDTH]
    permitted = None if scopes is None else frozenset(scopes.split())
    giver: Giver | None = None
    match credential:
        case OpenedLink():
            permitted = _OF_LINKS
        case OpenedInbox(inbox=inbox, client=client, title=title):
            permitted, giver = _OF_INBOXES, Giver(inbox, client, title)
    tier = _tier(*of_tier)
    return Identity(
        account_id,
        uuid,
        username,
        bool(is_admin),
        tier,
        permitted,
        session,
        key,
        key_name,
        giver,
        now,
        address,
    )


@lru_cache(maxsize=256)  # by all that a tier says, so that none is ever out of date
def _tier(name: str, heights: str, original: int, links: int, *limits: int | None) -> Tier:
    return Tier(name, parse_heights(heights), bool(original), bool(links), *limits)


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
            case AccessToken(account=account) | OnBehalf(account=account):
                self._turn = account
            case ApiKey(hash=digest):
                self._turn = digest.hex()
            case ServiceToken():
                self._turn = SERVICE_ACCOUNT

    def needing(self, scope: str) -> "Access":
        """Return the access of the same caller, who needs ``scope``."""
        return Access(self._database, self._credential, scope)

    async def find(self, lookup: Lookup, **values: object) -> tuple[Any, ...] | None:
        """Find what is asked for, in one statement with who is asking; None: there is none.

        Returns the look-up's own columns, the first of which is never NULL in a row.
        """
        now, request = clock.now(), current_request.get()
        statement, of_credential = lookup.of(self._credential, now)
        found = (await self._database.fetch(statement, **of_credential, **values)).first()
        self._admit(_identity(found, self._credential, now, None), request)
        asked_for = found[WIDTH:]
        return None if asked_for[0] is None else asked_for

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
        address = None if request is None else request.address

        def run(connection: Connection) -> T:
            identity = identify(connection, self._credential, now, address)
            self._admit(identity, request)
            return fn(connection, identity, *args, **kwargs)

        return run

    def _admit(self, identity: Identity, request: CurrentRequest | None) -> None:
        """Note who is asking, who must have the scope."""
        if request is not None:
            request.account, request.key = identity.account_uuid, identity.key
            request.session = identity.session
        if self._scope is not None:
            identity.require(self._scope)


def _itself(_connection: Connection, identity: Identity) -> Identity:
    return identity
