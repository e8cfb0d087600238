"""The buffer: one clipboard per account, and its changes as they happen."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from app.accounts.identity import Access
from app.buffer.entities import NewClip, Revision
from app.errors import BadRequest
from app.uploads.entities import Kind, NewUpload
from routers.http import ranges
from routers.http.bodies import body_of
from routers.http.downloads import DownloadHeaders, send_content
from routers.http.events import COMMENT, EventStream, event
from routers.http.headers import media_type
from routers.http.names import name_in_headers
from routers.v1 import answers
from routers.v1.schemas.buffer import (
    DATA_TYPE,
    BufferContent,
    BufferEvent,
    DataTypeHeader,
    DispositionHeader,
    History,
    LastEventId,
    NameHeader,
    PastClip,
)
from routers.v1.uploads import by_draft
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.downloadable import downloadable
from routers.web.openapi import BINARY_BODY, binary_answer, created
from routers.web.problems import problems
from routers.web.route import HoldallRoute

router = APIRouter(prefix="/v1/buffer", tags=["buffer"], route_class=HoldallRoute)

Reading = Annotated[Access, Depends(Requires("buffer:read"))]
Writing = Annotated[Access, Depends(Requires("buffer:write"))]

_EVENT: Final = 'event: current\nid: 7\ndata: {"version": 7, "empty": false}\n\n'
_EVENTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": 'Events, with data like `{"version": 7, "empty": false}`: `current` first, '
        "then `changed` after each change (of several in a row perhaps only the last). Their ids "
        "are versions, too",
        "content": {"text/event-stream": {"schema": {"type": "string", "examples": [_EVENT]}}},
    }
}


@router.put(
    "",
    operation_id="buffer_put",
    response_model=BufferContent,
    responses=created(BufferContent) | problems(408, 409, 412),
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
    """Fill the buffer, or replace what is in it, from a raw body of any size.

    Every device that listens to `/v1/buffer/events` is told. A file needs its name, in one of two
    headers.
    """
    conditions = ranges.write_preconditions(request.headers)
    if "content-range" in request.headers:  # RFC 9110 §14.5: never store a part as the whole
        raise BadRequest("PUT with Content-Range is not supported")
    name = name_in_headers(file_name, disposition) if data_type == "file" else None
    content_type = media_type(request.headers.get("content-type"))
    if (sent := await by_draft.begun(request, access)) is not None:
        fields = {"data_type": data_type, "name": name, "content_type": content_type}
        upload = NewUpload(Kind.BUFFER, fields, terms=by_draft.terms_of(request, conditions))
        return await by_draft.create(request, runtime, access, sent, upload)
    new = NewClip(data_type, name, content_type)
    made = await runtime.buffer.put(access, new, body_of(request), conditions)
    return answers.made(request, runtime, made)


by_draft.announce(router, "", "buffer_options")


@router.head(
    "",
    operation_id="buffer_head",
    response_class=Response,
    responses=problems(404, 412),
)
@router.get(
    "",
    operation_id="buffer_get",
    response_class=Response,
    responses=binary_answer(DATA_TYPE) | problems(404, 412, 416),
)
async def get(
    request: Request, runtime: RuntimeDep, access: Reading, *, inline: bool = False
) -> Response:
    """Get what is in the buffer, or a range of it.

    `X-Data-Type` says whether it is a text or a file. An empty buffer is a 404.
    """
    clip = await runtime.buffer.find(access)
    headers = DownloadHeaders(
        clip.name, clip.content_type, extra=(("X-Data-Type", clip.data_type),)
    )
    return await send_content(request, runtime, clip.content, headers, inline=inline)


@router.delete(
    "",
    status_code=204,
    operation_id="buffer_delete",
    responses=problems(400, 404, 412, 422),
)
async def delete(request: Request, runtime: RuntimeDep, access: Writing) -> None:
    """Empty the buffer.

    Every device that listens to `/v1/buffer/events` is told.
    """
    conditions = ranges.write_preconditions(request.headers)
    await runtime.buffer.clear(access, conditions)


@router.get(
    "/history",
    operation_id="buffer_list_history",
    response_model=History,
)
async def list_history(runtime: RuntimeDep, access: Reading) -> History:
    """List what was in the buffer before, newest first.

    With what is in it, an account has up to 20; each expires by itself.
    """
    return History(items=[PastClip.of(past) for past in await runtime.buffer.history(access)])


@router.delete("/history", status_code=204, operation_id="buffer_clear_history")
async def clear_history(runtime: RuntimeDep, access: Writing) -> None:
    """Delete all that was in the buffer before.

    What is in it stays.
    """
    await runtime.buffer.clear_history(access)


@router.delete(
    "/history/{id}",
    status_code=204,
    operation_id="buffer_delete_past",
    responses=problems(404),
)
async def delete_past(id: UUID, runtime: RuntimeDep, access: Writing) -> None:  # noqa: A002 - on the wire
    """Delete one of the things that were in the buffer before.

    What has expired is a 404.
    """
    await runtime.buffer.remove_past(access, str(id))


@router.post(
    "/history/{id}/restore",
    operation_id="buffer_restore",
    response_model=BufferContent,
    responses=problems(404),
)
async def restore(id: UUID, runtime: RuntimeDep, access: Writing) -> BufferContent:  # noqa: A002 - on the wire
    """Bring back what was in the buffer before: it expires as if it were put in now.

    What is in the buffer goes into its history.
    """
    return BufferContent.of(await runtime.buffer.bring_back(access, str(id)))


@downloadable(
    router,
    "/history/{id}/content",
    get="buffer_get_past",
    head="buffer_head_past",
)
async def get_past(
    id: UUID,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
    access: Reading,
    *,
    inline: bool = False,
) -> Response:
    """Get the bytes of what was in the buffer before, or a range of them.

    The type is the one that they were sent with.
    """
    past = await runtime.buffer.find_past(access, str(id))
    headers = DownloadHeaders(
        past.name, past.content_type, extra=(("X-Data-Type", past.data_type),)
    )
    return await send_content(request, runtime, past.content, headers, inline=inline)


@router.get(
    "/events",
    operation_id="buffer_events",
    response_class=Response,
    responses=_EVENTS | problems(429),
)
async def events(
    runtime: RuntimeDep, access: Reading, last_event_id: LastEventId = None
) -> Response:
    """Stream changes of the buffer as server-sent events.

    The stream ends when the session or key does, and when the service stops; an `EventSource`
    reconnects by itself.
    """
    async with AsyncExitStack() as stack:
        revisions = await stack.enter_async_context(runtime.buffer.listen(access))
        rendered = _rendered(revisions, last_event_id)
        return EventStream(rendered, stack.pop_all(), runtime.closing)


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
