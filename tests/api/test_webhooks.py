"""Webhooks over HTTP: what sessions may do with them, and what keys."""

from collections.abc import AsyncIterator

import pytest

from tests.api.conftest import Service
from tests.api.crash_forms import make_key
from tests.api.problems import assert_problem
from tests.api.shared import shared_fixtures, wipe
from tests.api.webhook_client import Headers, make

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

settings, service = shared_fixtures(webhook_private_addresses="allow")


@pytest.fixture
async def user(service: Service) -> AsyncIterator[Headers]:
    """Headers of a new account; at last no webhook is there any more."""
    _, headers = await service.sign_up()
    yield headers
    await wipe(service)


async def test_what_a_session_may_do(service: Service, user: Headers) -> None:
    made = await make(service, user, "https://example.org/a?b", "link.used_up", "file.received")
    assert made["events"] == ["link.used_up", "file.received"]
    assert (made["is_active"], made["format"], made["description"]) == (True, "standard", None)
    url = f"/v1/webhooks/{made.pop('id')}"
    assert made.pop("secret").startswith("whsec_")
    change = {"url": "https://example.org/c", "events": ["file.received", "*"], "is_active": False}
    more = {"format": "slack", "description": "Ours"}
    changed = (await service.client.patch(url, json=change | more, headers=user)).json()
    assert changed == made | change | more | {"id": changed["id"], "events": ["*"]}
    same = await service.client.patch(url, json={"url": None, "description": None}, headers=user)
    assert same.json() == changed | {"description": None}
    listed = (await service.client.get("/v1/webhooks", headers=user)).json()["items"]
    assert listed == [same.json()]
    _, other = await service.sign_up()
    for method in ("GET", "DELETE"):
        assert (await service.client.request(method, url, headers=other)).status_code == 404
    assert (await service.client.delete(url, headers=user)).status_code == 204
    assert (await service.client.get(url, headers=user)).status_code == 404


async def test_what_a_key_may_do(service: Service, user: Headers) -> None:
    webhook = await make(service, user, "https://example.org/T0/B0/secret")
    url = f"/v1/webhooks/{webhook['id']}"
    key = {"Authorization": f"Bearer {await make_key(service, user, 'webhooks:read')}"}
    seen = (await service.client.get(url, headers=key)).json()
    assert seen["url"] == "https://example.org/…"
    assert (await service.client.get("/v1/webhooks", headers=key)).json()["items"] == [seen]
    log = await service.client.get(f"{url}/deliveries", headers=key)
    assert_problem(log, 403, "forbidden")
    body = {"url": "https://example.org", "events": ["*"]}
    for method, path, sent in (
        ("POST", "/v1/webhooks", body), ("PATCH", url, body), ("DELETE", url, None),
        ("POST", f"{url}/test", None), ("POST", f"{url}/secret", None),
        ("POST", f"{url}/deliveries/{webhook['id']}/retry", None),
    ):  # fmt: skip
        refused = await service.client.request(method, path, json=sent, headers=key)
        assert_problem(refused, 403, "forbidden")


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("url", "https://example.org/ a", "spaces"),
        ("url", "ftp://example.org", "must begin with http"),
        ("url", "https://a:b@example.org", "password"),
        ("url", "https://169.254.169.254/latest", "public address"),
        ("url", "https://0xa9fea9fe", "public address"),
        ("url", "https://" + "a" * 2048, "2048"),
        ("events", [], "at least 1"),
        ("events", ["file.received", "file.eaten"], "file.eaten"),
        ("format", "carrier-pigeon", "standard"),
    ],
)
async def test_what_is_refused(
    service: Service, user: Headers, field: str, value: object, words: str
) -> None:
    body = {"url": "https://example.org", "events": ["*"], field: value}
    refused = await service.client.post("/v1/webhooks", json=body, headers=user)
    assert_problem(refused, 422, "invalid-request")
    (error,) = refused.json()["errors"]
    assert error["loc"][:2] == ["body", field]
    assert words in error["msg"]


async def test_there_are_twenty_at_most(service: Service, user: Headers) -> None:
    for _ in range(20):
        await make(service, user, "https://example.org", "dump.spike")
    body = {"url": "https://example.org", "events": ["*"]}
    refused = await service.client.post("/v1/webhooks", json=body, headers=user)
    assert_problem(refused, 409, "conflict")
