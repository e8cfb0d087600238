"""Logins: sessions that begin with a password, their tokens, and API keys."""

from uuid_utils import uuid7

from app import clock
from app.accounts.entities import ApiKeyRecord, Login, NewSession, Session, Tokens
from app.accounts.identity import Access
from app.accounts.logins import api_keys, authentication, sessions
from app.accounts.logins.authentication import Client, Guard
from app.accounts.logins.session_uses import AGENT_MAX
from app.accounts.logins.sessions import Refreshed
from app.config import Settings
from app.database import Database
from app.database.pagination import Page
from app.errors import Unauthorized
from app.events.entities import actor_of_request
from app.logging import current_request
from app.security.keyring import Keyring


class Logins:
    """Begins, refreshes and ends sessions and API keys.

    A session belongs to a ``client``, the contract that it began with: its refresh tokens are not
    valid elsewhere.
    """

    def __init__(
        self, database: Database, keyring: Keyring, guard: Guard, settings: Settings
    ) -> None:
        self._database = database
        self._keyring = keyring
        self._guard = guard
        self._settings = settings

    async def authenticate(
        self, username: str, password: str, otp: str | None, client: Client
    ) -> Login:
        """Check a password, and the code of an account with a second factor.

        Raises `Unauthorized`, `SecondFactorNeeded` where the password is right, and
        `TooManyRequests` after too many failures.
        """
        return await authentication.authenticate(self._guard, username, password, otp, client)

    async def authenticate_by_code(self, proof: str, otp: str, client: Client) -> Login:
        """Check the code of somebody whose password was right, of which there is a proof.

        Raises as `authenticate` does.
        """
        return await authentication.authenticate_by_code(self._guard, proof, otp, client)

    async def begin(
        self, login: Login, *, client: str, user_agent: str, in_cookie: bool = False
    ) -> NewSession:
        """Begin a session; in a cookie it isn't refreshed, and so lives longer.

        Raises `Unauthorized` if the password has been changed since it was given.
        """
        settings, now = self._settings, clock.now()
        lifetime = settings.session_lifetime if in_cookie else settings.refresh_token_lifetime
        new = NewSession(
            uuid=str(uuid7()),
            client=client,
            user_agent=user_agent[:AGENT_MAX],
            created_at=now,
            expires_at=now + lifetime * clock.SECOND,
        )
        actor = actor_of_request(
            now, account=login.account, username=login.username, session=new.uuid
        )
        await self._database.write(sessions.open_session, login, new, actor)
        return new

    def first_tokens(self, login: Login, session: NewSession) -> Tokens:
        """Make the tokens of a session that has just begun."""
        return self._tokens(session.uuid, login.account, 1, session.created_at)

    async def refresh(self, refresh_token: str, *, client: str) -> Tokens:
        """Trade a refresh token for new tokens; raises `Unauthorized`."""
        token = self._keyring.parse_refresh_token(refresh_token)
        now = clock.now()
        refreshed = await self._database.write(
            sessions.rotate,
            token,
            client=client,
            actor=actor_of_request(now),
            expires_at=now + self._settings.refresh_token_lifetime * clock.SECOND,
        )
        if not isinstance(refreshed, Refreshed):
            raise _spent()
        _note_use(token.session)
        return self._tokens(token.session, refreshed.account, refreshed.n, now)

    async def renew(self, refresh_token: str, *, client: str) -> str:
        """Make a new access token by a refresh token that stays valid; raises `Unauthorized`."""
        token = self._keyring.parse_refresh_token(refresh_token)
        now = clock.now()
        account = await self._database.read(sessions.account_of, token, client=client, now=now)
        if account is None:
            raise _spent()
        _note_use(token.session)
        return self._keyring.issue_access_token(token.session, account, now)

    async def log_out(self, access: Access) -> None:
        """End the session by which the caller came; raises `Forbidden` if it came by none."""
        await access.write(sessions.end_own)

    async def end(self, access: Access, uuid: str) -> None:
        """End a session of the caller's account, at once; raises `NotFound`."""
        await access.write(sessions.end, uuid)

    async def end_everything(self, access: Access) -> None:
        """End every session and API key of the caller's account, at once."""
        await access.write(sessions.end_all)

    async def page(self, access: Access, limit: int, cursor: str | None) -> Page[Session]:
        """Return a page of the sessions of the caller's account, newest first."""
        return await access.read(sessions.list_own, limit, cursor, clock.now())

    async def create_key(
        self, access: Access, name: str, scopes: frozenset[str], expires_in: int | None
    ) -> tuple[str, ApiKeyRecord]:
        """Make an API key that lives for ``expires_in`` seconds; returns it and its record."""
        key, digest, record = api_keys.new_key(name, scopes, expires_in)
        await access.write(api_keys.create, digest, record)
        return key, record

    async def end_key(self, access: Access, uuid: str) -> None:
        """End an API key of the caller's account, at once; raises `NotFound`."""
        await access.write(api_keys.delete, uuid)

    async def keys(self, access: Access, limit: int, cursor: str | None) -> Page[ApiKeyRecord]:
        """Return a page of the API keys of the caller's account, newest first."""
        return await access.read(api_keys.list_own, limit, cursor, clock.now())

    def _tokens(self, session: str, account: str, n: int, now: int) -> Tokens:
        return Tokens(
            access_token=self._keyring.issue_access_token(session, account, now),
            refresh_token=self._keyring.issue_refresh_token(session, n),
            expires_in=self._settings.access_token_lifetime,
        )


def _note_use(session: str) -> None:
    request = current_request.get()
    if request is not None:
        request.session = session


def _spent() -> Unauthorized:
    return Unauthorized("The refresh token is no longer valid", error="invalid_token")
