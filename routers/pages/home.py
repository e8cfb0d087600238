"""The page behind the printed URL: what this is or, signed in, what takes anything."""

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.accounts.registration import Registration
from app.overview import MANY, Overview, look
from app.runtime import Runtime
from routers.http.negotiation import is_browser
from routers.pages.recent import SHOWN, RecentThings
from routers.pages.rendering.page import PageRoute, Visitor, find_visitor, render_app
from routers.web.application import Place
from routers.web.dependencies import RuntimeDep
from routers.web.urls import base_url

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_COUNTED: Final = {"links": "timelinks"}
"""What counts are called, where places are called otherwise."""
_SIGN_UP: Final = """\
curl $HOLDALL/v1/accounts -H 'Content-Type: application/json' \\
  -d '{"username": "ada", "password": "correct-horse"}'"""
_LOG_IN: Final = """\
TOKEN=$(curl -s $HOLDALL/v1/auth/token -d username=ada -d password=correct-horse |
  python3 -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')
AUTH="Authorization: Bearer $TOKEN\""""
_STORE: Final = """\
echo Hello > hello.txt
curl -H "$AUTH" -T hello.txt $HOLDALL/v1/blobs/hello.txt/content
curl -H "$AUTH" $HOLDALL/v1/blobs/hello.txt/content"""


@dataclass(frozen=True, slots=True)
class Step:
    """Something to do in a shell; the lines of one step need those of the steps before it."""

    title: str
    lines: str


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of things, how many there are, and where."""

    name: str
    title: str
    path: str
    number: int | None
    """None: it isn't counted, and ``words`` say what there is."""
    words: str


@router.get("/")
async def home(request: Request, runtime: RuntimeDep) -> Response:
    """Show what this is and the first steps; to somebody signed in, what they keep."""
    answer_program: Callable[[], Response] | None = request.app.state.at_root
    if answer_program is not None and not is_browser(request):
        return answer_program()
    visitor = await find_visitor(request)
    if visitor is not None:
        return await _own(request, runtime, visitor)
    opened_to = await runtime.accounts.registration()
    is_open = opened_to is not Registration.NOBODY
    steps = list(_first_steps(base_url(request, runtime), is_open=is_open))
    return render_app(
        request, "welcome.html", None, place="home", steps=steps, registration=opened_to.value
    )


def _first_steps(url: str, *, is_open: bool) -> Iterator[Step]:
    # a host name is what the browser says it is, and this one ends up in a shell
    where = f"HOLDALL={shlex.quote(url)}"
    if is_open:
        yield Step("Make an account", f"{where}\n{_SIGN_UP}")
    else:
        yield Step("Say where it is", where)
    yield Step("Get a token", _LOG_IN)
    yield Step("Store something, and fetch it", _STORE)


async def _own(request: Request, runtime: Runtime, visitor: Visitor) -> Response:
    seen = await look(visitor.access)
    bundles = await runtime.bundles.page(visitor.access, SHOWN, None)
    albums = await runtime.bundles.albums(visitor.access, SHOWN, None) if bundles.items else None
    kinds = [_kind(place, seen) for place in request.app.state.places]
    return render_app(
        request,
        "home.html",
        visitor,
        place="home",
        account=seen.account,
        tier=visitor.identity.tier,
        kinds=kinds,
        recent=RecentThings(request, runtime).rows(
            seen,
            bundles.items,
            {album.bundle.uuid: album.cover for album in (albums.items if albums else ())},
            visitor.identity.tier.heights,
        ),
        is_new=not (any(seen.counts.values()) or seen.buffer or bundles.items),
        many=MANY,
        max_files=runtime.settings.max_files,
    )


def _kind(place: Place, seen: Overview) -> Kind:
    number = seen.counts.get(_COUNTED.get(place.kind, place.kind))
    words = "empty" if seen.buffer is None else seen.buffer.data_type
    return Kind(
        place.kind, "Files" if place.kind == "files" else place.text, place.path, number, words
    )
