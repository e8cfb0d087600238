"""The pages of dumps: a list with a search and charts, and a page for each dump."""

from enum import StrEnum
from functools import partial
from typing import Annotated, Final
from urllib.parse import quote, urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import Field

from app.dumps.entities import Filters
from app.dumps.signatures import entities as signatures
from routers.pages import bars
from routers.pages.link_choice import link_choice
from routers.pages.page import PageRoute, SignedIn, render_app
from routers.v1.schemas.crash_reports import CrashReport
from routers.v1.schemas.dumps import Dump, DumpDetails
from routers.v1.schemas.fields import Text
from routers.v1.schemas.lists import CursorParam
from routers.web.dependencies import RuntimeDep
from routers.web.urls import base_path, base_url

router = APIRouter(include_in_schema=False, route_class=PageRoute)

PAGE: Final = 50
_SPANS: Final = (30, 90)  # days that the chart may show
_SIGNATURES: Final = 8
_LABELS: Final = 100  # offered in the filter

Wanted = Annotated[Text, Field(max_length=1024), Query()]


class Shown(StrEnum):
    """The dumps in the list."""

    OPEN = "open"
    ARCHIVED = "archived"
    ALL = "all"


_ARCHIVED: Final = {Shown.OPEN: False, Shown.ARCHIVED: True, Shown.ALL: None}


@router.get("/dumps")
async def show_list(
    request: Request,
    visitor: SignedIn,
    runtime: RuntimeDep,
    q: Wanted = "",
    label: Wanted = "",
    signature: Wanted = "",
    show: Shown = Shown.OPEN,
    days: Annotated[int, Query(ge=1, le=_SPANS[-1])] = _SPANS[0],
    cursor: CursorParam = None,
) -> Response:
    """Show the account's dumps, newest first, and a chart of the last days."""
    filters = Filters(
        q=q or None, label=label or None, signature=signature or None, archived=_ARCHIVED[show]
    )
    page = await runtime.dumps.page(visitor.access, filters, PAGE, cursor)
    labels = await runtime.dumps.label_names(visitor.access, _LABELS)
    counts = None
    if cursor is None:  # further pages have no chart
        counts = await runtime.dumps.counts(visitor.access, filters, days)
    most = signatures.Wanted(sort=signatures.Sort.COUNT)
    frequent = await runtime.signatures.page(visitor.access, most, _SIGNATURES, None)
    chosen = {"q": q, "label": label, "signature": signature, "show": show.value, "days": str(days)}
    return render_app(
        request,
        "dumps.html",
        visitor,
        place="dumps",
        dumps=[Dump.of(dump) for dump in page.items],
        more=None if page.next_cursor is None else _url(request, chosen, cursor=page.next_cursor),
        chosen=chosen,
        is_filtered=any((q, label, signature)) or show is not Shown.OPEN,
        without_signature=_url(request, chosen, signature=""),
        labels=labels,
        counts=counts,
        signatures=[(one.signature.name, one.signature.count) for one in frequent.items],
        chart=None if counts is None else bars.draw(counts.days),
        spans=[(span, _url(request, chosen, days=str(span))) for span in _SPANS],
        is_first=cursor is None,
        submit_url=f"{base_url(request, runtime)}/v1/dumps/minidump",
    )


@router.get("/dumps/{id}")
async def show_one(
    id: UUID,  # noqa: A002 - in the URL
    request: Request,
    visitor: SignedIn,
    runtime: RuntimeDep,
) -> Response:
    """Show a dump with its report and its attachments."""
    details = await runtime.dumps.find_details(visitor.access, str(id))
    dump = DumpDetails.of_details(details)
    account = await runtime.accounts.profile(visitor.access)
    choice = link_choice(runtime.settings, visitor.identity.tier)
    return render_app(
        request,
        "dump.html",
        visitor,
        place="dumps",
        dump=dump,
        crash_title=_title(dump.report),
        needed=_needed(dump.report),
        line_url=partial(_line_url, account.source_url),
        **choice,
    )


def _line_url(source_url: str | None, file: str, line: int | None) -> str | None:
    """Return the URL of a source line, by an account's template."""
    if source_url is None:
        return None
    path = quote(file.replace("\\", "/").lstrip("/"))
    return source_url.replace("{line}", str(line or 1)).replace("{file}", path)


def _title(report: CrashReport | None) -> str | None:
    """Return what crashed, and where."""
    if report is None or report.exception is None:
        return None
    frames = [f for thread in report.threads if thread.is_crashed for f in thread.frames]
    named = next((f.function for f in frames if f.function is not None), None)
    module = None if report.crashing_module is None else report.crashing_module.name
    where = named or module
    return report.exception.name if where is None else f"{report.exception.name} in {where}"


def _needed(report: CrashReport | None) -> set[str | None]:
    """Return the debug ids of modules that a stack passes through without functions."""
    if report is None:
        return set()
    frames = [f for thread in report.threads for f in thread.frames if f.function is None]
    names = {frame.module for frame in frames}
    return {module.debug_id for module in report.modules if module.name in names} - {None}


def _url(request: Request, chosen: dict[str, str], **changed: str) -> str:
    """Return the URL of the list with some of the chosen filters changed."""
    default = {"show": Shown.OPEN.value, "days": str(_SPANS[0])}
    query = {n: v for n, v in (chosen | changed).items() if v and v != default.get(n)}
    return f"{base_path(request)}/dumps" + (f"?{urlencode(query)}" if query else "")
