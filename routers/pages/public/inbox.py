"""Inboxes as strangers see them: a page, and what it and programs send to it.

The answers tell what has come, and nothing else: neither what others gave nor whose inbox it is.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel
from pydantic_core import to_json

from app.errors import (
    BadRequest,
    ContentTooLarge,
    Forbidden,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    PasswordNeeded,
    QuotaExceeded,
    Unauthorized,
)
from app.inboxes.entities import Gift, PublicInbox
from app.objects import entities as objects
from app.objects.uploads import Body
from app.runtime import Runtime
from app.security.characters import without_bidi
from routers.http.bodies import body_of
from routers.http.forms.reading import MULTIPART, media_type_of, open_form, read_fields
from routers.http.headers import media_type
from routers.http.negotiation import is_browser, wants_page
from routers.http.resumable import draft
from routers.pages.public import leases, unlocking
from routers.pages.public.rendering import look_of
from routers.pages.public.visiting import LinkRoute, guarded
from routers.pages.rendering.templates import SCRIPTED_CSP, render
from routers.v1.forms.files import checked_name
from routers.v1.schemas.accounts.accounts import GivenPassword
from routers.v1.schemas.inboxes import OpenInbox, Receipt, Receipts
from routers.web.dependencies import RuntimeDep, basic_password
from routers.web.urls import base_path, base_url

router = APIRouter(include_in_schema=False, route_class=LinkRoute)


class PasswordForm(BaseModel):
    """The form that asks for an inbox's password."""

    password: GivenPassword | None = None


class GiftForm(BaseModel):
    """The form of the page: files, and nothing beside them."""


async def show(request: Request, runtime: Runtime, token: str, visitor: str) -> Response:
    """Answer with an inbox's page, or for a program with what it shows; else `NotFound`."""
    inbox = await runtime.inboxes.open(token)
    if set(request.query_params) & {"download", "inline", "thumbnail", "lease", "cursor"}:
        raise NotFound
    if request.path_params.get("name", "").strip("/"):
        raise NotFound
    try:
        await unlock(request, runtime, inbox, basic_password(request), visitor)
    except PasswordNeeded:
        if not wants_page(request):
            raise
        return _page(request, runtime, token, inbox, is_protected=True)
    if wants_page(request):
        return _page(request, runtime, token, inbox)
    return Response(to_json(OpenInbox.of(inbox)), media_type="application/json")


async def take(
    request: Request, runtime: Runtime, token: str, inbox: PublicInbox, visitor: str
) -> Response:
    """Take what the page's forms send: files, or the password, which opens it from then on."""
    if request.path_params.get("name", "").strip("/"):
        raise NotFound
    if media_type_of(request) == MULTIPART:
        await unlock(request, runtime, inbox, basic_password(request), visitor)
        return await _take_form(request, runtime, token, inbox, visitor)
    form = await read_fields(request, PasswordForm)
    try:
        await unlock(request, runtime, inbox, form.password, visitor)
    except PasswordNeeded:
        if not is_browser(request):
            raise
        wrong = form.password is not None
        return _page(request, runtime, token, inbox, is_protected=True, wrong=wrong)
    if form.password is None:  # a file in the form of something else must not get lost
        raise InvalidRequest(f"Send files in a form, as {MULTIPART}, or one by PUT")
    response = leases.see_other(f"{base_path(request)}/t/{token}")
    unlocking.remember(response, request, runtime, token, inbox)
    return response


@router.put("/t/{token}")
@router.put("/t/{token}/{name:path}")
async def put(token: str, request: Request, runtime: RuntimeDep, name: str = "") -> Response:
    """Take a file from a raw body: ``curl -T photo.jpg $URL/t/TOKEN/``."""

    async def answer(visitor: str) -> Response:
        inbox = await runtime.inboxes.find_open(token)
        if inbox is None:
            await runtime.links.open(token)
            raise MethodNotAllowed(headers={"Allow": "GET, HEAD, POST"})
        await unlock(request, runtime, inbox, basic_password(request), visitor)
        _refuse_part(request)
        sent_name = checked_name(without_bidi(name.rstrip("/")) or None)
        body = body_of(request)
        gift = Gift(sent_name, media_type(request.headers.get("content-type")))
        async with discreet():
            receipt = await runtime.inboxes.give(inbox, visitor, gift, body)
        return _received(request, runtime, token, inbox, [receipt])

    return await guarded(request, runtime, answer)


