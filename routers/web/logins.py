"""Logins and registrations by requests, the same for all contracts."""

from typing import Final

from fastapi import Request, Response

from app.accounts.entities import Account, Login, NewSession, Tokens
from app.accounts.logins.authentication import Client
from app.accounts.registration import REFUSAL
from app.errors import Forbidden, SecondFactorNeeded, Unauthorized
from app.runtime import Runtime
from routers.web import known_devices
from routers.web.dependencies import credential_of
from routers.web.forwarded import address_of

USE_A_KEY: Final = "This account has a second factor, for which programs need an API key"


async def authenticate(
    request: Request, runtime: Runtime, username: str, password: str, otp: str | None = None
) -> Login:
    """Check a password, and the code of an account with a second factor.

    Raises `Unauthorized`, `SecondFactorNeeded` where the password is right, and `TooManyRequests`
    after too many failures.
    """
    client = client_of(request, runtime)
    return await runtime.logins.authenticate(username, password, otp, client)


async def authenticate_program(
    request: Request, runtime: Runtime, username: str, password: str
) -> Login:
    """Check a password where a contract has no place for a code; raises as `authenticate` does."""
    try:
        return await authenticate(request, runtime, username, password)
    except SecondFactorNeeded as error:
        raise SecondFactorNeeded(USE_A_KEY) from error


def client_of(request: Request, runtime: Runtime) -> Client:
    """Return who signs in by a request."""
    return Client(address_of(request), known_devices.of(request, runtime))


async def open_session(
    request: Request, runtime: Runtime, login: Login, *, client: str, in_cookie: bool = False
) -> NewSession:
    """Begin a session; see `Logins.begin`."""
    user_agent = request.headers.get("user-agent", "")
    return await runtime.logins.begin(
        login, client=client, user_agent=user_agent, in_cookie=in_cookie
    )


async def begin(
    request: Request, response: Response, runtime: Runtime, login: Login, *, client: str
) -> Tokens:
    """Begin a session of tokens, and return the first ones. Headers are set on ``response``."""
    session = await open_session(request, runtime, login, client=client)
    known_devices.remember(request, runtime, response, login)
    response.headers["Cache-Control"] = "no-store"
    return runtime.logins.first_tokens(login, session)


async def sign_up(
    request: Request, runtime: Runtime, username: str, email: str | None, password: str
) -> Account:
    """Make an account. Where registration is closed, only an administrator permits that.

    Raises `Forbidden`, and what `Accounts.sign_up` raises.
    """

    async def require_administrator() -> None:
        try:
            await runtime.access(credential_of(request, runtime), "admin").check()
        except (Unauthorized, Forbidden) as error:
            if "authorization" in request.headers:
                raise
            raise Forbidden(REFUSAL) from error

    return await runtime.accounts.sign_up(
        username, email, password, address=address_of(request), permit=require_administrator
    )
