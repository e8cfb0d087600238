"""The pages of dumps: the list of all, with a search and a chart, and a page for each dump."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Annotated, Any, Final
from urllib.parse import quote, urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import Field

from app.dumps.entities import Counts, Filters
from app.runtime import Runtime
from routers.pages.link_choice import link_choice
from routers.pages.rendering import bars
from routers.pages.rendering.page import PageRoute, SignedIn, Visitor, render_app
from routers.v1.schemas.dumps.crash_reports import CrashReport
from routers.v1.schemas.dumps.dumps import Dump, DumpDetails
from routers.v1.schemas.dumps.signatures import SignatureHead
from routers.v1.schemas.fields import Text
from routers.v1.schemas.lists import CursorParam
from routers.web.dependencies import RuntimeDep
from routers.web.urls import base_path, base_url

router = APIRouter(include_in_schema=False, route_class=PageRoute)

PAGE: Final = 50
_SPANS: Final = (30, 90)  # days that the chart may show
_LABELS: Final = 100  # offered in the filter
_CHIPS: Final = ("signature", "version", "platform")

Searched = Annotated[Text, Field(max_length=1024), Query()]


class Shown(StrEnum):
    """The dumps in a list."""

    OPEN = "open"
    ARCHIVED = "archived"
    ALL = "all"


_ARCHIVED: Final = {Shown.OPEN: False, Shown.ARCHIVED: True, Shown.ALL: None}


@dataclass(frozen=True, slots=True)
class Chosen:
    """What people have chosen on a page with dumps, by its form and its links."""

    path: str
    q: str
    label: str
    signature: str
    version: str
    platform: str
    asked: Shown | None
    days: int
    usual: Shown = Shown.OPEN
    """What the page shows if nothing is asked."""

    @property
    def show(self) -> Shown:
        return self.asked or self.usual

    @property
    def filters(self) -> Filters:
        return Filters(
            q=self.q or None,
            label=self.label or None,
            signature=self.signature or None,
            version=self.version or None,
            platform=self.platform or None,
            archived=_ARCHIVED[self.show],
        )

    @property
    def is_filtered(self) -> bool:
        given = (self.q, self.label, self.signature, self.version, self.platform)
        return any(given) or self.show is not self.usual

    @property
    def chips(self) -> Sequence[tuple[str, str, str]]:
        """What was chosen by links: its name, its value, and the URL without it."""
        given = {name: getattr(self, name) for name in _CHIPS}
        return [(name, value, self.url(**{name: ""})) for name, value in given.items() if value]

    @property
    def spans(self) -> Sequence[tuple[int, str]]:
        """How many days the chart may show, each with the URL for that."""
        return [(days, self.url(days=days)) for days in _SPANS]

    def url(self, *, cursor: str = "", **changed: Any) -> str:  # noqa: ANN401 - fields
        """Return the URL of the page with some of it changed."""
        new = replace(self, **changed)
        query = {name: getattr(new, name) for name in ("q", "label", *_CHIPS)}
        query["show"] = "" if new.show is new.usual else new.show.value
        query["days"] = "" if new.days == _SPANS[0] else str(new.days)
        given = {name: value for name, value in (query | {"cursor": cursor}).items() if value}
        return self.path + (f"?{urlencode(given)}" if given else "")


def chosen(
    request: Request,
    q: Searched = "",
    label: Searched = "",
    signature: Searched = "",
    version: Searched = "",
    platform: Searched = "",
    show: Shown | None = None,
    days: Annotated[int, Query(ge=1, le=_SPANS[-1])] = _SPANS[0],
) -> Chosen:
    """Read what is chosen from the query."""
    base = base_path(request)
    path = base + request.scope["path"].removeprefix(base)
    return Chosen(path, q, label, signature, version, platform, show, days)


ChosenDep = Annotated[Chosen, Depends(chosen)]


@router.get("/dumps/all")
async def show_all(
    request: Request,
    visitor: SignedIn,
    runtime: RuntimeDep,
    chosen: ChosenDep,
    cursor: CursorParam = None,
) -> Response:
    """Show the account's dumps, newest first, and a chart of the last days."""
    counts = None
    if cursor is None:  # further pages have no chart
        counts = await runtime.dumps.counts(visitor.access, chosen.filters, chosen.days)
    return render_app(
        request,
        "dumps.html",
        visitor,
        place="dumps",
        has_signatures=await runtime.signatures.has_any(visitor.access),
        labels=await runtime.dumps.label_names(visitor.access, _LABELS),
        submit_url=f"{base_url(request, runtime)}/v1/dumps/minidump",
        **charts(counts),
        **await rows(visitor, runtime, chosen, chosen.filters, cursor),
    )


async def rows(
    visitor: Visitor, runtime: Runtime, chosen: Chosen, filters: Filters, cursor: str | None
) -> dict[str, Any]:
    """Return what the list of dumps shows on a page.

    Where none is found, that is how many archived ones there are to be found.
    """
    page = await runtime.dumps.page(visitor.access, filters, PAGE, cursor)
    archived = 0
    if not page.items and page.next_cursor is None and chosen.show is Shown.OPEN:
        hidden = replace(filters, archived=True)
        archived = len((await runtime.dumps.page(visitor.access, hidden, PAGE, None)).items)
    return {
        "chosen": chosen,
        "dumps": [Dump.of(dump) for dump in page.items],
        "more": None if page.next_cursor is None else chosen.url(cursor=page.next_cursor),
        "is_first": cursor is None,
        "archived": archived,
        "archived_url": chosen.url(asked=Shown.ARCHIVED),
        "page_size": PAGE,
    }


def charts(counts: Counts | None) -> dict[str, Any]:
    """Return what charts show of counts."""
    return {"counts": counts, "chart": None if counts is None else bars.draw(counts.days)}


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
    signature = None
    if dump.signature is not None:
        signature = await runtime.signatures.find_named(visitor.access, dump.signature)
    return render_app(
        request,
        "dump.html",
        visitor,
        place="dumps",
        dump=dump,
        signature=None if signature is None else SignatureHead.of_signature(signature),
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
