"""What an account keeps of a flood of dumps: the bytes of the first ones alike."""

from collections.abc import AsyncIterator
from datetime import datetime

import pytest

from app import clock
from tests.api.conftest import Service
from tests.api.crash_forms import FILE, form, make_key, submit
from tests.api.dump_books import Headers, account_of, read_all
from tests.api.problems import assert_problem as problem
from tests.api.shared import shared_fixtures
from tests.api.test_signatures import ask, crash
from tests.minidump_files import Minidump

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

URL = "/v1/dumps/policy"

settings, service = shared_fixtures(default_tier="Enterprise")


@pytest.fixture
async def user(service: Service) -> AsyncIterator[Headers]:
    """Headers of a new account, whose charges are checked after the test."""
    async with account_of(service) as headers:
        yield headers


@pytest.fixture
async def key(service: Service, user: Headers) -> str:
    """A key that permits submitting alone."""
    return await make_key(service, user, "dumps:submit")


async def keep(service: Service, user: Headers, kept: int | None) -> None:
    answer = await service.client.patch(URL, json={"kept": kept}, headers=user)
    assert (answer.status_code, answer.json()["kept"]) == (200, kept)


@pytest.mark.ordinary
async def test_further_dumps_lose_their_bytes(service: Service, user: Headers, key: str) -> None:
    client = service.client
    await keep(service, user, 2)
    log = ("log", "log.txt", b"a log")
    sent = form(("ver", None, b"1"), log, (FILE, "a.dmp", Minidump().write()))
    dumps = [await submit(service, key, sent) for _ in range(4)]
    link = await client.post(
        "/v1/timelinks", json={"kind": "dump", "id": dumps[3], "time": 3000}, headers=user
    )
    assert link.status_code == 201, link.text
    archived = await submit(service, key, sent)
    await client.patch(f"/v1/dumps/{archived}", json={"archived": True}, headers=user)
    dumps.append(archived)
    while await service.runtime.dumps.reports.run_once(clock.now()):
        pass
    dumps.append(await crash(service, key, ver="2"))
    found = {dump["id"]: dump for dump in await read_all(service, user)}
    dropped = [found[uuid]["dropped_at"] is not None for uuid in dumps]
    assert dropped == [False, False, True, True, False, False]
    for uuid, is_dropped in zip(dumps, dropped, strict=True):
        content = await client.get(f"/v1/dumps/{uuid}/content", headers=user)
        dump = (await client.get(f"/v1/dumps/{uuid}", headers=user)).json()
        assert dump["report"]["exception"]["name"] == "SIGSEGV"
        if is_dropped:
            assert "enough" in problem(content, 410)["detail"]
            problem(await client.post(f"/v1/dumps/{uuid}/reprocess", headers=user), 410)
            assert (dump["size"], dump["attachments"]) == (0, [])
            body = {"kind": "dump", "id": uuid, "time": 3000}
            problem(await client.post("/v1/timelinks", json=body, headers=user), 404)
        else:
            assert len(content.content) == dump["size"] > 0
    assert (await client.get(link.json()["url"])).status_code in {404, 410}
    (signature,) = await ask(service, user)
    assert signature["count"] == 6
    assert signature["size"] == sum(dump["size"] for dump in found.values())
    listed = await client.get("/api/dumps/", headers=user)
    assert len(listed.json()) == 6
    number = max(
        one["id"] for one in listed.json() if one["stored_name"] == dumps[3].replace("-", "")
    )
    assert (await client.get(f"/api/dumps/{number}/download/", headers=user)).status_code == 410


@pytest.mark.ordinary
async def test_a_new_file_brings_it_back(service: Service, user: Headers, key: str) -> None:
    await keep(service, user, 1)
    await crash(service, key)
    uuid = await crash(service, key)
    problem(await service.client.get(f"/v1/dumps/{uuid}/content", headers=user), 410)
    await keep(service, user, None)
    again = {"file": ("b.dmp", b"no minidump")}
    await service.client.put(f"/v1/dumps/{uuid}", files=again, headers=user)
    content = await service.client.get(f"/v1/dumps/{uuid}/content", headers=user)
    assert content.content == b"no minidump"
    await crash(service, key)
    assert [dump["dropped_at"] for dump in await read_all(service, user)] == [None] * 3
    for uuid in [dump["id"] for dump in await read_all(service, user)]:
        await service.client.delete(f"/v1/dumps/{uuid}", headers=user)


@pytest.mark.ordinary
async def test_new_dumps_of_a_label_are_kept_for_a_time(
    service: Service, user: Headers, key: str
) -> None:
    policy = {"retention": {"Acme 1": 60, "*": 3600}}
    answer = await service.client.patch(URL, json=policy, headers=user)
    assert answer.json()["retention"] == policy["retention"]
    await crash(service, key, prod="Acme", ver="1")
    await crash(service, key)
    file = {"file": ("a", b"x")}
    sent = {"label": "Acme 1", "retention": "7200"}
    await service.client.post("/v1/dumps", files=file, data=sent, headers=user)
    seconds = [
        (datetime.fromisoformat(d["expires_at"]) - datetime.fromisoformat(d["created_at"])).seconds
        for d in await read_all(service, user)
    ]
    assert seconds == [7200, 3600, 60]


@pytest.mark.ordinary
async def test_what_is_refused_is_counted_and_not_kept(
    service: Service, user: Headers, key: str
) -> None:
    refuse = [{"name": "channel", "value": "dev"}, {"name": "ver", "prefix": "0."}]
    await service.client.patch(URL, json={"refuse": refuse}, headers=user)
    ids = [await crash(service, key, 11, **fields) for fields in (
        {"channel": "dev"}, {"ver": "0.1"}, {"ver": "0.2"}, {"channel": "dev2", "ver": "10."},
    )]  # fmt: skip
    assert [dump["id"] for dump in await read_all(service, user)] == ids[3:]
    problem(await service.client.get(f"/v1/dumps/{ids[0]}", headers=user), 404)
    counted = (await service.client.get(URL, headers=user)).json()["refuse"]
    assert [(each["count"], each["last_at"] is not None) for each in counted] == [
        (1, True),
        (2, True),
    ]
    more = [*refuse[1:], {"name": "channel", "prefix": "dev"}]
    answer = await service.client.patch(URL, json={"refuse": more}, headers=user)
    assert [each["count"] for each in answer.json()["refuse"]] == [2, 0]


async def test_policies_are_checked(service: Service, user: Headers, key: str) -> None:
    for wrong in ({"kept": 0}, {"kept": "many"}, {"kept": 1_000_001},
                  {"retention": {"a": 0}}, {"retention": {"": 1}},
                  {"retention": {str(n): 1 for n in range(101)}}, {"refuse": [{"name": "a"}]},
                  {"refuse": [{"name": "a", "value": "b", "prefix": "c"}]},
                  {"refuse": [{"name": "a", "value": ""}]},
                  {"refuse": [{"name": str(n), "value": "b"} for n in range(51)]}):  # fmt: skip
        problem(await service.client.patch(URL, json=wrong, headers=user), 422)
    await keep(service, user, 50)
    answer = await service.client.patch(URL, json={}, headers=user)
    assert answer.json() == {"kept": 50, "retention": {}, "refuse": []}, "what is absent stays"
    reading = {"Authorization": f"Bearer {await make_key(service, user, 'dumps:read')}"}
    assert (await service.client.get(URL, headers=reading)).json()["kept"] == 50
    problem(await service.client.patch(URL, json={"kept": 1}, headers=reading), 403)
