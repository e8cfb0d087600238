"""The page behind the URL that the start prints: what this is, or what one keeps, at a glance."""

import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.accounts.registration import Registration
from app.buffer.entities import Clip
from app.overview import MANY, look
from routers.http.negotiation import is_browser
from routers.pages.page import PageRoute, Visitor, find_visitor, render_app
from routers.web.dependencies import RuntimeDep
from routers.web.urls import base_url

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_PREVIEW: Final = 200  # characters of a text in the buffer
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


@router.get("/")
async def home(request: Request, runtime: RuntimeDep) -> Response:
    """Show what this is and the first steps; to somebody signed in, what they keep."""
    answer_program: Callable[[], Response] | None = request.app.state.at_root
    if answer_program is not None and not is_browser(request):
        return answer_program()
    visitor = await find_visitor(request)
    if visitor is not None:
        return await _glance(request, visitor)
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


async def _glance(request: Request, visitor: Visitor) -> Response:
    seen = await look(visitor.access)
    return render_app(
        request,
        "home.html",
        visitor,
        place="home",
        seen=seen,
        account=seen.account,
        preview=_beginning(seen.buffer),
        many=MANY,
    )


def _beginning(buffer: Clip | None) -> str | None:
    """Return the beginning of a text in the buffer, if it is at hand."""
    if buffer is None or buffer.data_type != "text" or buffer.content.data is None:
        return None
    text = buffer.content.data[: 4 * _PREVIEW].decode("utf-8", "ignore").strip()
    return f"{text[:_PREVIEW]}…" if len(text) > _PREVIEW else text
