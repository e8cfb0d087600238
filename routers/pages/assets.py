"""Files of the pages: styles, scripts, icons. Their URLs name their version, so browsers keep them.

All share one version, so that a script finds another beside itself.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fastapi import Request

from routers.web.urls import base_path

_FOLDER: Final = Path(__file__).parent / "static"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".ico": "image/vnd.microsoft.icon",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the pages, in memory."""

    content: bytes
    media_type: str


ASSETS: Final = {
    file.name: Asset(file.read_bytes(), _TYPES[file.suffix])
    for file in sorted(_FOLDER.iterdir())
    if file.is_file()
}
VERSION: Final = hashlib.sha256(
    b"".join(name.encode() + asset.content for name, asset in ASSETS.items())
).hexdigest()[:12]


def static_url(request: Request, name: str) -> str:
    """Return where a page finds a file of the ``static`` folder; raises `KeyError` without one."""
    if name not in ASSETS:
        raise KeyError(name)
    return f"{base_path(request)}/static/{VERSION}/{name}"
