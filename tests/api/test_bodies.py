"""Bodies of every route: bounded, and none of a stranger's is read."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final, cast

import httpx
import pytest
from fastapi.routing import APIRoute
from sqlalchemy import Connection, update

from app.accounts.tables import tiers
from routers.web.middleware import Edge
from routers.web.route import LIMIT
from tests.api import raw
from tests.api.conftest import Service
from tests.api.shared import shared_fixtures

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

KIB: Final = 1024
UUID: Final = "01890a5d-ac96-774b-bcce-b302099a8057"
FORM: Final = "multipart/form-data; boundary=XX"
URLENCODED: Final = "application/x-www-form-urlencoded"
TYPES: Final = ("application/json", "application/octet-stream", FORM, URLENCODED)

PUBLIC: Final = frozenset(
    {
        "/v1/accounts", "/v1/auth/token", "/v1/auth/refresh",
        "/t/{token}", "/t/{token}/{name:path}", "/t/{token}/uploads/{upload}",
        "/v1/welcome/{token}", "/welcome/{token}",
        "/account/login", "/account/login/code", "/account/register", "/account/registet",
        "/account/logout",
        "/api/token/", "/api/token/refresh/", "/signup/", "/login/", "/token/",
        # the key is in the body
        "/clear/session/", "/delete/user/", "/get/files/", "/create/file/",
    }
)  # fmt: skip
"""Paths of the routes that take a body from a stranger."""

WAITING: Final = frozenset({"/create/file/"})
"""Where a file may come before the field that says whose it is, and waits for that."""


def routes_with_bodies(service: Service) -> Iterator[tuple[str, str, str]]:
    """Yield method, path and a path that fits it, for every route that may have a body."""
    edge = cast("Edge", cast("httpx.ASGITransport", service.client._transport).app)
    for route in edge.app.routes:
        for method in getattr(route, "methods", None) or ():
            if isinstance(route, APIRoute) and method in {"POST", "PUT", "PATCH"}:
                yield method, route.path, filled(route)


def filled(route: APIRoute) -> str:
    def value(match: re.Match[str]) -> str:
        name, _, kind = match[1].partition(":")
        return "200" if kind == "number" or name == "height" else UUID

    return re.sub(r"\{([^}]+)\}", value, route.path)


settings, service = shared_fixtures()


@pytest.fixture(scope="module")
async def dead(service: Service) -> dict[str, str]:
    """Headers with an access token that was good once."""
    _, headers = await service.sign_up()
    await service.client.post("/v1/auth/revoke", headers=headers)
    return headers


@pytest.mark.parametrize("kind", TYPES)
async def test_of_a_stranger_not_a_byte_is_read(service: Service, kind: str) -> None:
    seen = 0
    for method, path, example in routes_with_bodies(service):
        if path in PUBLIC:
            continue
        for credential in ({}, {"authorization": "Bearer nonsense"}, {"cookie": "nothing=here"}):
            for length in ("5", "99999999999"):
                headers = credential | {"content-type": kind, "content-length": length}
                headers["x-data-type"] = "text"
                answer = await raw.request(service, method, example, headers, [])
                assert (answer.status, answer.receives) == (401, 0), (method, path, headers)
                seen += 1
    assert seen > 100


@pytest.mark.parametrize("kind", TYPES)
async def test_of_a_session_that_has_ended_no_large_body_is_read(
    service: Service, dead: dict[str, str], kind: str
) -> None:
    """Of a small one no more is told than that: what is wrong with it stays unsaid."""
    for method, path, example in routes_with_bodies(service):
        if path in PUBLIC:
            continue
        headers = dead | {"content-type": kind, "x-data-type": "text"}
        large = headers | {"content-length": str(LIMIT + 1)}
        answer = await raw.request(service, method, example, large, [])
        assert (answer.status, answer.receives) == (401, 0), (method, path, "large")
        small = headers | {"content-length": "9"}
        body = [raw.part(b"{nonsense", more=False)]
        answer = await raw.request(service, method, example, small, body)
        assert answer.status == 401, (method, path, "small", answer.body)


PART: Final = b'--XX\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n'
BEGINNINGS: Final[dict[str, list[bytes]]] = {
    "application/json": [b'{"id": "a", "data": "'],
    "application/octet-stream": [b""],
    URLENCODED: [b"username="],
    FORM: [
        b"",
        PART % (b"file", b'; filename="a"'),
        PART % (b"img", b'; filename="a"'),
        PART % (b"upload_file_minidump", b'; filename="a"'),
        PART % (b"unknown", b""),
        PART % (b"unknown", b'; filename="a"'),
        PART % (b"file", b'; filename="a"') + b"\r\n--XX--\r\n",
    ],
}


@pytest.mark.parametrize("kind", TYPES)
async def test_no_body_is_endless(service: Service, kind: str) -> None:
    """Each is refused: as too large, or for what it is before it is read."""

    def lower(connection: Connection) -> None:
        small = {"max_object_bytes": 256 * KIB, "max_total_bytes": 1024 * KIB}
        connection.execute(update(tiers).values(small))

    await service.runtime.parts.database.write(lower)
    _, mine = await service.sign_up()
    for method, path, example in routes_with_bodies(service):
        for beginning in BEGINNINGS[kind]:
            headers = mine | {"content-type": kind, "x-data-type": "text"}
            answer = await raw.request(service, method, example, headers, endless(beginning))
            case = (method, path, beginning, answer.status, answer.receives)
            assert answer.status is not None, case
            assert answer.receives <= (1100 if path in WAITING else 64), case
            if answer.receives > 2:
                refused = answer.status in {413, 422, 400} or b'"status":false' in answer.body
                assert refused, case  # VertexCloud says so with 200


async def test_a_small_body_has_a_limit_wherever_the_framework_reads_it(service: Service) -> None:
    _, mine = await service.sign_up()
    paths = {
        ("PATCH", f"/v1/files/{UUID}"), ("PATCH", f"/v1/pictures/{UUID}"),
        ("PATCH", "/v1/accounts/me"), ("POST", "/v1/timelinks"), ("POST", "/v1/accounts/me/keys"),
    }  # fmt: skip
    for method, path in paths:
        headers = mine | {"content-type": "application/json"}
        over = headers | {"content-length": str(LIMIT + 1)}
        answer = await raw.request(service, method, path, over, [])
        assert (answer.status, answer.receives) == (413, 0), path
        answer = await raw.request(service, method, path, headers, endless(b"{"))
        assert (answer.status, answer.receives) == (413, 2), path
        fits = [raw.part(b'{"x": "' + b"x" * (LIMIT - 9) + b'"}', more=False)]
        answer = await raw.request(service, method, path, headers, fits)
        assert answer.status in {404, 422}, path  # read, and judged by what it says


async def endless(beginning: bytes) -> AsyncIterator[dict[str, Any]]:
    if beginning:
        yield raw.part(beginning)
    while True:
        yield raw.part(b"x" * 256 * KIB)
