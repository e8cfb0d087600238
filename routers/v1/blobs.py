"""Blobs: bytes under an id that the client chooses, in JSON or raw."""

import asyncio
import base64
from collections.abc import Callable
from functools import partial
from typing import Annotated, Final, TypeVar
from urllib.parse import quote

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import ValidationError
from pydantic_core import to_json

from app import clock
from app.accounts.identity import Access
from app.blobs import entities
from app.blobs.entities import BlobSort
from app.database.pagination import SORTED
from app.errors import BadRequest, ContentTooLarge, FieldError, InvalidRequest
from app.uploads.entities import Kind, NewUpload
from routers.http import ranges
from routers.http.bodies import body_of, content_length, read_json
from routers.http.downloads import DownloadHeaders, send_content
from routers.http.headers import media_type
from routers.v1 import answers
from routers.v1.schemas.blobs import (
    BlobIdInPath,
    BlobIdPrefix,
    BlobList,
    BlobReceipt,
    JsonBlob,
    NewBlob,
    NewBlobIdInPath,
    StoredBlob,
)
from routers.v1.schemas.lists import DEFAULT_LIMIT, CursorParam, Limit
from routers.v1.uploads import by_draft
from routers.web.dependencies import Requires, RuntimeDep, runtime_of
from routers.web.downloadable import downloadable
from routers.web.openapi import BINARY_BODY, created, json_body
from routers.web.problems import problems
from routers.web.route import HoldallRoute, direct
from routers.web.urls import locate

T = TypeVar("T")

router = APIRouter(prefix="/v1/blobs", tags=["blobs"], route_class=HoldallRoute)

Reading = Annotated[Access, Depends(Requires("blobs:read"))]
Writing = Annotated[Access, Depends(Requires("blobs:write"))]

_IN_LOOP: Final = 64 * 1024  # bytes of JSON that are parsed faster than handed to a thread
# of JSON beside the data: the id, escaped, and the members' names. Base64 takes 4 bytes for 3, and
# some encoders write "\\/" for "/"
_ENVELOPE: Final = 4096
_STORED: Final = to_json(BlobReceipt(message="Blob stored successfully"))


