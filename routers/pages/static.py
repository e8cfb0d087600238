"""The routes of the pages' files, and of the icon that browsers ask for unasked."""

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.errors import NotFound
from routers.http.negotiation import accepts_gzip
from routers.pages.assets import ASSETS, VERSION
from routers.web.route import HoldallRoute

router = APIRouter(include_in_schema=False, route_class=HoldallRoute)

_NO_SNIFFING: Final = {"X-Content-Type-Options": "nosniff"}
_FOR_GOOD: Final = _NO_SNIFFING | {"Cache-Control": "public, max-age=31536000, immutable"}
_FOR_A_DAY: Final = _NO_SNIFFING | {"Cache-Control": "public, max-age=86400"}


@router.head("/static/{version}/{name}")
@router.get("/static/{version}/{name}")
async def static(version: str, name: str, request: Request) -> Response:
    """Answer a file of the pages."""
    asset = ASSETS.get(name)
    if asset is None or version != VERSION:
        raise NotFound
    headers = _FOR_GOOD | {"Vary": "Accept-Encoding"}
    if accepts_gzip(request) and asset.gzipped is not None:
        headers["Content-Encoding"] = "gzip"
        return Response(asset.gzipped, headers=headers, media_type=asset.media_type)
    return Response(asset.content, headers=headers, media_type=asset.media_type)


@router.head("/favicon.ico")
@router.get("/favicon.ico")
async def favicon() -> Response:
    """Answer the icon of addresses whose answers name none, such as downloads."""
    icon = ASSETS["favicon.ico"]
    return Response(icon.content, headers=_FOR_A_DAY, media_type=icon.media_type)
