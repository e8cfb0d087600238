"""What keys submit that anybody may have: it has a rate, and a budget of bytes in its account."""

import asyncio

import httpx
import pytest
from sqlalchemy import update

from app import clock
from app.dumps import expiry as dump_expiry
from app.dumps.tables import dumps
from app.tasks.expiry import things_of
from tests.api.conftest import MakeSettings, Service, running
from tests.api.dump_books import Headers, account_of, read_all

pytestmark = pytest.mark.anyio

SIZE = 10_000  # bytes of a submission, annotations and all


async def make_key(service: Service, user: Headers, *scopes: str) -> str:
    body = {"name": "uploader", "scopes": scopes or ("dumps:submit",)}
    made = await service.client.post("/v1/accounts/me/keys", json=body, headers=user)
    assert made.status_code == 201, made.text
    return str(made.json()["key"])


async def submit(
    service: Service, key: str, size: int = SIZE, *, log: int = 0, headers: Headers | None = None
) -> httpx.Response:
    """Submit a crash that takes ``size`` bytes of a budget, ``log`` of them an attachment's."""
    annotations = '{"n": "1"}'
    minidump = b"MDMP".ljust(size - log - len(annotations), b"\0")
    files = {"upload_file_minidump": ("crash.dmp", minidump)}
    if log:
        files["log"] = ("log.txt", b"x" * log)
    return await service.client.post(
        f"/v1/dumps/minidump?key={key}", data={"n": "1"}, files=files, headers=headers
    )


async def submitted(service: Service, key: str, size: int = SIZE, *, log: int = 0) -> str:
    answer = await submit(service, key, size, log=log)
    assert answer.status_code == 200, answer.text
    return answer.text


async def kept(service: Service, user: Headers) -> list[str]:
    """Return the ids of the account's dumps, oldest first."""
    return [dump["id"] for dump in reversed(await read_all(service, user))]


async def test_a_public_key_has_a_rate_for_each_address(make_settings: MakeSettings) -> None:
    options = {"rate_limits": "on", "trusted_proxies": "127.0.0.1", "registration": "open"}
    async with running(make_settings(submissions_per_minute=3, **options)) as service:
        _, user = await service.sign_up()
        key, other = [await make_key(service, user) for _ in range(2)]
        here, elsewhere = ({"X-Forwarded-For": f"192.0.2.{n}"} for n in (1, 2))
        at_once = await asyncio.gather(*(submit(service, key, headers=here) for _ in range(8)))
        statuses = sorted(answer.status_code for answer in at_once)
        assert statuses == [200] * 3 + [429] * 5
        refused = await submit(service, key, headers=here)
        assert refused.status_code == 429
        assert refused.headers["content-type"] == "application/problem+json"
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert (await submit(service, key, headers=elsewhere)).status_code == 200
        assert (await submit(service, other, headers=here)).status_code == 200
        assert len(await kept(service, user)) == 5
        # what may write dumps is no public key, and neither is a session
        writer = await make_key(service, user, "dumps:submit", "dumps:write")
        for _ in range(5):
            assert (await submit(service, writer, headers=here)).status_code == 200
            assert (await submit(service, "", headers=here | user)).status_code == 200


