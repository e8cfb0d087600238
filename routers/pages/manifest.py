"""The manifest by which a phone or a laptop installs the pages as an app (W3C App Manifest)."""

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic_core import to_json

from routers.pages.assets import static_url
from routers.web.route import HoldallRoute
from routers.web.urls import base_path

router = APIRouter(include_in_schema=False, route_class=HoldallRoute)

_HEADERS: Final = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
_SHORTCUTS: Final = (
    ("Send a file", "/file/load"),
    ("Buffer", "/file/buffer"),
    ("Pictures", "/pictures"),
    ("Dumps", "/dumps"),
)


@router.get("/manifest.webmanifest")
async def manifest(request: Request) -> Response:
    """Answer the manifest; the app shares in what other apps on the device share."""
    base = base_path(request)
    document = {
        "id": f"{base}/",
        "name": "Holdall",
        "short_name": "Holdall",
        "description": "Files, a buffer between your devices, pictures and crash dumps.",
        "lang": "en",
        "start_url": f"{base}/",
        "scope": f"{base}/",
        "display": "standalone",
        "theme_color": "#2a6f6b",
        "background_color": "#f3f5f4",
        "icons": [
            _icon(request, "icon-192.png", "192x192", "any"),
            _icon(request, "icon-512.png", "512x512", "any"),
            _icon(request, "icon-maskable-512.png", "512x512", "maskable"),
            _icon(request, "icon.svg", "any", "any", "image/svg+xml"),
        ],
        "shortcuts": [{"name": name, "url": base + path} for name, path in _SHORTCUTS],
        "share_target": {
            "action": f"{base}/share",
            "method": "POST",
            "enctype": "multipart/form-data",
            "params": {
                "title": "title",
                "text": "text",
                "url": "url",
                "files": [{"name": "file", "accept": ["*/*"]}],
            },
        },
    }
    return Response(to_json(document), headers=_HEADERS, media_type="application/manifest+json")


def _icon(
    request: Request, name: str, sizes: str, purpose: str, media_type: str = "image/png"
) -> dict[str, Any]:
    return {
        "src": static_url(request, name),
        "sizes": sizes,
        "type": media_type,
        "purpose": purpose,
    }
