"""The outermost layer: who the client is, under which path we are reached, which pages may call."""

import ipaddress
import json
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
import structlog
from fastapi import FastAPI, Request

from app.config import Settings
from main import create_app
from routers.web.middleware import Edge
from tests.api import raw
from tests.api.conftest import MakeSettings, Service, running

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]


@pytest.mark.parametrize("sent", ["/holdall/v1/blobs/", "/v1/blobs/"], ids=["kept", "stripped"])
async def test_a_path_prefix_may_be_stripped_by_the_proxy_or_not(
    make_settings: MakeSettings, sent: str
) -> None:
    settings = make_settings(public_url="https://files.example.org/holdall/")
    async with running(settings) as service:
        headers = service.service_token
        put = await service.client.put(f"{sent}a%2Fb/content", content=b"x", headers=headers)
        got = await service.client.get(f"{sent}a%2Fb", headers=headers)
        missing = await service.client.get(f"{sent}c", headers=headers)
    assert (put.status_code, got.json()["id"]) == (201, "a/b")
    assert missing.json()["instance"] == "/holdall/v1/blobs/c"


@pytest.mark.parametrize("prefix", ["", "/holdall"])
async def test_a_base_url_may_end_with_a_slash(make_settings: MakeSettings, prefix: str) -> None:
    settings = make_settings(public_url=f"https://files.example.org{prefix}")
    async with running(settings) as service:
        headers = service.service_token

        async def put(path: str) -> httpx.Response:
            url = httpx.URL("http://test").copy_with(raw_path=path.encode())  # as it is
            return await service.client.put(url, content=b"x", headers=headers)

        for path in (f"{prefix}//v1/blobs/", f"/{prefix}/v1/blobs/", f"{prefix}///v1/blobs/"):
            assert (await put(f"{path}a%2Fcontent/content")).json()["id"] == "a/content"
        sent = await put(f"{prefix}//v1/send/a.txt")
        encoded = await put(f"{prefix}/%2Fv1/send/a.txt")
    assert (sent.status_code, encoded.status_code) == (201, 404)


async def test_the_server_as_a_whole_has_options(service: Service) -> None:
    answer = await raw.request(service, "OPTIONS", "*", {"host": "test"}, [])
    assert (answer.status, answer.body) == (204, b"")
    assert {"GET", "PUT", "OPTIONS"} <= set(answer.headers["allow"].split(", "))
    assert (await raw.request(service, "GET", "*", {"host": "test"}, [])).status == 404


async def seen_by_a_route(
    trusted: tuple[str, ...], client: str, headers: dict[str, str] | list[tuple[str, str]]
) -> Any:  # noqa: ANN401 - JSON
    """Return client, scheme and host as a route sees them."""
    api = FastAPI()

    @api.get("/")
    async def show(request: Request) -> dict[str, str]:
        assert request.client is not None
        return {
            "client": request.client.host,
            "scheme": request.url.scheme,
            "host": request.url.netloc,
        }

    settings: dict[str, Any] = {"trusted_proxies": trusted}
    edge = Edge(api, Settings(_env_file=None, **settings))
    sent: list[Any] = []
    lines = headers.items() if isinstance(headers, dict) else headers
    raw = [(name.lower().encode(), value.encode()) for name, value in lines]

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:  # noqa: ANN401 - ASGI
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "scheme": "http",
        "headers": [(b"host", b"inside"), *raw],
        "client": (client, 1),
        "server": ("127.0.0.1", 80),
    }
    await edge(scope, receive, send)
    return json.loads(sent[1]["body"])


FORWARDED = {
    "X-Forwarded-For": "203.0.113.9, 198.51.100.7, 10.0.0.2",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "files.example.org",
}


async def test_a_trusted_proxy_says_who_the_client_is() -> None:
    """The last address that no trusted proxy added counts; what a client claims before it, not."""
    seen = await seen_by_a_route(("10.0.0.0/8",), "10.0.0.1", FORWARDED)
    assert seen == {"client": "198.51.100.7", "scheme": "https", "host": "files.example.org"}


