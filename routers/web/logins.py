"""Logins and registrations by requests, the same for all contracts."""

from fastapi import Request, Response

from app.accounts.entities import Account, Login, NewSession, Tokens
from app.accounts.registration import REFUSAL
from app.errors import Forbidden, Unauthorized
from app.runtime import Runtime
from routers.web import known_devices
from routers.web.dependencies import credential_of
from routers.web.forwarded import address_of


async def authenticate(request: Request, runtime: Runtime, username: str, password: str) -> Login:
    """Check a password; raises `Unauthorized`, or `TooManyRequests` after too many failures."""
    return await runtime.logins.authenticate(
        username,
        password,
        address=address_of(request),
        devices=known_devices.of(request, runtime),
    )


async def open_session(
    request: Request, runtime: Runtime, login: Login, *, client: str, in_cookie: bool = False
) -> NewSession:
    """Begin a session; see `Logins.begin`."""
    user_agent = request.headers.get("user-agent", "")
    return await runtime.logins.begin(
        login, client=client, user_agent=user_agent, in_cookie=in_cookie
    )


async def log_in(
    request: Request,
    response: Response,
    runtime: Runtime,
    username: str,
    password: str,
    *,
    client: str,
) -> Tokens:
    """Begin a session with a password; returns its first tokens. Raises as `authenticate` does.

    Headers are set on ``response``.
    """
    login = await authenticate(request, runtime, username, password)
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