@router.post(
    "",
    status_code=201,
    operation_id="blobs_store",
    response_model=BlobReceipt,
    responses=problems(408, 409),
    openapi_extra=json_body(NewBlob),
)
@direct
async def store(request: Request, access: Writing) -> Response:
    """Store a new blob from JSON.

    The bytes come in base64; `PUT /v1/blobs/{id}/content` takes larger ones, and raw. An id that is
    in use is a 409.
    """
    runtime = runtime_of(request)
    limit = runtime.settings.max_json_blob
    if (content_length(request) or limit) > _IN_LOOP:
        await access.check()  # a stranger's body takes no memory
    async with read_json(request, limit * 3 // 2 + _ENVELOPE, runtime.memory) as body:
        try:
            blob_id, data = await _off_loop_when_large(len(body), partial(_parse, body))
        except InvalidRequest:
            await access.check()  # a stranger isn't told what is wrong
            raise
        if len(data) > limit:
            raise ContentTooLarge(f"A blob in JSON may have up to {limit} bytes; PUT its content")
        await runtime.blobs.create(access, blob_id, data)
    response = Response(_STORED, 201, media_type="application/json")
    locate(request, response, f"/v1/blobs/{quote(blob_id, safe='')}")
    return response


@router.get(
    "",
    operation_id="blobs_list",
    response_model=BlobList,
    responses=problems(400),
)
async def list_blobs(
    runtime: RuntimeDep,
    access: Reading,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorParam = None,
    prefix: Annotated[
        BlobIdPrefix | None, Query(description="Only blobs whose ids start with it.")
    ] = None,
    sort: Annotated[
        BlobSort | None,
        Query(
            description=f"Their order: `newest`, or with a prefix `id`. `size`, which begins with "
            f"the largest, is of the newest {SORTED:,} blobs alone."
        ),
    ] = None,
) -> BlobList:
    """List blobs, newest first, or by id below a prefix.

    Ids are compared code point by code point.
    """
    page = await runtime.blobs.page(access, limit, cursor, prefix=prefix, sort=sort)
    return BlobList(
        items=[StoredBlob.of(blob) for blob in page.items], next_cursor=page.next_cursor
    )


@router.get(
    "/{id}",
    operation_id="blobs_get",
    response_model=JsonBlob,
    responses=problems(404, 413),
)
@direct
async def get(request: Request, access: Reading, blob_id: BlobIdInPath) -> Response:
    """Get a blob in JSON.

    A blob that is too large for JSON is a 413, which names the URL of its content.
    """
    runtime = runtime_of(request)
    blob = await runtime.blobs.find(access, blob_id)
    limit = runtime.settings.max_json_blob
    if blob.content.size > limit:
        raise ContentTooLarge(
            f"The blob has {blob.content.size} bytes, and JSON carries {limit}; "
            f"get {request.scope['path']}/content"
        )
    async with runtime.memory.hold(blob.content.size):
        data = await runtime.downloads.read(blob.content)
        body = await _off_loop_when_large(len(data), partial(_render, blob, data))
    return Response(body, media_type="application/json")


@router.put(
    "/{id}/content",
    operation_id="blobs_put_content",
    response_model=StoredBlob,
    responses=created(StoredBlob) | problems(408, 409, 412),
    openapi_extra=BINARY_BODY,
)
@direct
async def put_content(
    request: Request, runtime: RuntimeDep, access: Writing, blob_id: NewBlobIdInPath
) -> Response:
    """Create a blob, or replace its bytes, from a raw body of any size.

    Readers see the old bytes or the new, never a mixture. `If-None-Match: *` creates only,
    `If-Match` replaces only the version that is meant.
    """
    conditions = ranges.write_preconditions(request.headers)
    content_type = media_type(request.headers.get("content-type"))
    if "content-range" in request.headers:  # RFC 9110 §14.5: never store a part as the whole
        raise BadRequest("PUT with Content-Range is not supported")
    if (sent := await by_draft.begun(request, access)) is not None:
        fields = {"name": blob_id, "content_type": content_type}
        new = NewUpload(Kind.BLOB, fields, terms=by_draft.terms_of(request, conditions))
        return await by_draft.create(request, runtime, access, sent, new)
    made = await runtime.blobs.put(access, blob_id, body_of(request), content_type, conditions)
    return answers.made(request, runtime, made)


by_draft.announce(router, "/{id}/content", "blobs_options_content")


@downloadable(
    router,
    "/{id}/content",
    get="blobs_get_content",
    head="blobs_head_content",
)
@direct
async def get_content(
    request: Request,
    runtime: RuntimeDep,
    access: Reading,
    blob_id: BlobIdInPath,
    *,
    inline: bool = False,
) -> Response:
    """Get a blob's bytes, or a range of them.

    Conditions and ranges are honoured; the type is the one that the bytes were sent with.
    """
    blob = await runtime.blobs.find(access, blob_id)
    headers = DownloadHeaders(blob_id.rpartition("/")[2], blob.content_type)
    return await send_content(request, runtime, blob.content, headers, inline=inline)


@router.delete(
    "/{id}",
    status_code=204,
    operation_id="blobs_delete",
    responses=problems(400, 404, 412),
)
async def delete(
    request: Request, runtime: RuntimeDep, access: Writing, blob_id: BlobIdInPath
) -> None:
    """Delete a blob.

    Its links end with it. `If-Match` deletes only the version that is meant.
    """
    conditions = ranges.write_preconditions(request.headers)
    await runtime.blobs.remove(access, blob_id, conditions)


async def _off_loop_when_large(size: int, work: Callable[[], T]) -> T:
    return work() if size <= _IN_LOOP else await asyncio.to_thread(work)


def _parse(body: bytes) -> tuple[str, bytes]:
    try:
        blob = NewBlob.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        raise InvalidRequest(
            errors=[FieldError(loc=["body", *e["loc"]], msg=e["msg"]) for e in found]
        ) from None
    try:
        return blob.id, _decoded(blob.data)
    except ValueError:
        wrong = FieldError(loc=["body", "data"], msg="Not base64")
        raise InvalidRequest("The data is not base64", errors=[wrong]) from None


def _decoded(text: str) -> bytes:
    data = base64.b64decode(text, validate=True)
    if len(data) != len(text) // 4 * 3 - text.count("="):  # Python lets more padding pass
        raise ValueError
    return data


def _render(blob: entities.Blob, data: bytes) -> bytes:
    return to_json(
        {
            "id": blob.name,
            "data": base64.b64encode(data).decode(),
            "size": len(data),
            "created_at": clock.to_datetime(blob.created_at),
        }
    )
