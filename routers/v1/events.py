"""Events: what happened to an account, by whom and from where."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import Response

from app.accounts.identity import Access
from app.activity.entities import Entry, Filters
from app.errors import InvalidRequest
from app.events.entities import EventType
from routers.http.events import COMMENT, EventStream, event
from routers.v1.schemas.events import Event, EventList
from routers.v1.schemas.lists import DEFAULT_LIMIT, CursorParam, Limit
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.problems import problems
from routers.web.route import HoldallRoute

router = APIRouter(prefix="/v1/events", tags=["events"], route_class=HoldallRoute)

Reading = Annotated[Access, Depends(Requires("events:read"))]
Types = Annotated[
    list[EventType],
    Query(alias="type", max_length=64, description="Only those of this type; may be repeated."),
]
_EXAMPLE: Final = (
    "event: message\nid: 0199a8b0-7f6e-7b1c-9a55-3d2f6c1e8a90\n"
    'data: {"type": "file.received", "facts": {"size": 14}}\n\n'
)
_STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Events as they happen, with data as in the list",
        "content": {"text/event-stream": {"schema": {"type": "string", "examples": [_EXAMPLE]}}},
    }
}


@router.get("", operation_id="events_list", responses=problems(400, 403, 404))
async def list_events(
    runtime: RuntimeDep,
    access: Reading,
    types: Types = [],  # noqa: B006 - FastAPI copies it
    everyone: Annotated[
        bool | None, Query(alias="all", description="Those of all accounts; for administrators.")
    ] = None,
    account: Annotated[
        UUID | None, Query(description="Those of this account; for administrators.")
    ] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorParam = None,
) -> EventList:
    """List what happened to the account, newest first.

    What strangers can repeat, such as a failed login, is one event an hour with a `count`.
    """
    filters = Filters(types, None if account is None else str(account))
    if everyone or account is not None:
        page = await runtime.activity.page_of_all(access, filters, limit, cursor)
    else:
        page = await runtime.activity.page(access, filters, limit, cursor)
    return EventList(items=[Event.of(e) for e in page.items], next_cursor=page.next_cursor)


@router.get(
    "/stream",
    operation_id="events_stream",
    response_class=Response,
    responses=_STREAM | problems(429),
)
async def stream(
    runtime: RuntimeDep,
    access: Reading,
    types: Types = [],  # noqa: B006 - FastAPI copies it
    last_event_id: Annotated[
        str | None,
        Header(max_length=64, description="The id of the last event that came before."),
    ] = None,
) -> Response:
    """Stream what happens to the account as server-sent events.

    An `EventSource` that reconnects gets what it missed, up to 200 events. The stream ends when the
    session or key does, and when the service stops.
    """
    async with AsyncExitStack() as stack:
        listening = runtime.activity.listen(access, Filters(types), _uuid(last_event_id))
        added = await stack.enter_async_context(listening)
        return EventStream(_rendered(added), stack.pop_all(), runtime.closing)


async def _rendered(added: AsyncIterator[Sequence[Entry]]) -> AsyncIterator[bytes]:
    async for entries in added:
        for entry in entries:
            yield event("message", entry.uuid, Event.of(entry))
        if not entries:
            yield COMMENT


def _uuid(sent: str | None) -> str | None:
    """Return an event's id as it came; raises `InvalidRequest`."""
    try:
        return None if not sent else str(UUID(sent))
    except ValueError:
        raise InvalidRequest("Last-Event-ID is no event's id") from None
