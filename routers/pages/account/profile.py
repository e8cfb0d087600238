"""The page of one's own account: what it may keep, and all that lets it in."""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from app.features import FEATURES
from routers.http.negotiation import is_browser
from routers.pages.account.devices import device_in_words
from routers.pages.account.key_uses import KEY, key_uses
from routers.pages.rendering.page import PageRoute, SignedIn, render_app
from routers.web.dependencies import RuntimeDep
from routers.web.urls import base_url

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_AT_ONCE: Final = 50  # sessions, and keys
_DAY: Final = 86_400
_LIFETIMES: Final = (
    (_DAY, "a day"),
    (30 * _DAY, "30 days"),
    (90 * _DAY, "90 days"),
    (365 * _DAY, "a year"),
)

Cursor = Annotated[str | None, Query(max_length=1024)]


@router.get("/account/profile")
async def profile(
    request: Request,
    runtime: RuntimeDep,
    visitor: SignedIn,
    older_sessions: Cursor = None,
    older_keys: Cursor = None,
) -> Response:
    """Show the account: what it uses, and all that lets it in."""
    if not is_browser(request):
        return JSONResponse({"username": visitor.identity.username})
    access = visitor.access
    return render_app(
        request,
        "profile.html",
        visitor,
        place="account",
        account=await runtime.accounts.profile(access),
        second_factor=await runtime.second_factor.state(access),
        sessions=await runtime.logins.page(access, _AT_ONCE, older_sessions),
        keys=await runtime.logins.keys(access, _AT_ONCE, older_keys),
        device=device_in_words,
        resources={feature.name: feature.verbs for feature in FEATURES if feature.verbs},
        lifetimes=_LIFETIMES,
        uses=key_uses(base_url(request, runtime)),
        placeholder=KEY,
    )
