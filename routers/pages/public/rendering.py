"""What the pages of all public links have in common."""

from typing import Final, NamedTuple

from fastapi import Request
from fastapi.responses import Response

from app.links.entities import PublicLink
from app.objects.entities import Content
from routers.pages.rendering.templates import SCRIPTED_CSP, render


class Look(NamedTuple):
    """What shows a kind of thing."""

    icon: str
    hue: str


_FILE: Final = Look("file", "files")
_LOOKS: Final = {
    "blob": Look("blobs", "blobs"),
    "dump": Look("dumps", "dumps"),
    "picture": Look("pictures", "pictures"),
    "bundle": Look("bundle", "files"),
    "inbox": Look("inboxes", "inboxes"),
}


def look_of(kind: str, content_type: str = "") -> Look:
    """Return the look of what a link leads to."""
    return _LOOKS.get("picture" if content_type.startswith("image/") else kind, _FILE)


def checksum_of(content: Content) -> str | None:
    """Return the SHA-256 of what is sent, if it is known."""
    return content.sha256.hex() if content.excerpt is None else None


def render_link(
    request: Request, link: PublicLink, template: str, status: int = 200, **context: object
) -> Response:
    """Render a page of a link, with what is left of that."""
    known: dict[str, object] = {"qr": None, "sha256": None}
    known["who"] = None if link.sender is None else f"From {link.sender}"
    return render(
        request,
        template,
        status,
        {"Content-Security-Policy": SCRIPTED_CSP},
        expires_at=link.expires_at,
        time_left=link.time_left,
        downloads_left=link.downloads_left,
        **(known | context),
    )
