"""The pages of the account's inboxes: all, with a form for a new one, and each with what came."""

from typing import Annotated, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field

from app.errors import InvalidRequest, NotFound, ProblemError
from app.inboxes.entities import USUAL_TIME
from app.runtime import Runtime
from routers.http.forms.reading import check_fields, read_fields
from routers.pages.link_choice import times_for
from routers.pages.rendering.page import PageRoute, SignedIn, Visitor, render_app
from routers.v1.inboxes import described
from routers.v1.schemas.accounts.accounts import GivenPassword
from routers.v1.schemas.bundles import Member
from routers.v1.schemas.fields import Text
from routers.v1.schemas.inboxes import Arrival, ArrivalKind, InboxChange, InboxOptions
from routers.v1.schemas.lists import CursorParam
from routers.web.dependencies import RuntimeDep
from routers.web.problems import invalid
from routers.web.urls import base_path

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_LIMIT: Final = 50  # inboxes on a page, or things in one
_MEMBERS: Final = 100  # of a bundle that are shown
_DAY: Final = 86_400  # seconds
_TIMES: Final = (3600, _DAY, 3 * _DAY, 7 * _DAY, 14 * _DAY, 30 * _DAY)
_MIB: Final = 1024 * 1024


class InboxForm(BaseModel):
    """The form for an inbox; an empty field counts as absent."""

    title: Annotated[Text, Field(max_length=4096)] = ""
    message: Annotated[Text, Field(max_length=4096)] = ""
    max_files: str = ""
    max_mib: str = ""
    expires_in: str = ""
    password: GivenPassword = ""

    def given(self) -> dict[str, object]:
        """Return what is filled in, as the API has it; raises `RequestValidationError`."""
        sent = {n: v for n, v in self.model_dump(exclude={"max_mib"}).items() if v}
        if self.max_mib:
            size = check_fields(_Size, {"max_mib": self.max_mib}).max_mib
            sent["max_bytes"] = round(size * _MIB)
        return sent


class _Size(BaseModel):
    max_mib: Annotated[float, Field(gt=0, le=2**40, allow_inf_nan=False)]


class ChangeForm(InboxForm):
    """The form of one inbox: it is changed, and what is empty is none; or it is deleted."""

    act: Literal["change", "delete"]
    unprotected: bool = False


@router.get("/inboxes")
async def show(
    request: Request,
    runtime: RuntimeDep,
    visitor: SignedIn,
    cursor: CursorParam = None,
    made: UUID | None = None,
) -> Response:
    """List the inboxes; whoever looks has seen that something came."""
    return await _page(request, runtime, visitor, InboxForm(), cursor=cursor, made=made)


@router.post("/inboxes")
async def create(request: Request, runtime: RuntimeDep, visitor: SignedIn) -> Response:
    """Make an inbox, and redirect to the page that shows it."""
    form = await read_fields(request, InboxForm)
    try:
        options = check_fields(InboxOptions, form.given())
        hashed = await runtime.inboxes.hash_password(visitor.access, options.password)
        inbox = await runtime.inboxes.create(visitor.access, options.new_inbox(hashed))
    except RequestValidationError as error:
        return await _page(request, runtime, visitor, form, wrong=invalid(error))
    except InvalidRequest as error:
        return await _page(request, runtime, visitor, form, wrong=error)
    return RedirectResponse(f"{base_path(request)}/inboxes?made={inbox.uuid}", 303)


@router.get("/inboxes/{id}")
async def show_one(
    id: UUID,  # noqa: A002 - in the URL
    request: Request,
    runtime: RuntimeDep,
    visitor: SignedIn,
    cursor: CursorParam = None,
) -> Response:
    """Show an inbox with what has come by it."""
    return await _one(request, runtime, visitor, str(id), cursor=cursor)


@router.post("/inboxes/{id}")
async def change(
    id: UUID,  # noqa: A002 - in the URL
    request: Request,
    runtime: RuntimeDep,
    visitor: SignedIn,
) -> Response:
    """Change an inbox, or delete it."""
    form = await read_fields(request, ChangeForm)
    if form.act == "delete":
        await runtime.inboxes.remove(visitor.access, str(id))
        return RedirectResponse(f"{base_path(request)}/inboxes", 303)
    none = {"message": None, "max_files": None, "max_bytes": None}
    if form.unprotected:
        none["password"] = None
    try:
        given = {n: v for n, v in form.given().items() if n not in {"act", "unprotected"}}
        facts = check_fields(InboxChange, none | given).facts()
        await runtime.inboxes.change(visitor.access, str(id), facts)
    except RequestValidationError as error:
        return await _one(request, runtime, visitor, str(id), wrong=invalid(error))
    except InvalidRequest as error:
        return await _one(request, runtime, visitor, str(id), wrong=error)
    return RedirectResponse(f"{base_path(request)}/inboxes/{id}", 303)


async def _page(
    request: Request,
    runtime: Runtime,
    visitor: Visitor,
    form: InboxForm,
    *,
    cursor: str | None = None,
    made: UUID | None = None,
    wrong: ProblemError | None = None,
) -> Response:
    page = await runtime.inboxes.page(visitor.access, _LIMIT, cursor)
    await runtime.inboxes.see(visitor.access)
    inboxes = [described(request, runtime, inbox) for inbox in page.items]
    times, usual = _times(runtime, visitor)
    return render_app(
        request,
        "inboxes.html",
        Visitor(visitor.access, visitor.identity),
        200 if wrong is None else wrong.status,
        place="inboxes",
        inboxes=inboxes,
        next_cursor=page.next_cursor,
        made=next((one for one in inboxes if one.id == str(made)), None),
        form=form,
        is_asked=wrong is not None,
        wrong=wrong,
        times=times,
        usual=form.expires_in or str(usual),
    )


async def _one(
    request: Request,
    runtime: Runtime,
    visitor: Visitor,
    uuid: str,
    *,
    cursor: str | None = None,
    wrong: ProblemError | None = None,
) -> Response:
    inbox = await runtime.inboxes.find(visitor.access, uuid)
    page = await runtime.inboxes.arrivals(visitor.access, inbox, _LIMIT, cursor)
    items = [Arrival.of(arrival) for arrival in page.items]
    await runtime.inboxes.see(visitor.access)
    return render_app(
        request,
        "inbox_arrivals.html",
        Visitor(visitor.access, visitor.identity),
        200 if wrong is None else wrong.status,
        place="inboxes",
        inbox=described(request, runtime, inbox),
        items=[(item, await _members(runtime, visitor, item)) for item in items],
        next_cursor=page.next_cursor,
        wrong=wrong,
        times=_times(runtime, visitor)[0],
    )


async def _members(runtime: Runtime, visitor: Visitor, arrival: Arrival) -> list[Member]:
    if arrival.kind is not ArrivalKind.BUNDLE:
        return []
    try:
        page = await runtime.bundles.page_of_members(visitor.access, arrival.id, _MEMBERS, None)
    except NotFound:  # it has just been deleted
        return []
    return [Member.of(member) for member in page.items]


def _times(runtime: Runtime, visitor: Visitor) -> tuple[list[int], int]:
    """Return for how long an inbox may be open, and how long one is if nobody says it."""
    return times_for(runtime.settings, visitor.identity.tier, _TIMES, USUAL_TIME)
