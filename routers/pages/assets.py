"""Files of the pages: styles, scripts, icons. Their URLs name their version, so browsers keep them.

All share one version, so that a script finds another beside itself.
"""

import gzip
import hashlib
from dataclasses import dataclass
from functools import cached_property
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


@dataclass(frozen=True)
class Asset:
    """A file of the pages, in memory."""

    content: bytes
    media_type: str

    @cached_property
    def gzipped(self) -> bytes | None:
        """The content as gzip (RFC 1952), made once; None where that would gain nothing."""
        gzipped = gzip.compress(self.content, 9, mtime=0)
        return gzipped if len(gzipped) < 0.9 * len(self.content) else None


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
