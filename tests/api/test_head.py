"""HEAD works wherever GET does: the same status and headers, and nothing after them."""

import asyncio
import re

import httpx
import pytest
from fastapi.routing import APIRoute

from main import create_app
from routers.compat.vertexcloud.keys import MediaRoute, VertexcloudRoute
from tests.api.conftest import Service
from tests.deadline import DEADLINE

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

OF_THE_MOMENT = {"date", "x-request-id", "set-cookie", "content-security-policy"}
"""Headers that no two answers share: cookies are fresh, and policies name what a page draws."""
MEASURED = {"/readyz", "/metrics", "/admin"}
"""Their bodies say how long something took, or how much there is: so does their length."""
STREAMS = ("/v1/buffer/events", "/v1/events/stream", "/v1/inboxes/events")
"""Answers without an end."""


def _paths(service: Service) -> list[str]:
    """Every path that GET has, but for VertexCloud's, which is 405 for other methods."""
    return sorted(
        re.sub(r"{(\w+)(:\w+)?}", _parameter, route.path)
        for route in create_app(service.settings).app.routes
        if isinstance(route, APIRoute)
        and "GET" in (route.methods or ())
        and (isinstance(route, MediaRoute) or not isinstance(route, VertexcloudRoute))
    )


def _parameter(match: re.Match[str]) -> str:
    return (
        "1"
        if match[2] == ":number" or match[1] == "height"
        else "0" * 8 + "-0000" * 3 + "-" + "0" * 12
    )


def _headers(answer: httpx.Response, path: str) -> dict[str, str]:
    without = OF_THE_MOMENT | ({"content-length"} if path in MEASURED else set())
    return {name: text for name, text in answer.headers.items() if name not in without}


@pytest.mark.parametrize("accept", ["*/*", "text/html"])
async def test_head_answers_as_get_does(service: Service, accept: str) -> None:
    _, headers = await service.sign_up()
    headers["Accept"] = accept
    stored = await service.client.post(
        "/v1/blobs", json={"id": "a", "data": "aGVsbG8="}, headers=headers
    )
    assert stored.status_code == 201
    for path in (*_paths(service), "/v1/blobs/a", "/v1/blobs/a/"):
        if path in STREAMS:
            continue
        got = await service.client.get(path, headers=headers)
        head = await service.client.head(path, headers=headers)
        assert head.status_code == got.status_code, path
        assert _headers(head, path) == _headers(got, path), path
        assert head.content == b""


async def test_head_of_a_stream_ends(service: Service) -> None:
    _, headers = await service.sign_up()
    for path in STREAMS:
        async with asyncio.timeout(DEADLINE):
            head = await service.client.head(path, headers=headers)
        assert (head.status_code, head.headers["content-type"]) == (200, "text/event-stream")
        assert head.content == b""


async def test_a_stranger_learns_no_more_by_head(service: Service) -> None:
    for path in ("/v1/blobs", *STREAMS, "/api/dumps/"):
        head = await service.client.head(path)
        assert head.status_code == 401
        assert head.headers["www-authenticate"] == "Bearer"
