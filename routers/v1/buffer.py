"""The buffer: one clipboard per account, and its changes as they happen."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from pydantic_core import to_json

from app import clock
from app.accounts.identity import Access
from app.buffer import rows as buffer
from app.buffer.rows import Buffer, DataType, NewBuffer, Revision
from app.errors import BadRequest, FieldError, InvalidRequest
from app.objects import media_types
from app.objects.lifecycle import Received
from app.objects.preconditions import Preconditions
from app.objects.uploads import Body
from app.runtime import Runtime
from routers.http import ranges
from routers.http.bodies import body_of
from routers.http.downloads import Named, send_content
from routers.http.events import COMMENT, EventStream, event
from routers.http.headers import DEFAULT_TYPE, media_type
from routers.http.names import disposition_name, percent_decoded
from routers.v1.schemas.buffer import (
    BufferEvent,
    BufferFacts,
    DataTypeHeader,
    DispositionHeader,
    LastEventId,
    NameHeader,
)
from routers.v1.schemas.files import check_name
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.openapi import BINARY_BODY, binary_answer, created
from routers.web.problems import problems
from routers.web.route import HoldallRoute

router = APIRouter(prefix="/v1/buffer", tags=["buffer"], route_class=HoldallRoute)

Reading = Annotated[Access, Depends(Requires("buffer:read"))]
Writing = Annotated[Access, Depends(Requires("buffer:write"))]

# what clients say by themselves, curl for one
_NOT_OF_A_TEXT: Final = frozenset({DEFAULT_TYPE, "application/x-www-form-urlencoded"})
DATA_TYPE: Final = {"X-Data-Type": "What it is: `text` or `file`."}
_EVENTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": 'Events, with data like `{"version": 7, "empty": false}`: `current` first, '
        "then `changed` after each change (of several in a row perhaps only the last). Their ids "
        "are versions, too",
        "content": {"text/event-stream": {"schema": {"type": "string"}}},
    }
}


@router.put(
    "",
    operation_id="buffer_put",
    response_model=BufferFacts,
    responses=created(BufferFacts) | problems(400, 401, 403, 408, 409, 412, 413, 422, 503, 507),
    openapi_extra=BINARY_BODY,
)
async def put(
    request: Request,
    runtime: RuntimeDep,
    access: Writing,
    data_type: DataTypeHeader,
    file_name: NameHeader = None,
    disposition: DispositionHeader = None,
) -> Response:
    """Fill the buffer, or replace what is in it, from a raw body of any size."""
    conditions = ranges.write_preconditions(request.headers)
    if "content-range" in request.headers:  # RFC 9110 §14.5: never store a part as the whole
        raise BadRequest("PUT with Content-Range is not supported")
    name = header_name(file_name, disposition) if data_type == "file" else None
    new = new_buffer(runtime, data_type, name, request.headers.get("content-type"))
    filled, was_empty = await fill(runtime, access, new, body_of(request), conditions)
    return Response(
        to_json(BufferFacts.of(filled)),
        201 if was_empty else 200,
        {"ETag": ranges.etag(filled.content.sha256)},
        media_type="application/json",
    )


def new_buffer(
    runtime: Runtime, data_type: DataType, name: str | None, content_type: str | None
) -> NewBuffer:
    """Make up what to put into a buffer; senders often don't know of what type it is."""
    kind = media_type(content_type)
    if data_type == "text" and kind in _NOT_OF_A_TEXT:
        kind = "text/plain; charset=utf-8"
    if name is not None:
        kind = media_types.guess(name, kind)
    return NewBuffer(data_type, name, kind, runtime.settings.expire_time)


async def fill(
    runtime: Runtime, access: Access, new: NewBuffer, body: Body, conditions: Preconditions
) -> tuple[Buffer, bool]:
    """Put a body into the buffer, and tell all who listen; returns it and whether it was empty."""
    async with receive(runtime, access, body, conditions) as received:
        return await commit(runtime, access, new, received, conditions)


