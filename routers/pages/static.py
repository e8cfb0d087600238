"""Files of the pages: styles, scripts, icons. Their URLs name their version, so browsers keep them.

All share one version, so that a script finds another beside itself.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.errors import NotFound
from routers.links import base_path
from routers.route import HoldallRoute

router = APIRouter(include_in_schema=False, route_class=HoldallRoute)

_FOLDER: Final = Path(__file__).parent / "static"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}
_HEADERS: Final = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the pages, in memory."""

    content: bytes
    media_type: str


_assets: Final = {
    file.name: Asset(file.read_bytes(), _TYPES[file.suffix])
    for file in sorted(_FOLDER.iterdir())
    if file.is_file()
}
_version: Final = hashlib.sha256(
    b"".join(name.encode() + asset.content for name, asset in _assets.items())
).hexdigest()[:12]


def static_url(request: Request, name: str) -> str:
    """Return where a page finds a file of the ``static`` folder; raises `KeyError` without one."""
    if name not in _assets:
        raise KeyError(name)
    return f"{base_path(request)}/static/{_version}/{name}"


@router.head("/static/{version}/{name}")
@router.get("/static/{version}/{name}")
async def static(version: str, name: str) -> Response:
    """Answer a file of the pages."""
    asset = _assets.get(name)
    if asset is None or version != _version:
        raise NotFound
    return Response(asset.content, headers=_HEADERS, media_type=asset.media_type)
