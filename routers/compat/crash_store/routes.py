"""Crash Store: dumps under integer ids."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import JSONResponse, Response

from app.accounts.identity import Access
from app.dumps.entities import Filters
from app.errors import CredentialNeeded, InvalidRequest, ProblemError
from app.runtime import Runtime
from routers.compat import NO_CREDENTIAL
from routers.compat.crash_store.schemas import CrashStoreDump, CrashStoreError, CrashStoreNoFile
from routers.http import ranges
from routers.http.arrays import BATCH, send_array
from routers.http.downloads import DownloadHeaders, send_content
from routers.http.forms.reading import NoFile
from routers.http.forms.schemas import multipart_body
from routers.http.headers import DEFAULT_TYPE
from routers.v1.forms import dumps as dump_forms
from routers.v1.schemas.dumps.dumps import DumpChangeForm, DumpForm, DumpReplacementForm
from routers.v1.schemas.fields import Text
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.downloadable import downloadable
from routers.web.openapi import errors_as
from routers.web.route import HoldallRoute
from routers.web.urls import locate

_NO_FILE: Final = {
    "POST": "No file provided",
    "PUT": "File is required for PUT requests.",
}


class CrashStoreRoute(HoldallRoute):
    """A route whose errors are ``{"detail": …}``, or ``{"error": …}`` where a file is missing."""

    def answer_problem(self, request: Request, error: ProblemError) -> Response:
        """Return the answer to an error."""
        if isinstance(error, NoFile):
            return JSONResponse({"error": _NO_FILE[request.method]}, 400)
        detail, status = error.detail, error.status
        if isinstance(error, CredentialNeeded):
            detail = NO_CREDENTIAL
        if status == InvalidRequest.status:
            status = 400
            wrong = [f"{e['loc'][-1]}: {e['msg']}" for e in error.errors]
            detail = "; ".join(wrong) or detail
        return JSONResponse({"detail": detail}, status, error.headers)


router = APIRouter(prefix="/api/dumps", tags=["crash-store"], route_class=CrashStoreRoute)

Reading = Annotated[Access, Depends(Requires("dumps:read"))]
Writing = Annotated[Access, Depends(Requires("dumps:write"))]
Number = Annotated[int, Path(description="The dump's id.", ge=0)]

_errors = partial(errors_as, CrashStoreError)


def _errors_of_upload(*statuses: int) -> dict[int | str, dict[str, Any]]:
    declared = _errors(400, 401, 403, 408, 409, 413, 415, 503, 507, *statuses)
    declared[400]["model"] = CrashStoreNoFile | CrashStoreError
    return declared


@router.get(
    "/",
    operation_id="crash_store_list",
    response_model=list[CrashStoreDump],
    responses=_errors(401, 403, 503),
)
async def list_dumps(runtime: RuntimeDep, access: Reading) -> Response:
    """List all dumps, newest first.

    The array holds all of them, and is sent as it is read.
    """
    return await _send_list(runtime, access, Filters())


@router.get(
    "/by-label/{label:path}/",
    operation_id="crash_store_list_by_label",
    response_model=list[CrashStoreDump],
    responses=_errors(400, 401, 403, 503),
)
async def list_by_label(
    label: Annotated[Text, Path(description="The dumps' label.")],
    runtime: RuntimeDep,
    access: Reading,
) -> Response:
    """List the dumps with a label, newest first.

    A label that no dump has is an empty array.
    """
    return await _send_list(runtime, access, Filters(label=label))


async def _send_list(runtime: Runtime, access: Access, filters: Filters) -> Response:
    async def read(cursor: str | None) -> tuple[Sequence[CrashStoreDump], str | None]:
        page = await runtime.dumps.page(access, filters, BATCH, cursor)
        return [CrashStoreDump.of(dump) for dump in page.items], page.next_cursor

    return await send_array(read)


@router.post(
    "/",
    status_code=201,
    operation_id="crash_store_create",
    responses=_errors_of_upload(),
    openapi_extra=multipart_body(DumpForm),
)
async def create(
    request: Request, response: Response, runtime: RuntimeDep, access: Writing
) -> CrashStoreDump:
    """Upload a dump.

    Without a file it is a 400.
    """
    dump = CrashStoreDump.of(await dump_forms.create(request, runtime, access))
    locate(request, response, f"/api/dumps/{dump.id}/")
    return dump


@router.get(
    "/{id:number}/",
    operation_id="crash_store_get",
    responses=_errors(401, 403, 404, 503),
)
async def get(id: Number, runtime: RuntimeDep, access: Reading) -> CrashStoreDump:  # noqa: A002 - on the wire
    """Get a dump without its file.

    The id is the number that the dump got when it was uploaded.
    """
    return CrashStoreDump.of(await runtime.dumps.find_numbered(access, id))


@router.put(
    "/{id:number}/",
    operation_id="crash_store_replace",
    responses=_errors_of_upload(404, 412),
    openapi_extra=multipart_body(DumpReplacementForm),
)
async def replace(
    id: Number,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
    access: Writing,
) -> CrashStoreDump:
    """Replace a dump's file and label.

    An absent label is removed. Without a file it is a 400.
    """
    current = await runtime.dumps.find_numbered(access, id)
    return CrashStoreDump.of(await dump_forms.replace(request, runtime, access, current.uuid))


@router.patch(
    "/{id:number}/",
    operation_id="crash_store_update",
    responses=_errors(400, 401, 403, 404, 408, 409, 412, 413, 415, 503, 507),
    openapi_extra=multipart_body(DumpChangeForm),
)
async def update(
    id: Number,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
    access: Writing,
) -> CrashStoreDump:
    """Change a dump's file, its label, or both; absent fields stay as they are.

    The form may have a new file.
    """
    current = await runtime.dumps.find_numbered(access, id)
    return CrashStoreDump.of(await dump_forms.change(request, runtime, access, current.uuid))


@router.delete(
    "/{id:number}/",
    operation_id="crash_store_delete",
    responses=_errors(400, 401, 403, 404, 412, 503, 507),
)
async def delete(
    id: Number,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
    access: Writing,
) -> CrashStoreDump:
    """Delete a dump, and answer what it was.

    Its number is never used again.
    """
    conditions = ranges.write_preconditions(request.headers)
    current = await runtime.dumps.find_numbered(access, id)
    return CrashStoreDump.of(await runtime.dumps.remove(access, current.uuid, conditions))


@downloadable(
    router,
    "/{id:number}/download/",
    get="crash_store_download",
    head="crash_store_head_download",
    errors=_errors,
    statuses=(401, 403, 404, 410, 412, 503),
)
async def download(
    id: Number,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
    access: Reading,
) -> Response:
    """Download a dump's file.

    Conditions and ranges are honoured.
    """
    dump = await runtime.dumps.find_numbered(access, id)
    dump.require_bytes()
    headers = DownloadHeaders(dump.original_name, DEFAULT_TYPE)
    return await send_content(request, runtime, dump.content, headers)
