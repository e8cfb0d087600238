"""Logins: a user name and password of a request become a session, for every contract alike."""

from fastapi import Request, Response

from app import clock
from app.accounts import accounts, authentication, registration, sessions
from app.accounts.accounts import Account
from app.accounts.authentication import Login
from app.accounts.identity import Access
from app.accounts.registration import Registration
from app.accounts.sessions import NewSession, Tokens
from app.errors import Forbidden, Unauthorized
from app.runtime import Runtime
from app.security.rate_limits import SIGN_UP, by_address, count_all
from routers.web import known_devices
from routers.web.dependencies import credential_of
from routers.web.forwarded import address_of


async def authenticate(request: Request, runtime: Runtime, username: str, password: str) -> Login:
    """Check a password; raises `Unauthorized`, or `TooManyRequests` after too many failures."""
    return await authentication.authenticate(
        runtime.database,
        runtime.passwords,
        runtime.rate_limits,
        username=username,
        password=password,
        address=address_of(request),
        devices=known_devices.of(request, runtime),
    )


async def open_session(
    request: Request, runtime: Runtime, login: Login, *, door: str, lifetime: int | None = None
) -> NewSession:
    """Begin a session; ``lifetime`` in seconds, a refresh token's by default."""
    session = sessions.new_session(
        runtime.settings,
        door=door,
        user_agent=request.headers.get("user-agent", ""),
        lifetime=lifetime,
    )
    await sessions.begin(runtime.database, login, session)
    return session


async def log_in(
    request: Request,
    response: Response,
    runtime: Runtime,
    username: str,
    password: str,
    *,
    door: str,
) -> Tokens:
    """Begin a session by a password, and return its first tokens; raises as `authenticate` does.

    ``response`` gets its headers.
    """
    login = await authenticate(request, runtime, username, password)
    session = await open_session(request, runtime, login, door=door)
    known_devices.remember(request, runtime, response, login)
    response.headers["Cache-Control"] = "no-store"
    return sessions.issue_tokens(
        runtime.keyring,
        runtime.settings,
        session=session.uuid,
        account=login.account,
        n=1,
        now=clock.now(),
    )


async def sign_up(
    request: Request, runtime: Runtime, username: str, email: str | None, password: str
) -> Account:
    """Make an account. Where registration is closed, only an administrator permits that.

    Raises `Forbidden`, `TooManyRequests`, and what `accounts.sign_up` raises.
    """
    opened_to = await registration.state(runtime.database, runtime.settings)
    if opened_to is not Registration.NOBODY:
        await count_all(runtime.rate_limits, by_address(SIGN_UP, address_of(request)))
    else:
        await _require_administrator(request, runtime)
    return await accounts.sign_up(
        runtime.database,
        runtime.passwords,
        username=username,
        email=email,
        password=password,
        tier=runtime.settings.default_tier,
        make=registration.create_first if opened_to is Registration.FIRST else accounts.create,
    )


async def _require_administrator(request: Request, runtime: Runtime) -> None:
    try:
        await Access(runtime.database, credential_of(request, runtime), "admin").check()
    except (Unauthorized, Forbidden) as error:
        if "authorization" in request.headers:
            raise
        raise Forbidden(registration.REFUSAL) from error
