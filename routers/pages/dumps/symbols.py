"""The page of symbols: what there is, what the newest dumps lack, and how to add it."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.dumps.modules import Missing
from app.symbols.entities import Filters
from routers.pages.rendering.page import PageRoute, SignedIn, render_app
from routers.v1.schemas.dumps.symbols import MissingSymbols, Symbols
from routers.v1.schemas.lists import CursorParam
from routers.web.dependencies import RuntimeDep
from routers.web.urls import base_path, base_url

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_PAGE: Final = 50
_WANTED: Final = 20


@router.get("/symbols")
async def show(
    request: Request, visitor: SignedIn, runtime: RuntimeDep, cursor: CursorParam = None
) -> Response:
    """Show the account's symbols, newest first, below those that are most wanted."""
    page = await runtime.symbols.page(visitor.access, Filters(), _PAGE, cursor)
    wanted: Sequence[Missing] = ()
    if cursor is None:
        wanted = await runtime.dumps.missing_symbols(visitor.access, _WANTED)
    more = None
    if page.next_cursor is not None:
        more = f"{base_path(request)}/symbols?{urlencode({'cursor': page.next_cursor})}"
    return render_app(
        request,
        "symbols.html",
        visitor,
        place="dumps",
        symbols=[Symbols.of(symbols) for symbols in page.items],
        wanted=[MissingSymbols.of(missing) for missing in wanted],
        is_first=cursor is None,
        more=more,
        url=base_url(request, runtime),
        source_url=(await runtime.accounts.profile(visitor.access)).source_url,
    )
