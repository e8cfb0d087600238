"""URLs that are handed out: what they begin with, and those of public links."""

from fastapi import Request

from app.runtime import Runtime
from app.services import timelinks


def base_url(request: Request, runtime: Runtime) -> str:
    """Return what the service's URLs begin with: `PUBLIC_URL`, or where the request came to."""
    return runtime.settings.public_url or str(request.base_url).rstrip("/")


def base_path(request: Request) -> str:
    """Return what the service's paths begin with: nothing, or the path of `PUBLIC_URL`."""
    path: str = request.scope.get("root_path", "")
    return path


def link_url(request: Request, runtime: Runtime, uuid: str) -> str:
    """Return the URL of a timelink."""
    return f"{base_url(request, runtime)}/t/{timelinks.token_of(link_key(runtime), uuid)}"


def link_key(runtime: Runtime) -> bytes:
    """Return the key that the tokens of timelinks are made with."""
    return runtime.keyring.subkey("timelinks")
