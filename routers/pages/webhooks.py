"""The pages of webhooks: all, with a form for a new one, and each with what it was told."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from app.accounts.identity import Identity
from app.errors import Conflict, InvalidRequest, ProblemError
from app.events.entities import ALL, EventType
from app.runtime import Runtime
from app.webhooks import payloads
from app.webhooks.entities import (
    MAX_DESCRIPTION,
    MAX_URL,
    Delivery,
    DeliveryState,
    PauseReason,
    PayloadFormat,
    Webhook,
)
from routers.http.forms.reading import check_fields, read_fields
from routers.pages.rendering.page import PageRoute, SignedIn, Visitor, render_app
from routers.v1.schemas.fields import Text
from routers.v1.schemas.lists import CursorParam
from routers.v1.schemas.webhooks import WebhookChange, WebhookCreate
from routers.web.dependencies import RuntimeDep
from routers.web.problems import invalid
from routers.web.urls import base_path

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_WEBHOOKS: Final = 50  # on a page; an account has fewer
_DELIVERIES: Final = 30

_FORMATS: Final = {
    PayloadFormat.STANDARD: "JSON, signed (Standard Webhooks)",
    PayloadFormat.SLACK: "a sentence, for Slack and similar chats",
}
_PAUSES: Final = {
    PauseReason.GONE: "its receiver answered 410, which means that it wants no more events",
    PauseReason.NEVER_WORKED: "20 attempts failed, and none ever succeeded",
    PauseReason.FAILING: "every attempt has failed for 3 days",
}
_GROUPS: Final[Mapping[str, frozenset[str]]] = {
    "Files and links": frozenset({"file", "bundle", "picture", "link"}),
    "Crashes": frozenset({"dump"}),
    "Who gets in": frozenset({"login", "session", "token", "credentials", "key", "password"}),
    "The account": frozenset({"email", "account", "webhook"}),
}
_ADMINISTRATION: Final = "Administration"
_CALLED: Final[Mapping[str, str]] = {
    EventType.DUMP_NEW_SIGNATURE: "New crash",
    EventType.DUMP_REGRESSION: "Crash is back",
    EventType.DUMP_SPIKE: "Frequent crash",
    EventType.CREDENTIALS_ENDED: "All sessions ended",
    EventType.TOKEN_REUSED: "Refresh token reused",
}
"""What types are called whose names don't say it."""


class WebhookForm(BaseModel):
    """The form for a webhook; a checked type of event is a field of that name."""

    model_config = ConfigDict(extra="allow")

    url: Annotated[Text, Field(max_length=2 * MAX_URL)] = ""
    format: str = PayloadFormat.STANDARD.value
    description: Annotated[Text, Field(max_length=2 * MAX_DESCRIPTION)] = ""
    which: Literal["all", "some"] = "all"

    @property
    def types(self) -> Sequence[str]:
        """Those that are checked."""
        if self.which == "all":
            return [ALL]
        return [kind.value for kind in EventType if kind.value in (self.model_extra or {})]

    def given(self) -> dict[str, Any]:
        """Return what is filled in, as the API has it."""
        return {
            "url": self.url.strip(),
            "events": self.types,
            "format": self.format,
            "description": self.description or None,
        }


class ActForm(WebhookForm):
    """The forms of one webhook: ``act`` says which of them."""

    act: Literal["change", "activate", "deactivate", "rotate", "test", "retry", "delete"]
    event: UUID | None = None


@router.get("/webhooks")
async def show(request: Request, runtime: RuntimeDep, visitor: SignedIn) -> Response:
    """List the webhooks."""
    return await _page(request, runtime, visitor, WebhookForm())


@router.post("/webhooks")
async def create(request: Request, runtime: RuntimeDep, visitor: SignedIn) -> Response:
    """Make a webhook, and show its secret, this once."""
    form = await read_fields(request, WebhookForm)
    try:
        new = check_fields(WebhookCreate, form.given()).new_webhook()
        webhook = await runtime.webhooks.create(visitor.access, new)
    except RequestValidationError as error:
        return await _page(request, runtime, visitor, form, wrong=invalid(error))
    except (InvalidRequest, Conflict) as error:
        return await _page(request, runtime, visitor, form, wrong=error)
    secret = runtime.webhooks.secret_of(webhook)
    return await _one(request, runtime, visitor, webhook, secret=secret)


@router.get("/webhooks/{id}")
async def show_one(
    id: UUID,  # noqa: A002 - in the URL
    request: Request,
    runtime: RuntimeDep,
    visitor: SignedIn,
    cursor: CursorParam = None,
) -> Response:
    """Show a webhook, and what it was told."""
    webhook = await runtime.webhooks.find(visitor.access, str(id))
    return await _one(request, runtime, visitor, webhook, cursor=cursor)


