"""Signatures over HTTP: listed, looked at, resolved, open again."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app import clock
from tests.api.conftest import Service
from tests.api.crash_forms import FILE, form, make_key, submit
from tests.api.dump_books import Headers, account_of, read_all
from tests.api.problems import assert_problem as problem
from tests.api.shared import shared_fixtures
from tests.minidump_files import Minidump

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

URL = "/v1/dumps/signatures"
F, G = "SIGSEGV app+0x123", "SIGABRT app+0x123"

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


async def crash(service: Service, key: str, code: int = 11, **annotations: str) -> str:
    """Submit a crash, and have it read; returns the dump's id."""
    fields = [(name, None, value.encode()) for name, value in annotations.items()]
    minidump = (FILE, "a.dmp", Minidump(code=code).write())
    dump = await submit(service, key, form(*fields, minidump))
    while await service.runtime.dumps.reports.run_once(clock.now()):
        pass
    return dump


async def ask(service: Service, user: Headers, query: str = "") -> list[dict[str, Any]]:
    answer = await service.client.get(f"{URL}{query}", headers=user)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def change(
    service: Service,
    user: Headers,
    signature: dict[str, Any],
    **changes: Any,  # noqa: ANN401 - JSON
) -> httpx.Response:
    return await service.client.patch(f"{URL}/{signature['id']}", json=changes, headers=user)


@pytest.mark.ordinary
async def test_equal_crashes_are_counted(service: Service, user: Headers, key: str) -> None:
    dumps = [
        await crash(service, key, ver="1.9", prod="Acme"),
        await crash(service, key, 6),
        await crash(service, key, ver="1.10", prod="Acme"),
    ]
    made = {dump["id"]: dump for dump in await read_all(service, user)}
    first, last = (made[dumps[place]]["created_at"] for place in (0, 2))
    g, f = await ask(service, user)
    assert (g["signature"], g["count"], g["versions"]) == (G, 1, [])
    size = sum(made[dumps[place]]["size"] for place in (0, 2))
    assert f == {
        "id": f["id"], "signature": F, "count": 2, "total": 2, "size": size,
        "first_seen": first, "last_seen": last,
        "state": "open", "is_new": True, "is_regression": False, "note": "",
        "resolved_in": None, "resolved_at": None, "regressed_in": None, "regressed_at": None,
        "recent": [0] * 13 + [2],
        "versions": [{"version": "1.10", "count": 1}, {"version": "1.9", "count": 1}],
    }  # fmt: skip
    assert [one["signature"] for one in await ask(service, user, "?sort=count&q=APP")] == [F, G]
    assert [one["signature"] for one in await ask(service, user, "?q=abrt")] == [G]
    assert [one["id"] for one in await read_all(service, user, "version=1.10")] == [dumps[2]]
    assert made[dumps[2]]["version"] == "1.10"


@pytest.mark.ordinary
async def test_a_signature_has_counts_that_filters_narrow(
    service: Service, user: Headers, key: str
) -> None:
    for version in ("1.9", "1.10", "1.10"):
        dump = await crash(service, key, version=version, product="Acme")
    await service.client.patch(f"/v1/dumps/{dump}", json={"archived": True}, headers=user)
    (found,) = await ask(service, user)
    for query, days, versions in (
        ("", 3, {"1.10": 2, "1.9": 1}),
        ("&archived=false", 2, {"1.10": 1, "1.9": 1}),
        ("&version=1.10&platform=linux", 2, {"1.10": 2}),
        ("&platform=windows", 0, {}),
        ("&q=acme+1.9", 1, {"1.9": 1}),
        ("&signature=other", 3, {"1.10": 2, "1.9": 1}),
    ):
        answer = await service.client.get(f"{URL}/{found['id']}?days=7{query}", headers=user)
        body = answer.json()
        assert [day["count"] for day in body["days"]] == [0] * 6 + [days], query
        assert {one["version"]: one["count"] for one in body["versions"]} == versions, query
        assert [one["platform"] for one in body["platforms"]] == (["linux"] if days else [])
        assert body["counted"] is None


@pytest.mark.ordinary
async def test_a_fix_that_does_not_hold_is_a_regression(
    service: Service, user: Headers, key: str
) -> None:
    await crash(service, key, ver="1.9")
    (found,) = await ask(service, user)
    answer = await change(service, user, found, state="resolved", resolved_in="1.10", note="#7")
    assert answer.status_code == 200
    resolved = answer.json()
    assert (resolved["state"], resolved["resolved_in"], resolved["note"]) == (
        "resolved", "1.10", "#7",
    )  # fmt: skip
    assert resolved["resolved_at"]
    await crash(service, key, ver="1.10")
    assert await ask(service, user, "?state=open") == []
    dump = await crash(service, key, ver="1.11-beta")
    (found,) = await ask(service, user, "?state=open")
    assert (found["is_regression"], found["is_new"]) == (True, False)
    assert found["regressed_in"] == "1.11-beta"
    (dump_now,) = [one for one in await read_all(service, user) if one["id"] == dump]
    assert found["regressed_at"] == dump_now["created_at"]
    again = await change(service, user, found, state="resolved")
    assert (again.json()["regressed_at"], again.json()["resolved_in"]) == (None, None)
    await service.client.post(f"/v1/dumps/{dump}/reprocess", headers=user)
    while await service.runtime.dumps.reports.run_once(clock.now()):
        pass
    assert [one["state"] for one in await ask(service, user)] == ["resolved"]


async def test_changes_are_checked(service: Service, user: Headers, key: str) -> None:
    await crash(service, key)
    (found,) = await ask(service, user)
    refused = problem(await change(service, user, found, resolved_in="1.0"), 422)
    assert refused["errors"][0]["loc"] == ["body", "resolved_in"]
    for wrong in ({"state": "gone"}, {"note": "x" * 10_001}, {"resolved_in": "x" * 101},
                  {"state": "resolved", "resolved_in": "1\u202e"}):  # fmt: skip
        problem(await change(service, user, found, **wrong), 422)
    for query in ("?state=new", "?sort=size", "?q=%00"):
        problem(await service.client.get(f"{URL}{query}", headers=user), 422)
    problem(await service.client.get(f"{URL}/{found['id']}?days=0", headers=user), 422)
    assert await ask(service, user) == [found]


async def test_accounts_and_scopes(service: Service, user: Headers, key: str) -> None:
    await crash(service, key)
    (found,) = await ask(service, user)
    url = f"{URL}/{found['id']}"
    async with account_of(service) as other:
        assert await ask(service, other) == []
        problem(await service.client.get(url, headers=other), 404)
        problem(await change(service, other, found, note="x"), 404)
    reading = {"Authorization": f"Bearer {await make_key(service, user, 'dumps:read')}"}
    assert (await service.client.get(url, headers=reading)).status_code == 200
    problem(await change(service, reading, found, note="x"), 403)
    problem(await service.client.get(url, headers={"Authorization": f"Bearer {key}"}), 403)
