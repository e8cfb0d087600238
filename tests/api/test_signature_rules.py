"""An account's own rules for signatures over HTTP: tried, saved, and used for dumps."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, update

from app.dumps.tables import dumps
from tests.api.conftest import Service
from tests.api.crash_forms import make_key
from tests.api.dump_books import Headers, account_of, read_all
from tests.api.problems import assert_problem as problem
from tests.api.shared import shared_fixtures
from tests.api.test_signatures import F, ask, crash

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

URL = "/v1/dumps/rules"

settings, service = shared_fixtures()


@pytest.fixture
async def user(service: Service) -> AsyncIterator[Headers]:
    """Headers of a new account, whose charges are checked after the test."""
    async with account_of(service) as headers:
        yield headers


@pytest.fixture
async def key(service: Service, user: Headers) -> str:
    """A key that permits submitting alone."""
    return await make_key(service, user, "dumps:submit")


async def send(
    service: Service, user: Headers, verb: str, url: str = URL, **body: Any  # noqa: ANN401 - JSON
) -> httpx.Response:  # fmt: skip
    return await service.client.request(verb, url, json=body, headers=user)


async def crash_in(service: Service, key: str, function: str) -> str:
    """Submit a crash, and give its stack a function, as symbols do."""
    uuid = await crash(service, key)
    frame = {"function": function, "module": "app", "trust": "cfi", "inlines": []}
    report = {
        "exception": {"name": "SIGSEGV"}, "crashing_module": None, "assertion": None,
        "threads": [{"is_crashed": True, "frames": [frame]}],
    }  # fmt: skip

    def name(connection: Connection) -> None:
        its = {"report": json.dumps(report), "signature": function}
        connection.execute(update(dumps).where(dumps.c.uuid == uuid).values(its))

    await service.runtime.parts.database.write(name)
    return uuid


async def apply(service: Service) -> None:
    task = service.runtime.signature_rules.applying
    while await task.run_once(0):
        pass


async def names(service: Service, user: Headers) -> dict[str, int]:
    return {one["signature"]: one["count"] for one in await ask(service, user) if one["count"]}


@pytest.mark.ordinary
async def test_rules_are_tried_saved_and_applied(service: Service, user: Headers, key: str) -> None:
    for function in ("read_a", "read_b", "main"):
        await crash_in(service, key, function)
    none = (await service.client.get(URL, headers=user)).json()
    assert none == {"rules": "", "is_off": False, "is_applying": False, "modified_at": None}
    rules = "# ours\r\n[group]\r\nread_. => I/O  \r\n"
    trial = (await send(service, user, "POST", f"{URL}/try", rules=rules)).json()
    assert (trial["tried"], trial["changed"]) == (3, 2)
    assert sorted(trial["changes"], key=lambda change: change["now"]) == [
        {"now": "read_a", "then": "I/O", "dumps": 1},
        {"now": "read_b", "then": "I/O", "dumps": 1},
    ]
    newest = await send(service, user, "POST", f"{URL}/try", rules=rules, limit=1)
    assert (newest.json()["tried"], newest.json()["changed"]) == (1, 0)
    assert await names(service, user) == {
        "read_a": 1,
        "read_b": 1,
        "main": 1,
    }
    saved = (await send(service, user, "PUT", rules=rules)).json()
    assert (saved["rules"], saved["is_applying"]) == ("# ours\n[group]\nread_. => I/O", True)
    await apply(service)
    assert await names(service, user) == {"I/O": 2, "main": 1}
    assert not (await service.client.get(URL, headers=user)).json()["is_applying"]
    events = (await service.client.get("/v1/events?limit=1", headers=user)).json()["items"]
    assert events[0]["type"] == "dump.rules_changed"


@pytest.mark.ordinary
async def test_new_dumps_are_named_by_rules(service: Service, user: Headers, key: str) -> None:
    """These have no function: the rules are used, and change nothing."""
    await send(service, user, "PUT", rules="[ignore]\nf")
    await apply(service)
    uuid = await crash(service, key)
    (dump,) = await read_all(service, user)
    assert (dump["id"], dump["signature"]) == (uuid, F)


async def test_rules_that_never_end_are_off(
    service: Service, user: Headers, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.runtime.signature_rules._children, "_seconds", 0.5)
    endless = "[ignore]\n(a|a)*b"
    await crash_in(service, key, "a" * 60)
    refused = problem(await send(service, user, "POST", f"{URL}/try", rules=endless), 422)
    assert refused["errors"][0]["loc"] == ["body", "rules"]
    await send(service, user, "PUT", rules=endless)
    await apply(service)
    rules = (await service.client.get(URL, headers=user)).json()
    assert (rules["is_off"], rules["is_applying"], rules["rules"]) == (True, False, endless)
    assert await names(service, user) == {"a" * 60: 1}


async def test_what_is_wrong_is_said(service: Service, user: Headers, key: str) -> None:
    for verb, url in (("PUT", URL), ("POST", f"{URL}/try")):
        refused = problem(await send(service, user, verb, url, rules="[ignore]\n(a"), 422)
        assert refused["errors"][0]["msg"].startswith("Line 2: ")
        for wrong in ({}, {"rules": None}, {"rules": "x" * 50_000}, {"rules": "\u0000"}):
            problem(await send(service, user, verb, url, **wrong), 422)
    problem(await send(service, user, "POST", f"{URL}/try", rules="", limit=501), 422)
    reading = {"Authorization": f"Bearer {await make_key(service, user, 'dumps:read')}"}
    problem(await send(service, reading, "PUT", rules=""), 403)
    assert (await send(service, reading, "POST", f"{URL}/try", rules="")).status_code == 200
    problem(await service.client.get(URL, headers={"Authorization": f"Bearer {key}"}), 403)
