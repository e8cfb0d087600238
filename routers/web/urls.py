"""URLs of the service, as it hands them out."""

from collections.abc import Callable

from fastapi import Request
from fastapi.responses import Response

from app.files.entities import File
from app.links.entities import LinkRef
from app.runtime import Runtime


def base_url(request: Request, runtime: Runtime) -> str:
    """Return the prefix of the service's URLs: `PUBLIC_URL`, or that of the request."""
    return runtime.settings.public_url or str(request.base_url).rstrip("/")


def base_path(request: Request) -> str:
    """Return the prefix of the service's paths: the path of `PUBLIC_URL`, if any."""
    path: str = request.scope.get("root_path", "")
    return path


def locate(request: Request, response: Response, path: str) -> None:
    """Set the Location of a new resource, given its path below the service's."""
    response.headers["Location"] = f"{base_path(request)}{path}"


def link_url(request: Request, runtime: Runtime, link: LinkRef) -> str | None:
    """Return the URL of a timelink; None if the signing key that it was made by is not set."""
    token = runtime.links.token_of(link)
    return None if token is None else f"{base_url(request, runtime)}/t/{token}"


def one_time_url(request: Request, runtime: Runtime) -> Callable[[str], str]:
    """Return what makes the URL of an invitation, or of a password reset, of its token."""
    base = base_url(request, runtime)
    return lambda token: f"{base}/welcome/{token}"


def file_link(request: Request, runtime: Runtime, file: File) -> str | None:
    """Return the URL of a file's link, if it has one."""
    return own_link(request, runtime, file.link)


def own_link(request: Request, runtime: Runtime, link: LinkRef | None) -> str | None:
    """Return the URL of the link that a thing has, if it has one."""
    return None if link is None else link_url(request, runtime, link)
