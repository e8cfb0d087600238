"""Swagger UI, with its assets served from here: it works on a machine without a network."""

from html import escape
from importlib.resources import files
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from routers.web.route import HoldallRoute

router = APIRouter(include_in_schema=False, route_class=HoldallRoute)

_ASSETS: Final = files("fastapi_swagger") / "resources"
_TYPES: Final = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
_START: Final = """\
const here = new URL(".", document.currentScript.src);
window.ui = SwaggerUIBundle({
  url: new URL("../openapi.json", here).href,
  dom_id: "#swagger-ui",
  deepLinking: true,
  docExpansion: "none",
  defaultModelsExpandDepth: 0,
  persistAuthorization: false,
  oauth2RedirectUrl: null,
});
"""
_UNTIL_UPDATED: Final = {"Cache-Control": "no-cache"}
_CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """Show Swagger UI."""
    base = escape(f"{request.scope.get('root_path', '')}/docs")
    page = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Holdall API</title>
<link rel="stylesheet" href="{base}/swagger-ui.css">
<link rel="icon" href="{base}/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{base}/swagger-ui-bundle.js"></script>
<script src="{base}/start.js"></script>
</body>
</html>
"""
    return HTMLResponse(page, headers={"Content-Security-Policy": _CSP} | _UNTIL_UPDATED)


@router.get("/docs/start.js")
async def start() -> Response:
    """Answer the script that starts Swagger UI."""
    return Response(_START, headers=_UNTIL_UPDATED, media_type="text/javascript")


def _add_asset(name: str, media_type: str) -> None:
    content = (_ASSETS / name).read_bytes()

    async def asset() -> Response:
        headers = {"Cache-Control": "public, max-age=86400"}
        return Response(content, headers=headers, media_type=media_type)

    router.add_api_route(f"/docs/{name}", asset)


for asset_name, asset_type in _TYPES.items():
    _add_asset(asset_name, asset_type)