def receive(
    runtime: Runtime, access: Access, body: Body, conditions: Preconditions
) -> AbstractAsyncContextManager[Received]:
    """Receive a body that is to go into the buffer, as `Uploads.receive`."""
    admit = partial(buffer.admit, conditions=conditions, now=clock.now())
    return runtime.uploads.receive(access, body, kind=buffer.KIND, admit=admit)


async def commit(
    runtime: Runtime,
    access: Access,
    new: NewBuffer,
    received: Received,
    conditions: Preconditions,
) -> tuple[Buffer, bool]:
    """Put what was received into the buffer, and tell all who listen, as `fill`."""
    filled, was_empty = await access.write(buffer.put, new, received, conditions, clock.now())
    await _changed(runtime, filled.revision)
    return filled, was_empty


@router.head(
    "",
    operation_id="buffer_head",
    response_class=Response,
    responses=problems(401, 403, 404, 412, 422, 503),
)
@router.get(
    "",
    operation_id="buffer_get",
    response_class=Response,
    responses=binary_answer(DATA_TYPE) | problems(401, 403, 404, 412, 416, 422, 503),
)
async def get(
    request: Request, runtime: RuntimeDep, access: Reading, *, inline: bool = False
) -> Response:
    """Get what is in the buffer, or a range of it."""
    found = await access.read(buffer.find, clock.now())
    named = Named(found.name, found.content_type, headers={"X-Data-Type": found.data_type})
    return await send_content(request, runtime, found.content, named, inline=inline)


@router.delete(
    "",
    status_code=204,
    operation_id="buffer_delete",
    responses=problems(400, 401, 403, 404, 412, 422, 503),
)
async def delete(request: Request, runtime: RuntimeDep, access: Writing) -> None:
    """Empty the buffer."""
    conditions = ranges.write_preconditions(request.headers)
    revision = await access.write(buffer.remove, conditions, clock.now())
    await _changed(runtime, revision)


@router.get(
    "/events",
    operation_id="buffer_events",
    response_class=Response,
    responses=_EVENTS | problems(401, 403, 422, 429, 503),
)
async def events(
    runtime: RuntimeDep, access: Reading, last_event_id: LastEventId = None
) -> Response:
    """Listen to changes of the buffer, as server-sent events.

    The stream ends when the session or key does, and when the service is stopped; an
    `EventSource` connects again by itself.
    """
    async with AsyncExitStack() as stack:
        revisions = await stack.enter_async_context(runtime.buffer_events.listen(access))
        rendered = _rendered(revisions, last_event_id)
        return EventStream(rendered, stack.pop_all(), runtime.closing)


async def _changed(runtime: RuntimeDep, revision: Revision) -> None:
    """Do what has to be done after the commit of a change."""
    if revision.expires_at is None:
        runtime.sweep.wake()
    else:
        runtime.expiry.wake_for(revision.expires_at)
    await runtime.buffer_events.announce(revision)


def header_name(file_name: str | None, disposition: str | None) -> str:
    """Return the name that the headers give a file; raises `InvalidRequest` for a bad one."""
    where = "Content-Disposition" if file_name is None else "X-File-Name"
    try:
        if file_name is not None:
            return check_name(percent_decoded(file_name))
        return check_name(disposition_name(disposition or "") or "")
    except ValueError as error:
        wrong = FieldError(loc=["header", where], msg=str(error))
        raise InvalidRequest("A file needs its name", errors=[wrong]) from None


async def _rendered(
    revisions: AsyncIterator[Revision | None], last_event_id: str | None
) -> AsyncIterator[bytes]:
    seen = last_event_id.strip() if last_event_id else None
    is_first = True
    async for revision in revisions:
        if revision is None:
            yield COMMENT
            continue
        data = BufferEvent(version=revision.version, empty=revision.is_empty)
        if is_first:
            yield event("current", revision.version, data)
        if not is_first or seen not in {None, str(revision.version)}:
            yield event("changed", revision.version, data)
        is_first = False
