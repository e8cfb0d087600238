"""Which route a path leads to, and what its endpoint is given."""

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Header, Request
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.responses import PlainTextResponse

from routers.web.dispatch import Dispatcher
from routers.web.route import HoldallRoute, direct, routes_of

pytestmark = pytest.mark.anyio

router = APIRouter(route_class=HoldallRoute)


async def host_of(request: Request) -> str:
    return request.headers["host"]


async def always() -> int:
    return 7


@router.get("/things/new")
@direct
async def new() -> Response:
    return JSONResponse("new")


@router.get("/things/{number}")
@direct
async def thing(
    number: int,
    request: Request,
    host: Annotated[str, Depends(host_of)],
    seven: Annotated[int, Depends(always)],
    *,
    loud: bool = False,
) -> Response:
    return JSONResponse([number, request.url.path, host, seven, loud])


@router.put("/things/{number}")
@direct
async def put(number: int) -> Response:
    return JSONResponse(number)


@router.get("/things/{number}/parts/")
async def parts(number: int, x_part: Annotated[str, Header()]) -> Response:
    return JSONResponse([number, x_part])


@router.get("/{anything}")
@direct
async def anything(anything: str) -> Response:
    return JSONResponse({"anything": anything})


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI(redirect_slashes=False)
    app.router.routes[:] = router.routes

    def refuse(_: Request, error: Exception) -> PlainTextResponse:
        assert isinstance(error, HTTPException)
        return PlainTextResponse("", error.status_code, headers=error.headers)

    app.add_exception_handler(HTTPException, refuse)
    app.build_middleware_stack = lambda: ExceptionMiddleware(  # type: ignore[method-assign]
        Dispatcher(app.router.routes), handlers={HTTPException: refuse}
    )
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/things/new", "new"),
        ("/things/new/", "new"),
        ("/things/4", [4, "/things/4", "test", 7, False]),
        ("/things/4/", [4, "/things/4/", "test", 7, False]),
        ("/elsewhere", {"anything": "elsewhere"}),
        ("/things", {"anything": "things"}),
    ],
)
async def test_the_first_that_matches_answers(
    client: httpx.AsyncClient,
    path: str,
    answer: Any,  # noqa: ANN401 - JSON
) -> None:
    assert (await client.get(path)).json() == answer


@pytest.mark.parametrize("path", ["/", "/things/4/unknown", "/things/4//", "/a/b"])
async def test_what_no_route_has_is_not_found(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize("path", ["/things/4", "/things/4/"])
async def test_another_method_names_those_there_are(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.put(path)).json() == 4
    refused = await client.delete(path)
    assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD, PUT")


@pytest.mark.parametrize("path", ["/things/4", "/things/4/", "/elsewhere"])
async def test_head_is_answered_by_the_route_of_get(client: httpx.AsyncClient, path: str) -> None:
    got, head = await client.get(path), await client.head(path)
    assert (head.status_code, head.headers) == (200, got.headers)
    assert head.content == b""


async def reads_a_header(x_part: Annotated[str, Header()]) -> Response:
    return JSONResponse(x_part)


async def answers_no_response(number: int) -> int:
    return number


async def asks_a_dependency_with_parameters(
    thing: Annotated[Response, Depends(anything)],
) -> Response:
    return thing


@pytest.mark.parametrize(
    "endpoint", [reads_a_header, answers_no_response, asks_a_dependency_with_parameters]
)
async def test_what_cannot_be_called_directly_is_refused_when_its_route_is_made(
    endpoint: Callable[..., Any],
) -> None:
    with pytest.raises(TypeError, match=endpoint.__name__):
        APIRouter(route_class=HoldallRoute).get("/{number}")(direct(endpoint))


async def test_a_route_of_another_class_is_refused() -> None:
    unguarded = APIRouter()
    unguarded.get("/things")(new)
    with pytest.raises(TypeError, match="/things"):
        routes_of(unguarded)
    assert len(routes_of(router)) == len(router.routes)
