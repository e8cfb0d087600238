"""Files of the pages: styles, icons. Their URLs name their content, so browsers keep them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.errors import NotFound

router = APIRouter(include_in_schema=False)

_FOLDER: Final = Path(__file__).parent / "static"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_HEADERS: Final = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the pages, in memory."""

    path: str
    content: bytes
    media_type: str


def _load(file: Path) -> Asset:
    content = file.read_bytes()
    version = hashlib.sha256(content).hexdigest()[:12]
    return Asset(f"{file.stem}.{version}{file.suffix}", content, _TYPES[file.suffix])


_assets: Final = {file.name: _load(file) for file in sorted(_FOLDER.iterdir()) if file.is_file()}
_by_path: Final = {asset.path: asset for asset in _assets.values()}


def static_url(request: Request, name: str) -> str:
    """Return where a page finds a file of the ``static`` folder; raises `KeyError` without one."""
    return f"{request.scope.get('root_path', '')}/static/{_assets[name].path}"


@router.head("/static/{path}")
@router.get("/static/{path}")
async def static(path: str) -> Response:
    """Answer a file of the pages."""
    asset = _by_path.get(path)
    if asset is None:
        raise NotFound
    return Response(asset.content, headers=_HEADERS, media_type=asset.media_type)
