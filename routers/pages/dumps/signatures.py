"""The pages of signatures: the list that the page of dumps leads with, and a page for each."""

from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel

from app import clock
from app.dumps.entities import Filters
from app.dumps.signatures.entities import RECENT, Sort, State, Wanted
from app.errors import NotFound
from routers.http.forms.reading import check_fields, read_fields
from routers.pages.dumps import dumps
from routers.pages.dumps.dumps import ChosenDep, Searched, Shown
from routers.pages.rendering import bars
from routers.pages.rendering.page import PageRoute, SignedIn, render_app
from routers.v1.schemas.dumps.signatures import DumpSignature, DumpSignatureChange, SignatureHead
from routers.v1.schemas.lists import CursorParam
from routers.web.dependencies import RuntimeDep
from routers.web.urls import base_path

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_PAGE: Final = 50
_OF_DUMPS: Final = frozenset({"label", "signature", "show"})
"""What the list of dumps was asked for when it was on this page."""


class Among(StrEnum):
    """The signatures in the list."""

    OPEN = "open"
    RESOLVED = "resolved"
    IGNORED = "ignored"
    ALL = "all"


class SignatureForm(BaseModel):
    """The forms on a signature's page; an absent field stays as it is."""

    state: str | None = None
    resolved_in: str | None = None
    note: str | None = None

    def checked(self) -> DumpSignatureChange:
        """Return the change; raises `RequestValidationError`."""
        given = self.model_dump(exclude_none=True)
        if self.state != State.RESOLVED:  # the field is there for its button alone
            given.pop("resolved_in", None)
        return check_fields(DumpSignatureChange, given)


@router.get("/dumps")
async def show_list(
    request: Request,
    visitor: SignedIn,
    runtime: RuntimeDep,
    chosen: ChosenDep,
    state: Among = Among.OPEN,
    sort: Sort = Sort.LAST_SEEN,
    cursor: CursorParam = None,
) -> Response:
    """Show the account's signatures and a chart of the last days; lead to dumps if it has none."""
    all_dumps = f"{base_path(request)}/dumps/all"
    if _OF_DUMPS & request.query_params.keys():
        return RedirectResponse(f"{all_dumps}?{request.url.query}", 303)
    only = None if state is Among.ALL else State(state)
    wanted = Wanted(only, chosen.q or None, sort)
    page = await runtime.signatures.page(visitor.access, wanted, _PAGE, cursor)
    if not page.items and not await runtime.signatures.has_any(visitor.access):
        return RedirectResponse(all_dumps, 303)
    counts = None
    if cursor is None:
        counts = await runtime.dumps.counts(visitor.access, Filters(), chosen.days)
    query = {"q": chosen.q, "state": state.value, "sort": sort.value, "cursor": page.next_cursor}
    return render_app(
        request,
        "signatures.html",
        visitor,
        place="dumps",
        chosen=chosen,
        state=state.value,
        states=[each.value for each in Among],
        sort=sort.value,
        signatures=[DumpSignature.of(listed) for listed in page.items],
        sparkline=_sparkline,
        more=None if page.next_cursor is None else f"{chosen.path}?{urlencode(query)}",
        is_first=cursor is None,
        **dumps.charts(counts),
    )


@router.get("/dumps/signatures")
async def find(
    request: Request, visitor: SignedIn, runtime: RuntimeDep, name: Searched
) -> Response:
    """Lead to the page of the signature with this name; raises `NotFound`."""
    found = await runtime.signatures.find_named(visitor.access, name)
    if found is None:
        raise NotFound("No such signature")
    return RedirectResponse(f"{base_path(request)}/dumps/signatures/{found.uuid}", 303)


@router.get("/dumps/signatures/{id}")
async def show_one(
    id: UUID,  # noqa: A002 - in the URL
    request: Request,
    visitor: SignedIn,
    runtime: RuntimeDep,
    chosen: ChosenDep,
    cursor: CursorParam = None,
) -> Response:
    """Show a signature with its counts and its dumps; all of these, if nothing else is asked."""
    chosen = replace(chosen, usual=Shown.ALL)
    found = await runtime.signatures.find(visitor.access, str(id), chosen.filters, chosen.days)
    filters = replace(chosen.filters, signature=found.signature.name)
    return render_app(
        request,
        "signature.html",
        visitor,
        place="dumps",
        signature=SignatureHead.of_signature(found.signature),
        by_version=lambda version: chosen.url(version=version),
        by_platform=lambda platform: chosen.url(platform=platform),
        **dumps.charts(found.counts),
        **await dumps.rows(visitor, runtime, chosen, filters, cursor),
    )


@router.post("/dumps/signatures/{id}")
async def change(
    id: UUID,  # noqa: A002 - in the URL
    request: Request,
    visitor: SignedIn,
    runtime: RuntimeDep,
) -> Response:
    """Change a signature by a form of its page, and lead back to that."""
    form = await read_fields(request, SignatureForm)
    await runtime.signatures.change(visitor.access, str(id), form.checked().changes())
    return RedirectResponse(f"{base_path(request)}/dumps/signatures/{id}", 303)


def _sparkline(recent: list[int]) -> bars.Chart:
    """Return the chart of the last days' counts."""
    today = clock.to_datetime(clock.now()).date()
    days = [today - timedelta(days=RECENT - 1 - place) for place in range(RECENT)]
    return bars.draw(list(zip(days, recent, strict=True)))
