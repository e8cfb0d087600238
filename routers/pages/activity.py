"""The pages of activity: what happened to one's own account and, for administrators, to all."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from app.activity.entities import Entry, Filters
from app.events.entities import EventType, Subject
from app.events.words import around, sentence
from app.subjects import still_there
from routers.pages.account.devices import device_in_words
from routers.pages.admin import Administrator
from routers.pages.rendering.page import PageRoute, SignedIn, render_app
from routers.v1.schemas.lists import CursorParam
from routers.web.dependencies import RuntimeDep
from routers.web.urls import base_path

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_LIMIT: Final = 100


class Only(StrEnum):
    """What a page of activity may be narrowed to."""

    FILES = "files"
    CRASHES = "crashes"
    SECURITY = "security"


_TYPES: Final[Mapping[Only, Sequence[EventType]]] = {
    Only.FILES: [
        kind
        for kind in EventType
        if kind.partition(".")[0] in {"file", "bundle", "picture", "link"}
    ],
    Only.CRASHES: [kind for kind in EventType if kind.startswith("dump.")],
    Only.SECURITY: [kind for kind in EventType if kind.is_about_security],
}

_PLACES: Final[Mapping[str, str]] = {
    "bundle": "/bundles/{id}",
    "file": "/files/{id}",
    "inbox": "/inboxes/{id}",
    "key": "/account/profile#keys",
    "link": "/links/{id}",
    "picture": "/pictures/{id}",
    "signature": "/dumps/signatures/{id}",
    "webhook": "/webhooks/{id}",
}
"""The pages of what events are about, by its kind."""

Narrowed = Annotated[Only | None, Query()]


@dataclass(frozen=True, slots=True)
class Line:
    """What the page says of an entry."""

    entry: Entry
    text: tuple[str, str, str]
    """The second part is the name of what it is about."""
    href: str | None
    """Where that is; None: it is gone, or has no page."""
    where: str
    """From where, as far as it is known: the address, and the device of a login."""
    is_alarming: bool


@router.get("/activity")
async def show(
    request: Request,
    runtime: RuntimeDep,
    visitor: SignedIn,
    only: Narrowed = None,
    cursor: CursorParam = None,
) -> Response:
    """Show what happened to the account, newest first."""
    page = await runtime.activity.page(visitor.access, _filters(only), _LIMIT, cursor)
    subjects = {entry.subject for entry in page.items if entry.subject is not None}
    there = await still_there(visitor.access, subjects)
    return render_app(
        request,
        "activity.html",
        visitor,
        place="account",
        lines=[_own_line(entry, there, base_path(request)) for entry in page.items],
        next_cursor=page.next_cursor,
        only=only,
        choices=Only,
    )


@router.get("/admin/activity")
async def show_all(
    request: Request,
    runtime: RuntimeDep,
    visitor: Administrator,
    only: Narrowed = None,
    account: UUID | None = None,
    cursor: CursorParam = None,
) -> Response:
    """Show what happened to all accounts, or to one, newest first."""
    of_account = None if account is None else str(account)
    filters = _filters(only, of_account)
    page = await runtime.activity.page_of_all(visitor.access, filters, _LIMIT, cursor)
    named = None
    if of_account is not None:
        named = (await runtime.accounts.find(visitor.access, of_account)).username
    return render_app(
        request,
        "admin_activity.html",
        visitor,
        place="admin",
        part="activity",
        lines=[_line(entry, entry.actor) for entry in page.items],
        next_cursor=page.next_cursor,
        only=only,
        choices=Only,
        account=of_account,
        named=named,
    )


def _filters(only: Only | None, account: str | None = None) -> Filters:
    return Filters(() if only is None else _TYPES[only], account)


def _own_line(entry: Entry, there: Container[tuple[str, str]], base: str) -> Line:
    """Return the line of an entry in one's own log, which leads to what it is about."""
    actor = entry.actor
    if actor.get("account") == entry.account:
        actor = {name: value for name, value in actor.items() if name != "username"}  # "You"
    href, subject = None, entry.subject
    if subject is not None and (subject.kind, subject.id) in there:
        href = base + _PLACES[subject.kind].format(id=subject.id)
    return _line(entry, actor, href)


def _line(entry: Entry, actor: Mapping[str, str], href: str | None = None) -> Line:
    def said(subject: Subject | None) -> str:
        return sentence(entry.type, subject, entry.facts, actor, entry.address)

    agent = entry.facts.get("user_agent")
    places = [entry.address, device_in_words(agent) if agent else None]
    where = ", ".join(place for place in places if place)
    text = around(said, entry.subject)
    return Line(entry, text, href, where, is_alarming=entry.type in _ALARMING)


_ALARMING: Final = frozenset(kind.value for kind in EventType if kind.is_alarming)