@pytest.mark.slow("scaled")
async def test_over_the_budget_the_oldest_go_first(make_settings: MakeSettings) -> None:
    async with (
        running(make_settings(max_submitted_bytes=3 * SIZE)) as service,
        account_of(service) as user,
    ):
        key, other = [await make_key(service, user) for _ in range(2)]
        own = await service.client.post(
            "/v1/dumps", files={"file": ("a.dmp", b"x" * 5 * SIZE)}, headers=user
        )
        mine = own.json()["id"]
        ids = [await submitted(service, key, log=SIZE // 2)]
        ids += [await submitted(service, by) for by in (other, key)]
        assert await kept(service, user) == [mine, *ids]
        ids.append(await submitted(service, key))
        assert await kept(service, user) == [mine, *ids[1:]]
        # one byte more than two of them leave room for
        ids.append(await submitted(service, key, SIZE + 1))
        assert await kept(service, user) == [mine, *ids[3:]]
        ids.append(await submitted(service, other, SIZE - 1))
        assert await kept(service, user) == [mine, *ids[3:]]
        writer = await make_key(service, user, "dumps:submit", "dumps:write")
        ids.append(await submitted(service, writer, 2 * SIZE))
        assert await kept(service, user) == [mine, *ids[3:]]
        ids.append(await submitted(service, key, 3 * SIZE))
        assert await kept(service, user) == [mine, *ids[6:]]

        over = await submit(service, key, 3 * SIZE + 1)
        assert over.status_code == 413
        assert over.json()["type"] == "urn:holdall:problem:quota-exceeded"
        assert str(3 * SIZE) in over.json()["detail"]
        assert await kept(service, user) == [mine, *ids[6:]]


async def test_what_somebody_archives_or_replaces_stays(make_settings: MakeSettings) -> None:
    async with (
        running(make_settings(max_submitted_bytes=2 * SIZE)) as service,
        account_of(service) as user,
    ):
        client, key = service.client, await make_key(service, user)
        archived, replaced = [await submitted(service, key) for _ in range(2)]
        changed = await client.patch(f"/v1/dumps/{archived}", json={"archived": True}, headers=user)
        assert changed.status_code == 200
        new = {"file": ("new.dmp", b"new")}
        changed = await client.put(f"/v1/dumps/{replaced}", files=new, headers=user)
        assert changed.status_code == 200
        changed = await client.patch(
            f"/v1/dumps/{archived}", json={"archived": False}, headers=user
        )
        assert changed.status_code == 200
        first, second, third = [await submitted(service, key) for _ in range(3)]
        labelled = await client.patch(
            f"/v1/dumps/{second}", json={"label": "seen", "archived": False}, headers=user
        )
        assert labelled.status_code == 200
        assert await kept(service, user) == [archived, replaced, second, third]
        assert first not in await kept(service, user)
        fourth = await submitted(service, key)
        assert await kept(service, user) == [archived, replaced, third, fourth]


async def test_what_goes_by_itself_makes_room(make_settings: MakeSettings) -> None:
    async with (
        running(make_settings(max_submitted_bytes=3 * SIZE)) as service,
        account_of(service) as user,
    ):
        key = await make_key(service, user)
        first, second, third = [await submitted(service, key, log=10) for _ in range(3)]
        deleted = await service.client.delete(f"/v1/dumps/{second}", headers=user)
        assert deleted.status_code == 200
        fourth = await submitted(service, key)
        assert await kept(service, user) == [first, third, fourth]
        expiring = things_of(dumps, dump_expiry.remove_all)
        now = clock.now()
        ends = update(dumps).where(dumps.c.uuid == third).values(expires_at=now)
        await service.runtime.parts.database.write(
            lambda connection: connection.execute(ends).rowcount
        )
        assert await service.runtime.parts.database.write(expiring.remove, now, 10) == 1
        fifth = await submitted(service, key)
        assert await kept(service, user) == [first, fourth, fifth]


@pytest.mark.slow("scaled")
async def test_small_ones_count_for_the_row_that_they_take(make_settings: MakeSettings) -> None:
    async with (
        running(make_settings(max_submitted_bytes=4 * 1024)) as service,
        account_of(service) as user,
    ):
        key = await make_key(service, user)
        ids = [await submitted(service, key, 100) for _ in range(6)]
        assert await kept(service, user) == ids[2:]
        # and a long annotation is in the row
        long = {"note": "x" * 2900}
        files = {"upload_file_minidump": ("crash.dmp", b"MDMP")}
        answer = await service.client.post(f"/v1/dumps/minidump?key={key}", data=long, files=files)
        assert await kept(service, user) == [ids[-1], answer.text]


async def test_the_budget_holds_for_many_at_once(make_settings: MakeSettings) -> None:
    async with (
        running(make_settings(max_submitted_bytes=4 * SIZE)) as service,
        account_of(service) as user,
    ):
        keys = [await make_key(service, user) for _ in range(3)]
        ids = await asyncio.gather(
            *(submitted(service, key, log=100 * (n % 2)) for n in range(3) for key in keys)
        )
        left = await kept(service, user)
        assert len(left) == 4
        assert set(left) <= set(ids)


@pytest.mark.slow("scaled")
async def test_a_link_to_one_that_goes_ends(make_settings: MakeSettings) -> None:
    async with running(make_settings(max_submitted_bytes=SIZE)) as service:
        _, user = await service.sign_up()
        key = await make_key(service, user)
        body = {"kind": "dump", "id": await submitted(service, key), "time": 600}
        link = (await service.client.post("/v1/timelinks", json=body, headers=user)).json()
        assert (await service.client.get(link["url"])).status_code == 200
        await submitted(service, key)
        assert (await service.client.get(link["url"])).status_code == 404
        assert (await service.runtime.parts.sweep.run_once(clock.now())) > 0
