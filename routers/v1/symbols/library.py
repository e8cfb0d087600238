"""Symbols: upload, list, download and delete them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from app.accounts.identity import Access
from app.symbols.entities import Filters
from routers.http.bodies import body_of
from routers.http.downloads import DownloadHeaders, send_content
from routers.http.headers import DEFAULT_TYPE
from routers.v1.schemas.dumps.symbols import (
    MissingSymbols,
    MissingSymbolsList,
    NewSymbols,
    Symbols,
    SymbolsList,
    symbol_filters,
)
from routers.v1.schemas.files import FileName
from routers.v1.schemas.lists import DEFAULT_LIMIT, CursorParam, Limit
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.downloadable import downloadable
from routers.web.openapi import BINARY_BODY
from routers.web.problems import problems
from routers.web.route import HoldallRoute, direct

router = APIRouter(prefix="/v1/symbols", tags=["symbols"], route_class=HoldallRoute)

Reading = Annotated[Access, Depends(Requires("symbols:read"))]
Writing = Annotated[Access, Depends(Requires("symbols:write"))]
Submitting = Annotated[Access, Depends(Requires("symbols:submit"))]


@router.put(
    "/upload/{name}",
    status_code=201,
    operation_id="symbols_upload",
    response_model=NewSymbols,
    responses=problems(408, 409),
    openapi_extra=BINARY_BODY,
)
async def upload(
    name: FileName, request: Request, runtime: RuntimeDep, access: Submitting
) -> NewSymbols:
    """Upload a symbol file, or a ZIP of several.

    ELF and DWARF, Mach-O and dSYM, PE, PDB and Breakpad's `.sym` are told apart by their content;
    what else is in a ZIP is left out. A key with the scope `symbols:submit` may do this alone.
    """
    made = await runtime.symbols.create(access, name, body_of(request))
    return NewSymbols(items=[Symbols.of(symbols) for symbols in made])


@router.get(
    "",
    operation_id="symbols_list",
    response_model=SymbolsList,
    responses=problems(400),
)
async def list_symbols(
    runtime: RuntimeDep,
    access: Reading,
    filters: Annotated[Filters, Depends(symbol_filters)],
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorParam = None,
) -> SymbolsList:
    """List symbols, newest first.

    A file for several architectures has an item for each.
    """
    page = await runtime.symbols.page(access, filters, limit, cursor)
    items = [Symbols.of(symbols) for symbols in page.items]
    return SymbolsList(items=items, next_cursor=page.next_cursor)


@router.get(
    "/missing",
    operation_id="symbols_list_missing",
    response_model=MissingSymbolsList,
)
async def list_missing(
    runtime: RuntimeDep, access: Reading, limit: Limit = DEFAULT_LIMIT
) -> MissingSymbolsList:
    """List the symbols that stacks of the newest dumps lack, the most wanted first.

    They are all on one page.
    """
    found = await runtime.dumps.missing_symbols(access, limit)
    items = [MissingSymbols.of(missing) for missing in found]
    return MissingSymbolsList(items=items, next_cursor=None)


@router.get(
    "/{id}",
    operation_id="symbols_get",
    response_model=Symbols,
    responses=problems(404),
)
async def get(id: UUID, runtime: RuntimeDep, access: Reading) -> Symbols:  # noqa: A002 - on the wire
    """Get symbols without their bytes.

    `state` says whether they have been read, and `error` why they could not be.
    """
    return Symbols.of(await runtime.symbols.find(access, str(id)))


@router.delete(
    "/{id}",
    status_code=204,
    operation_id="symbols_delete",
    responses=problems(404),
)
async def delete(id: UUID, runtime: RuntimeDep, access: Writing) -> None:  # noqa: A002 - on the wire
    """Delete symbols.

    Their file goes with the last of them; reports that have been made keep what they have.
    """
    await runtime.symbols.remove(access, str(id))


@downloadable(
    router,
    "/{id}/content",
    get="symbols_get_content",
    head="symbols_head_content",
)
@direct
async def get_content(
    id: UUID,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
    access: Reading,
    *,
    inline: bool = False,
) -> Response:
    """Get the file that symbols came in, or a range of it.

    Conditions and ranges are honoured; the name is that of the uploaded file.
    """
    symbols = await runtime.symbols.find(access, str(id))
    headers = DownloadHeaders(symbols.name, DEFAULT_TYPE)
    return await send_content(request, runtime, symbols.content, headers, inline=inline)