@router.post("/webhooks/{id}")
async def act(
    id: UUID,  # noqa: A002 - in the URL
    request: Request,
    runtime: RuntimeDep,
    visitor: SignedIn,
) -> Response:
    """Change a webhook, try it, give it another secret, or delete it."""
    form = await read_fields(request, ActForm)
    webhooks, access, uuid = runtime.webhooks, visitor.access, str(id)
    here = f"{base_path(request)}/webhooks/{uuid}"
    match form.act:
        case "rotate":
            webhook = await webhooks.rotate(access, uuid)
            secret = webhooks.secret_of(webhook)
            return await _one(request, runtime, visitor, webhook, secret=secret)
        case "delete":
            await webhooks.remove(access, uuid)
            here = f"{base_path(request)}/webhooks"
        case "activate" | "deactivate":
            await webhooks.change(access, uuid, {"is_active": form.act == "activate"})
        case "test":
            await webhooks.test(access, uuid)
            here += "#list"
        case "retry":
            await webhooks.retry(access, uuid, str(form.event))
            here += "#list"
        case "change":
            try:
                facts = check_fields(WebhookChange, form.given()).facts()
                await webhooks.change(access, uuid, facts)
            except (RequestValidationError, InvalidRequest) as error:
                wrong = error if isinstance(error, ProblemError) else invalid(error)
                webhook = await webhooks.find(access, uuid)
                return await _one(request, runtime, visitor, webhook, form=form, wrong=wrong)
    return RedirectResponse(here, 303)


async def _page(
    request: Request,
    runtime: Runtime,
    visitor: Visitor,
    form: WebhookForm,
    *,
    wrong: ProblemError | None = None,
) -> Response:
    page = await runtime.webhooks.page(visitor.access, _WEBHOOKS, None)
    return render_app(
        request,
        "webhooks.html",
        visitor,
        200 if wrong is None else wrong.status,
        place="account",
        webhooks=page.items,
        pauses=_PAUSES,
        is_asked=wrong is not None,
        **_form_context(form, visitor.identity, wrong),
    )


async def _one(
    request: Request,
    runtime: Runtime,
    visitor: Visitor,
    webhook: Webhook,
    *,
    cursor: str | None = None,
    secret: str | None = None,
    form: WebhookForm | None = None,
    wrong: ProblemError | None = None,
) -> Response:
    page = await runtime.webhooks.deliveries(visitor.access, webhook.uuid, _DELIVERIES, cursor)
    return render_app(
        request,
        "webhook.html",
        visitor,
        200 if wrong is None else wrong.status,
        place="account",
        webhook=webhook,
        secret=secret,
        deliveries=page.items,
        next_cursor=page.next_cursor,
        badge_of=_badge_of,
        said=payloads.sentence_of,
        sent=lambda delivery: _indented(runtime.webhooks.body_of(webhook, delivery)),
        pauses=_PAUSES,
        **_form_context(form or _form_of(webhook), visitor.identity, wrong),
    )


def _form_context(
    form: WebhookForm, identity: Identity, wrong: ProblemError | None
) -> dict[str, Any]:
    return {
        "form": form,
        "wrong": wrong,
        "formats": {kind.value: words for kind, words in _FORMATS.items()},
        "groups": _groups(is_admin=identity.is_admin),
    }


def _form_of(webhook: Webhook) -> WebhookForm:
    is_all = ALL in webhook.types
    return WebhookForm(
        url=webhook.url,
        format=webhook.format.value,
        description=webhook.description or "",
        which="all" if is_all else "some",
        **dict.fromkeys(() if is_all else webhook.types, "on"),
    )


def _groups(*, is_admin: bool) -> Mapping[str, Sequence[tuple[str, str]]]:
    """Return the types of events with what they are called, by group."""
    groups: dict[str, list[tuple[str, str]]] = {name: [] for name in _GROUPS}
    for kind in (kind for kind in EventType if kind is not EventType.LOGIN_LIMITED):
        of = kind.partition(".")[0]
        group = next((name for name, kinds in _GROUPS.items() if of in kinds), _ADMINISTRATION)
        called = _CALLED.get(kind) or re.sub(r"[._]", " ", kind).capitalize()
        groups.setdefault(group, []).append((kind.value, called))
    if not is_admin:
        groups.pop(_ADMINISTRATION, None)
    return groups


def _indented(body: bytes) -> str:
    return json.dumps(json.loads(body), indent=2, ensure_ascii=False)


def _badge_of(delivery: Delivery) -> str:
    """Return in a word or two where a delivery stands."""
    if delivery.state is not DeliveryState.WAITING:
        return delivery.state.value
    if delivery.due_at is None:
        return "held back"
    return "waiting" if not delivery.attempts else "will be tried again"