@pytest.mark.parametrize("trusted", [(), ("10.0.0.0/8",)])
async def test_anybody_else_does_not(trusted: tuple[str, ...]) -> None:
    seen = await seen_by_a_route(trusted, "192.0.2.1", FORWARDED)
    assert seen == {"client": "192.0.2.1", "scheme": "http", "host": "inside"}


PROXY = "10.0.0.1"
SPOOFED = {"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=192.0.2.66;proto=https;host=evil"}
SEEN = {"client": "203.0.113.9", "scheme": "https", "host": "files.example.org"}
PLAIN = {"client": PROXY, "scheme": "http", "host": "inside"}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"X-Forwarded-For": "203.0.113.9:55"}, {"client": "203.0.113.9"}),
        ({"X-Forwarded-For": "[2001:db8::1]:55"}, {"client": "2001:db8::1"}),
        ({"X-Forwarded-For": "[2001:db8::1]"}, {"client": "2001:db8::1"}),
        ({"X-Forwarded-For": "2001:db8::1"}, {"client": "2001:db8::1"}),
        ({"X-Forwarded-For": "::1, 10.0.0.7:80, 10.0.0.2"}, {"client": "::1"}),
        ({"X-Forwarded-For": "10.0.0.9:1, 10.0.0.2"}, {"client": "10.0.0.9"}),
        ({"X-Forwarded-For": "203.0.113.9, ::ffff:10.0.0.2"}, {"client": "203.0.113.9"}),
        ({"X-Forwarded-Proto": "https, http"}, {"scheme": "https"}),
        ({"X-Forwarded-Proto": "HTTPS"}, {"scheme": "https"}),
        ({"X-Forwarded-Proto": "gopher"}, {}),
        ({"X-Forwarded-Host": "Files.Example.ORG, inner"}, {"host": "files.example.org"}),
        ({"X-Forwarded-Host": "a b"}, {}),
        ({"X-Forwarded-Host": "evil/path"}, {}),
        ({"X-Forwarded-Host": "[2001:db8::1]:8443"}, {"host": "[2001:db8::1]:8443"}),
        ({"X-Forwarded-Port": "8443", "X-Forwarded-Proto": "https"},
         {"scheme": "https", "host": "inside:8443"}),
        ({"X-Forwarded-Port": "443", "X-Forwarded-Proto": "https"}, {"scheme": "https"}),
        ({"X-Forwarded-Port": "443"}, {"host": "inside:443"}),
        ({"X-Forwarded-Port": "80"}, {}),
        ({"X-Forwarded-Port": "x"}, {}),
        ({"X-Forwarded-Port": "8443, 80", "X-Forwarded-Host": "a.example"},
         {"host": "a.example:8443"}),
        ({"X-Forwarded-Port": "8443", "X-Forwarded-Host": "a.example:9000"},
         {"host": "a.example:9000"}),
        ({"Forwarded": "for=203.0.113.9;proto=https;host=files.example.org"}, SEEN),
        ({"Forwarded": 'For="203.0.113.9:4711" ; Proto=HTTPS;HOST="Files.example.org"'}, SEEN),
        ({"Forwarded": 'for="[2001:db8::1]:55"'}, {"client": "2001:db8::1"}),
        ({"Forwarded": 'for="[2001:db8::1]"'}, {"client": "2001:db8::1"}),
        # what the client claims comes first, and what the outermost trusted proxy saw counts
        ({"Forwarded": "for=1.1.1.1;host=evil, for=203.0.113.9;proto=https;"
                       "host=files.example.org, for=10.0.0.2;proto=http;host=inner"}, SEEN),
        ({"Forwarded": "for=10.0.0.9;proto=https, for=10.0.0.2"},
         {"client": "10.0.0.9", "scheme": "https"}),
        ({"Forwarded": "for=_hidden"}, {"client": "_hidden"}),
        ({"Forwarded": ", for=203.0.113.9;"}, {"client": "203.0.113.9"}),
        ({"Forwarded": "proto=https"}, {"scheme": "https"}),
        ({"Forwarded": 'for="203.0.113.9'}, {}),
        ({"Forwarded": "for=203.0.113.9 proto=https"}, {}),
        ({"Forwarded": ""}, {}),
        # a proxy that writes the one passes the other on as it came
        (SPOOFED, {"client": "203.0.113.9"}),
    ],
)  # fmt: skip
async def test_what_trusted_proxies_say_in_any_form(
    headers: dict[str, str], expected: dict[str, str]
) -> None:
    assert await seen_by_a_route(("10.0.0.0/8",), PROXY, headers) == PLAIN | expected
    assert await seen_by_a_route(("10.0.0.0/8",), "192.0.2.1", headers) == PLAIN | {
        "client": "192.0.2.1"
    }


