"""What the pages of all public links have in common."""

from fastapi import Request
from fastapi.responses import Response

from app.links.entities import PublicLink
from routers.pages.rendering import SCRIPTED_CSP, iso_time, render


def render_link(
    request: Request, link: PublicLink, template: str, status: int = 200, **context: object
) -> Response:
    """Render a page of a link, with what is left of that."""
    return render(
        request,
        template,
        status,
        {"Content-Security-Policy": SCRIPTED_CSP},
        expires_at=None if link.expires_at is None else iso_time(link.expires_at),
        time_left=link.time_left,
        downloads_left=link.downloads_left,
        **context,
    )
