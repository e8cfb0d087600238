"""Inboxes: links by which others give, made and read by the account that gets it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from app.accounts.identity import Access
from app.errors import NotFound
from app.inboxes import entities
from app.inboxes.entities import Mark
from app.runtime import Runtime
from routers.http.events import COMMENT, EventStream, event
from routers.http.qr import Format, FormatParam, qr_answer, qr_response
from routers.v1.schemas.inboxes import (
    Arrival,
    Inbox,
    InboxChange,
    InboxEvent,
    InboxList,
    InboxOptions,
    WholeInbox,
)
from routers.v1.schemas.lists import DEFAULT_LIMIT, CursorParam, Limit
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.problems import problems
from routers.web.route import HoldallRoute
from routers.web.urls import locate, own_link

router = APIRouter(prefix="/v1/inboxes", tags=["inboxes"], route_class=HoldallRoute)

Reading = Annotated[Access, Depends(Requires("timelinks:read"))]
_EVENT: Final = 'event: current\nid: 3\ndata: {"files": 3, "unseen": 1}\n\n'
_EVENTS: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": 'Events, with data like `{"files": 3, "unseen": 1}`: `current` first, then '
        "`changed` when something comes, or when its owner looks",
        "content": {"text/event-stream": {"schema": {"type": "string", "examples": [_EVENT]}}},
    }
}
Writing = Annotated[Access, Depends(Requires("timelinks:write"))]


@router.post(
    "",
    status_code=201,
    operation_id="inboxes_create",
    response_model=Inbox,
    responses=problems(),
)
async def create(
    body: InboxOptions,
    request: Request,
    response: Response,
    runtime: RuntimeDep,
    access: Writing,
) -> Inbox:
    """Make an inbox: a link by which anybody can give files to the account, and read nothing.

    What comes is kept, counts against the account's quota, and has no link of its own. An API key
    needs `files:write` as well.
    """
    hashed = await runtime.inboxes.hash_password(access, body.password)
    inbox = await runtime.inboxes.create(access, body.new_inbox(hashed))
    locate(request, response, f"/v1/inboxes/{inbox.uuid}")
    return described(request, runtime, inbox)


@router.get(
    "",
    operation_id="inboxes_list",
    response_model=InboxList,
    responses=problems(400),
)
async def list_inboxes(
    request: Request,
    runtime: RuntimeDep,
    access: Reading,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorParam = None,
) -> InboxList:
    """List inboxes, newest first, open or not.

    One that has ended stays until it is deleted.
    """
    page = await runtime.inboxes.page(access, limit, cursor)
    items = [described(request, runtime, inbox) for inbox in page.items]
    return InboxList(items=items, next_cursor=page.next_cursor)


@router.get(
    "/events",
    operation_id="inboxes_events",
    response_class=Response,
    responses=_EVENTS | problems(429),
)
async def events(runtime: RuntimeDep, access: Reading) -> Response:
    """Stream what comes as server-sent events: how many files the owner hasn't seen.

    The stream ends when the session or key does, and when the service stops; an `EventSource`
    reconnects by itself.
    """
    async with AsyncExitStack() as stack:
        marks = await stack.enter_async_context(runtime.inboxes.listen(access))
        return EventStream(_rendered(marks), stack.pop_all(), runtime.closing)


async def _rendered(marks: AsyncIterator[Mark | None]) -> AsyncIterator[bytes]:
    name = "current"
    async for mark in marks:
        if mark is None:
            yield COMMENT
            continue
        yield event(name, mark.total, InboxEvent(files=mark.total, unseen=mark.unseen))
        name = "changed"


@router.get(
    "/{id}",
    operation_id="inboxes_get",
    response_model=WholeInbox,
    responses=problems(400, 404),
)
async def get(
    id: UUID,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
    access: Reading,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorParam = None,
) -> WholeInbox:
    """Get an inbox with a page of what has arrived in it, newest first.

    A file is found at `/v1/files`, several that came together at `/v1/bundles`. An API key needs
    `files:read` as well.
    """
    inbox = await runtime.inboxes.find(access, str(id))
    page = await runtime.inboxes.arrivals(access, inbox, limit, cursor)
    items = [Arrival.of(arrival) for arrival in page.items]
    url = own_link(request, runtime, inbox.link)
    return WholeInbox.of(inbox, url, items=items, next_cursor=page.next_cursor)


@router.patch(
    "/{id}",
    operation_id="inboxes_update",
    response_model=Inbox,
    responses=problems(404),
)
async def update(
    id: UUID,  # noqa: A002 - on the wire
    body: InboxChange,
    request: Request,
    runtime: RuntimeDep,
    access: Writing,
) -> Inbox:
    """Change an inbox; fields that are absent stay as they are.

    An `expires_in` opens one again that has ended.
    """
    inbox = await runtime.inboxes.change(access, str(id), body.facts())
    return described(request, runtime, inbox)


@router.delete(
    "/{id}",
    status_code=204,
    operation_id="inboxes_delete",
    responses=problems(404),
)
async def delete(id: UUID, runtime: RuntimeDep, access: Writing) -> None:  # noqa: A002 - on the wire
    """Delete an inbox: its URL answers 404 from then on, and what is being sent is dropped.

    What has arrived stays.
    """
    await runtime.inboxes.remove(access, str(id))


@router.get(
    "/{id}/qr",
    operation_id="inboxes_get_qr",
    response_class=Response,
    responses=qr_answer() | problems(404),
)
async def get_qr(
    id: UUID,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
    access: Reading,
    image_format: FormatParam = Format.SVG,
) -> Response:
    """Get the QR code of an inbox that is open.

    One that has ended is a 404.
    """
    inbox = await runtime.inboxes.find(access, str(id))
    url = own_link(request, runtime, inbox.link)
    if url is None or not inbox.is_open:
        raise NotFound("The inbox has ended")
    return await qr_response(url, image_format)


def described(request: Request, runtime: Runtime, inbox: entities.Inbox) -> Inbox:
    """Return an inbox as its owner sees it."""
    return Inbox.of(inbox, own_link(request, runtime, inbox.link))
