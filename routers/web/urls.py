"""URLs that are handed out: what they begin with, and public links, made and followed."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import Request
from fastapi.responses import Response

from app.config import Settings
from app.errors import FieldError, InvalidRequest, NotFound
from app.links import rows as timelinks
from app.runtime import Runtime
from app.security.rate_limits import LINK_MISSES, by_address, check_all, count_all
from routers.web.forwarded import address_of


def base_url(request: Request, runtime: Runtime) -> str:
    """Return what the service's URLs begin with: `PUBLIC_URL`, or where the request came to."""
    return runtime.settings.public_url or str(request.base_url).rstrip("/")


def base_path(request: Request) -> str:
    """Return what the service's paths begin with: nothing, or the path of `PUBLIC_URL`."""
    path: str = request.scope.get("root_path", "")
    return path


def locate(request: Request, response: Response, path: str) -> None:
    """Say where what has been made is to be found, by its path below the service's."""
    response.headers["Location"] = f"{base_path(request)}{path}"


def link_url(request: Request, runtime: Runtime, uuid: str) -> str:
    """Return the URL of a timelink."""
    return f"{base_url(request, runtime)}/t/{timelinks.token_of(link_key(runtime), uuid)}"


def link_key(runtime: Runtime) -> bytes:
    """Return the key that the tokens of timelinks are made with."""
    return runtime.keyring.subkey("timelinks")


def check_time(seconds: int, settings: Settings) -> None:
    """Raise `InvalidRequest` unless a link may live so long."""
    if not settings.min_link_time <= seconds <= settings.max_link_time:
        detail = f"A link lives {settings.min_link_time} to {settings.max_link_time} seconds"
        raise InvalidRequest(detail, errors=[FieldError(loc=["body", "time"], msg=detail)])


@asynccontextmanager
async def following(request: Request, runtime: Runtime) -> AsyncIterator[str]:
    """Give the address that a visitor's tries count for, and count one that leads nowhere.

    Raises `TooManyRequests` when there were too many of these.
    """
    visitor = address_of(request)
    counters = by_address(LINK_MISSES, visitor)
    await check_all(runtime.rate_limits, counters)
    try:
        yield visitor
    except NotFound:
        await count_all(runtime.rate_limits, counters)
        raise
