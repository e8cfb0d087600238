"""Errors: each is a problem of RFC 9457 that says enough and gives nothing away."""

import json
import re
from collections.abc import AsyncIterator

import pytest

from tests.api import raw
from tests.api.conftest import Service
from tests.api.shared import shared_fixtures
from tests.memory import no_more_memory

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

NOBODY: dict[str, str] = {}
MIB = 1024 * 1024
LARGEST = 160 * MIB


settings, service = shared_fixtures(max_json_blob=LARGEST)


@pytest.mark.ordinary
async def test_every_error_has_the_form_of_a_problem(service: Service) -> None:
    mine = service.service_token
    for method, path, headers, status in [
        ("GET", "/nothing", NOBODY, 404), ("GET", "/v1", NOBODY, 404), ("GET", "/v1/", mine, 404),
        ("GET", "/%2e%2e/etc/passwd", mine, 404), ("GET", "/v1/blobs/a%2Fb/c", mine, 404),
        ("POST", "/v1/nothing", mine, 404), ("GET", "//v1/nothing", mine, 404),
        ("GET", "/v1/blobs/none", mine, 404), ("GET", "/v1/blobs", NOBODY, 401),
        ("PATCH", "/v1/blobs", mine, 405), ("POST", "/healthz", NOBODY, 405),
        ("GET", "/v1/blobs?limit=0", mine, 422), ("GET", "/v1/blobs?cursor=x", mine, 400),
        ("GET", "/v1/tiers", mine, 403), ("POST", "/v1/blobs", mine, 422),
        ("POST", "/v1/accounts", NOBODY, 422),
    ]:  # fmt: skip
        route, _, query = path.partition("?")
        body = [raw.part(b"", more=False)]
        answer = await raw.request(service, method, route, headers, body, query=query.encode())
        assert answer.status == status, path
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["content-length"] == str(len(answer.body))
        problem = json.loads(answer.body)
        assert problem["status"] == status
        assert problem["instance"].lstrip("/") == route.replace("%2e%2e", "..").lstrip("/")
        assert re.fullmatch(r"about:blank|urn:holdall:problem:[a-z-]+", problem["type"])
        assert problem["title"]
        assert problem["detail"]
        assert ("errors" in problem) == (status == 422)
        for error in problem.get("errors", []):
            assert error.keys() == {"loc", "msg"}


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v1/blobs", "GET, HEAD, POST"),
        ("/v1/blobs/a", "DELETE, GET, HEAD"),
        ("/v1/blobs/a%2Fb/content", "GET, HEAD, OPTIONS, PUT"),
        ("/v1/accounts/me/keys", "GET, HEAD, POST"),
        ("/v1/blobs/", "GET, HEAD, POST"),
        ("/v1/blobs/a/content/", "GET, HEAD, OPTIONS, PUT"),
        ("/account/login/", "GET, HEAD, POST"),
        ("/api/dumps", "GET, HEAD, POST"),
    ],
)
async def test_a_method_that_is_not_allowed_names_those_that_are(
    service: Service, path: str, methods: str
) -> None:
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} - set(
        methods.split(", ")
    ):
        answer = await service.client.request(method, path, headers=service.service_token)
        assert (answer.status_code, answer.headers["allow"]) == (405, methods)


async def test_a_request_keeps_its_id_if_that_is_sane(service: Service) -> None:
    for sane in ("a", "0191-af.b_c:d", "x" * 128):
        for path in ("/healthz", "/nothing", "/v1/blobs"):
            answer = await service.client.get(path, headers={"X-Request-ID": sane})
            assert answer.headers.get_list("x-request-id") == [sane]
    made = set()
    for other in (None, "", " ", "x" * 129, "a b", "a\tb", "é", '"', "<b>", "a,b", "a\\n"):
        headers = NOBODY if other is None else {"X-Request-ID": other}
        other_answer = await raw.request(service, "GET", "/healthz", headers, [])
        made.add(other_answer.headers["x-request-id"])
    assert len(made) == 11
    for request_id in made:
        assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f-]{17}", request_id)


async def test_a_request_made_to_break_the_answer_gets_one(service: Service) -> None:
    for headers in ({"Host": "["}, {"Host": "a:b:c"}, {"Host": ""}, {"Host": "x/../y?z#é"}):
        answer = await raw.request(service, "GET", "/nothing", headers, [])
        assert (answer.status, json.loads(answer.body)["instance"]) == (404, "/nothing")
    answer = await raw.request(service, "GET", "/nothing", NOBODY, [], query=b"\xff=\xfe")
    assert answer.status == 404
    for query in (b"limit=\xff", b"prefix=\xff&limit=0"):
        answer = await raw.request(
            service, "GET", "/v1/blobs", service.service_token, [], query=query
        )
        assert answer.status == 422
        assert json.loads(answer.body)["instance"] == "/v1/blobs"


async def test_a_failure_tells_the_client_nothing_but_an_id(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("SELECT secret FROM /var/lib/holdall")

    monkeypatch.setattr(type(service.runtime.parts.database), "read", fail)
    answer = await service.client.get("/v1/blobs", headers=service.service_token)
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"]
    assert answer.json().keys() == {"type", "title", "status", "detail", "instance"}
    for secret in ("SELECT", "RuntimeError", "/var", "Traceback", ".py"):
        assert secret not in answer.text


@pytest.mark.slow("scaled")
async def test_out_of_memory_is_unavailable_for_a_while(service: Service) -> None:
    chunk = b"A" * MIB  # one and the same, so that the sender needs no memory

    async def body() -> AsyncIterator[bytes]:
        yield b'{"id": "large", "data": "'
        for _ in range(LARGEST // MIB):
            yield chunk
        yield b'"}'

    headers = service.service_token | {"content-type": "application/json"}
    with no_more_memory():
        answer = await service.client.post("/v1/blobs", content=body(), headers=headers)
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0
    answer = await service.client.post("/v1/blobs", content=body(), headers=headers)
    assert answer.status_code == 201
