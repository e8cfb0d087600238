"""The page of the account's timelinks: the active, the ended, and a form for a new one."""

from typing import Annotated, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field

from app.blobs.entities import MAX_ID_LENGTH
from app.errors import Forbidden, InvalidRequest, NotFound, ProblemError
from app.links import entities, targets
from app.links.entities import LinkSort, Wanted
from app.links.targets import Target
from app.runtime import Runtime
from routers.http.forms.reading import check_fields, read_fields
from routers.pages.link_choice import USUAL_TIME, link_choice
from routers.pages.rendering.page import PageRoute, SignedIn, Visitor, render_app
from routers.v1.schemas.accounts.accounts import GivenPassword
from routers.v1.schemas.fields import Text
from routers.v1.schemas.lists import CursorParam, NameParam
from routers.v1.schemas.timelinks import LinkState, NewTimelink, TargetType, Timelink
from routers.web.dependencies import RuntimeDep
from routers.web.problems import invalid
from routers.web.urls import base_path, link_url

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_LIMIT: Final = 100  # links on a page
_ACTIVE: Final = Wanted(only_active=True)


class LinkForm(BaseModel):
    """The form for a new link; an empty field counts as absent."""

    kind: TargetType = TargetType("file")
    id: Annotated[Text, Field(max_length=MAX_ID_LENGTH)] = ""
    time: str = str(USUAL_TIME)
    max_downloads: str = ""
    password: GivenPassword = ""
    note: Annotated[Text, Field(max_length=4096)] = ""
    originals: bool = False

    def checked(self) -> NewTimelink:
        """Return the new link; raises `RequestValidationError`."""
        fields = self.model_dump(mode="json")
        return check_fields(NewTimelink, {n: value for n, value in fields.items() if value})


@router.get("/links")
async def show(
    request: Request,
    runtime: RuntimeDep,
    visitor: SignedIn,
    state: LinkState = LinkState.ACTIVE,
    cursor: CursorParam = None,
    kind: TargetType | None = None,
    id: Annotated[Text, Field(max_length=MAX_ID_LENGTH), Query()] = "",  # noqa: A002 - in the URL
    made: UUID | None = None,
    q: NameParam = "",
    sort: LinkSort = LinkSort.NEWEST,
) -> Response:
    """List the links of one state; ``kind`` and ``id`` fill in the form for a new one."""
    form = None if kind is None else LinkForm(kind=kind, id=id)
    listed = Wanted(q, sort, state is LinkState.ACTIVE)
    return await _page(request, runtime, visitor, form, listed=listed, cursor=cursor, made=made)


@router.post("/links")
async def create(request: Request, runtime: RuntimeDep, visitor: SignedIn) -> Response:
    """Make a link, and redirect to the page that shows it."""
    form = await read_fields(request, LinkForm)
    try:
        new = form.checked()
        named = await runtime.links.find_named(visitor.access, new.kind.value, new.id)
        link = await runtime.links.create(
            visitor.access,
            new.kind.value,
            named or new.id,
            new.time,
            max_downloads=new.max_downloads,
            password=new.password,
            note=new.note,
            originals=new.originals,
        )
    except RequestValidationError as error:
        return await _page(request, runtime, visitor, form, wrong=invalid(error))
    except (InvalidRequest, NotFound, Forbidden) as error:
        return await _page(request, runtime, visitor, form, wrong=error)
    return RedirectResponse(f"{base_path(request)}/links?made={link.uuid}", 303)


async def _page(
    request: Request,
    runtime: Runtime,
    visitor: Visitor,
    form: LinkForm | None,
    *,
    listed: Wanted = _ACTIVE,
    cursor: str | None = None,
    made: UUID | None = None,
    wrong: ProblemError | None = None,
) -> Response:
    """Render the page; the form is open if it has been filled in."""
    page = await runtime.links.page(visitor.access, _LIMIT, cursor, listed)
    state = LinkState.ACTIVE if listed.only_active else LinkState.EXPIRED
    query = {"state": state.value, "q": listed.text, "sort": listed.sort.value}

    def on_the_page(link: entities.Timelink) -> Timelink:
        return Timelink.of(link, link_url(request, runtime, link.ref))

    new = await _just_made(runtime, visitor, made)
    return render_app(
        request,
        "links.html",
        visitor,
        200 if wrong is None else wrong.status,
        place="links",
        state=state.value,
        links=[on_the_page(link) for link in page.items],
        listed=listed,
        more=page.next_cursor and urlencode(query | {"cursor": page.next_cursor}),
        made=None if new is None else on_the_page(new),
        target_types=[target_type.value for target_type in TargetType],
        allows_pictures=targets.allows("picture", visitor.identity.tier),
        is_asked=form is not None,
        form=form or LinkForm(),
        wanted=None if form is None else await _wanted(runtime, visitor, form),
        wrong=wrong,
        **link_choice(runtime.settings, visitor.identity.tier),
    )


async def _just_made(
    runtime: Runtime, visitor: Visitor, made: UUID | None
) -> entities.Timelink | None:
    """Return the link that the form has just made, which is shown first."""
    if made is None:
        return None
    try:
        link = await runtime.links.find(visitor.access, str(made))
    except NotFound:
        return None
    return link if link.is_active else None


async def _wanted(runtime: Runtime, visitor: Visitor, form: LinkForm) -> Target | None:
    """Return the target of the form's link, if it exists."""
    return await runtime.links.target(visitor.access, form.kind.value, form.id)