async def unlock(
    request: Request, runtime: Runtime, inbox: PublicInbox, password: str | None, visitor: str
) -> None:
    """Raise `PasswordNeeded` unless a visitor has opened the inbox, or sends its password."""
    if not unlocking.is_unlocked(request, runtime, inbox):
        await runtime.links.unlock(inbox, password, visitor)


@asynccontextmanager
async def discreet() -> AsyncIterator[None]:
    """Keep from strangers what errors would tell of the account that gets what they send."""
    try:
        yield
    except (Unauthorized, Forbidden) as error:
        raise NotFound from error
    except QuotaExceeded as error:
        raise ContentTooLarge("The inbox has no space left for this") from error
    except ContentTooLarge as error:
        if type(error) is ContentTooLarge:
            raise ContentTooLarge("The inbox takes no file as large as this") from error
        raise


async def _take_form(
    request: Request, runtime: Runtime, token: str, inbox: PublicInbox, visitor: str
) -> Response:
    access = runtime.inboxes.access_of(inbox, visitor)
    async with discreet(), open_form(request, access, GiftForm) as form:

        async def sent() -> AsyncGenerator[tuple[Gift, Body], None]:
            async for file in form.files():
                gift = Gift(checked_name(file.name), media_type(file.content_type))
                yield gift, file.body

        receipts = await runtime.inboxes.give_all(inbox, visitor, sent())
    return _received(request, runtime, token, inbox, receipts)


def _refuse_part(request: Request) -> None:
    """Refuse what is only a part of a file: it must not pass for the whole."""
    if "content-range" in request.headers:  # RFC 9110 §14.5
        raise BadRequest("PUT with Content-Range is not supported")
    sent = draft.sent(request.headers)
    if draft.is_part(request.headers) or (sent is not None and sent.is_complete is not None):
        raise BadRequest("Uploads that go on are sent by tus 1.0, to the inbox's /uploads")


def _received(
    request: Request,
    runtime: Runtime,
    token: str,
    inbox: PublicInbox,
    receipts: Sequence[objects.Receipt],
) -> Response:
    items = [Receipt.of(receipt) for receipt in receipts]
    if is_browser(request):
        return _page(request, runtime, token, inbox, 201, receipts=items)
    if "application/json" in request.headers.get("accept", ""):
        return Response(to_json(Receipts(items=items)), 201, media_type="application/json")
    lines = [f"{item.name}: {item.size} bytes, sha256 {item.sha256}\n" for item in items]
    return Response("".join(lines), 201, media_type="text/plain")


def _page(
    request: Request,
    runtime: Runtime,
    token: str,
    inbox: PublicInbox,
    status: int = 200,
    *,
    is_protected: bool = False,
    wrong: bool = False,
    receipts: Sequence[Receipt] = (),
) -> Response:
    """Render the page; it tells nothing of an inbox whose password isn't known."""
    path = f"{base_path(request)}/t/{token}"
    return render(
        request,
        "inbox.html",
        403 if wrong else status,
        {"Content-Security-Policy": SCRIPTED_CSP},
        action=path,
        name=None if is_protected else inbox.title,
        note=None if is_protected else inbox.message,
        who=None if inbox.receiver is None else f"For {inbox.receiver}",
        files_left=inbox.files_left,
        bytes_left=inbox.bytes_left,
        expires_at=inbox.expires_at,
        time_left=inbox.time_left,
        downloads_left=None,
        look=look_of("inbox"),
        wrong=wrong,
        receipts=receipts,
        has_password=inbox.password_hash is not None,
        url=f"{base_url(request, runtime)}/t/{token}/",
    )