async def test_hops_may_come_in_several_lines() -> None:
    """Each proxy may add its own."""
    lines = [("X-Forwarded-For", "198.51.100.7"), ("X-Forwarded-For", "203.0.113.9"),
             ("X-Forwarded-For", "10.0.0.2")]  # fmt: skip
    seen = await seen_by_a_route(("10.0.0.0/8",), PROXY, lines)
    assert seen["client"] == "203.0.113.9"


async def test_an_address_that_is_none_does_not_pass_for_a_trusted_one() -> None:
    seen = await seen_by_a_route(("10.0.0.0/8",), "10.0.0.1", {"X-Forwarded-For": "10.0.0.9, junk"})
    assert seen["client"] == "junk"
    with pytest.raises(ValueError, match="junk"):
        ipaddress.ip_address(seen["client"])


async def test_other_origins_are_refused_unless_named(make_settings: MakeSettings) -> None:
    ask = {"Origin": "https://app.example.org", "Access-Control-Request-Method": "PUT"}
    async with running(make_settings(cors_origins=("https://app.example.org",))) as service:
        allowed = await service.client.options("/v1/blobs", headers=ask)
        other = await service.client.options(
            "/v1/blobs", headers=ask | {"Origin": "https://evil.example.org"}
        )
    assert allowed.headers["access-control-allow-origin"] == "https://app.example.org"
    assert "access-control-allow-origin" not in other.headers


async def test_no_origin_is_named_by_default(service: Service) -> None:
    answer = await service.client.get("/healthz", headers={"Origin": "https://app.example.org"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_a_websocket_is_refused_without_a_fuss() -> None:
    """``uvicorn main:app`` passes them on where it finds a library for them."""
    sent: list[Any] = []

    async def receive() -> dict[str, object]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:  # noqa: ANN401 - ASGI
        sent.append(message)

    scope = {
        "type": "websocket",
        "path": "/v1/blobs",
        "raw_path": b"/v1/blobs",
        "query_string": b"",
        "scheme": "ws",
        "headers": [(b"host", b"test")],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
        "subprotocols": [],
    }
    await create_app(Settings(_env_file=None))(scope, receive, send)
    assert [message["type"] for message in sent] == ["websocket.close"]


async def test_a_long_path_is_logged_cut(service: Service) -> None:
    for piece in ("a", "é", "%C3%A9", "\u4e00"):
        with structlog.testing.capture_logs() as logs:
            for path in (f"/v1/blobs/{piece * 5000}", f"/{piece * 5000}", f"/{piece * 100}"):
                await service.client.get(path)
        paths = [line["path"] for line in logs if line["event"] == "request"]
        for path in paths[:2]:
            assert 2045 <= len(path.encode()) <= 2048
            assert path.rstrip(unquote(piece)) in {"/v1/blobs/", "/"}
        assert paths[2] == f"/{unquote(piece) * 100}"
