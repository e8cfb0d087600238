"""The page of the account's timelinks: those that live, those that have ended, and a new one."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import Field

from app import clock
from app.config import Settings
from app.errors import NotFound
from app.services import targets, timelinks
from app.services.blobs import MAX_ID_LENGTH
from app.services.targets import Target
from routers.dependencies import RuntimeDep
from routers.links import link_url
from routers.pages.page import PageRoute, SignedIn, Visitor, render_app
from routers.schemas.dumps import Text
from routers.schemas.lists import CursorParam
from routers.schemas.timelinks import LinkKind, LinkState, Timelink

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_LIMIT: Final = 50  # links on a page
_TIMES: Final = (300, 900, 3600, 3 * 3600, 8 * 3600, 86_400, 7 * 86_400, 30 * 86_400)  # seconds
_USUAL: Final = 3600  # seconds


@router.get("/links")
async def show(
    request: Request,
    runtime: RuntimeDep,
    visitor: SignedIn,
    state: LinkState = LinkState.ACTIVE,
    cursor: CursorParam = None,
    kind: LinkKind | None = None,
    id: Annotated[Text, Field(max_length=MAX_ID_LENGTH), Query()] = "",  # noqa: A002 - in the URL
    made: UUID | None = None,
) -> Response:
    """List the links of one state; ``kind`` and ``id`` fill in the form for a new one."""
    now = clock.now()
    only_active = state is LinkState.ACTIVE
    page = await visitor.access.read(timelinks.page, _LIMIT, cursor, now, only_active=only_active)

    def on_the_page(link: timelinks.Timelink) -> Timelink:
        return Timelink.of(link, link_url(request, runtime, link.uuid), now)

    new = await _just_made(visitor, made, now)
    return render_app(
        request,
        "links.html",
        visitor,
        place="links",
        state=state.value,
        now=clock.to_datetime(now),
        links=[on_the_page(link) for link in page.items],
        next_cursor=page.next_cursor,
        made=None if new is None else on_the_page(new),
        kinds=[kind.value for kind in LinkKind],
        allows_pictures=targets.allows("picture", visitor.identity.tier),
        is_asked=kind is not None,
        wanted_kind=LinkKind.FILE.value if kind is None else kind.value,
        wanted_id=id,
        wanted=await _wanted(visitor, kind, id, now),
        times=_times(runtime.settings),
        usual=_USUAL,
    )


async def _just_made(visitor: Visitor, made: UUID | None, now: int) -> timelinks.Timelink | None:
    """Return the link to be shown first: the one that the form has just made."""
    if made is None:
        return None
    try:
        link = await visitor.access.read(timelinks.find, str(made), now)
    except NotFound:
        return None
    return link if link.is_active else None


async def _wanted(
    visitor: Visitor, kind: LinkKind | None, target_id: str, now: int
) -> Target | None:
    """Return what another page wants a link to, if it is there."""
    if kind is None:
        return None
    return await visitor.access.read(targets.find, kind.value, target_id, now)


def _times(settings: Settings) -> list[int]:
    """Return the times to choose from, in seconds: those that are allowed, and the longest."""
    allowed = {t for t in _TIMES if settings.min_link_time <= t <= settings.max_link_time}
    return sorted(allowed | {settings.max_link_time})
