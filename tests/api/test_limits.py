"""Quotas: exact, however many ask at once, however a body comes, and given back to the byte."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import Connection, update

from app import clock
from app.accounts.tables import tiers
from tests.api import raw
from tests.api.allowances import usage
from tests.api.books import stored_keys
from tests.api.conftest import Service
from tests.api.shared import audited, shared_fixtures

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

KIB, MIB = 1024, 1024 * 1024
Headers = dict[str, str]


settings, service = shared_fixtures()


@pytest.fixture(autouse=True)
async def _the_books_agree(service: Service) -> AsyncIterator[None]:
    async with audited(service):
        yield


async def limit(service: Service, **limits: int | None) -> None:
    """Set the limits of the tier that new accounts get."""
    every = {"max_object_bytes": None, "max_total_bytes": None, "max_objects": None} | limits

    def change(connection: Connection) -> None:
        connection.execute(update(tiers).where(tiers.c.name == "Basic").values(every))

    await service.runtime.parts.database.write(change)


async def chunked(size: int, chunk: int = 64 * KIB) -> AsyncIterator[bytes]:
    for start in range(0, size, chunk):
        yield b"x" * min(chunk, size - start)


async def put(
    service: Service, headers: Headers, blob_id: str, size: int, *, announced: bool = True
) -> httpx.Response:
    body: bytes | AsyncIterator[bytes] = b"x" * size if announced else chunked(size)
    return await service.client.put(f"/v1/blobs/{blob_id}/content", content=body, headers=headers)


def assert_over(answer: httpx.Response, kind: str) -> None:
    assert answer.status_code == 413, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"urn:holdall:problem:{kind}"


@pytest.mark.parametrize("largest", [100, MIB + 1])
async def test_an_object_may_be_as_large_as_the_tier_says(service: Service, largest: int) -> None:
    await limit(service, max_object_bytes=largest)
    _, mine = await service.sign_up()
    for announced in (True, False):
        assert (await put(service, mine, "a", largest, announced=announced)).is_success
        for size in (largest + 1, 3 * largest + 20 * KIB):
            over = await put(service, mine, "b", size, announced=announced)
            assert_over(over, "content-too-large")
    json = {"id": "c", "data": "QUFB" * 34}
    posted = await service.client.post("/v1/blobs", json=json, headers=mine)
    assert posted.status_code == (413 if largest == 100 else 201)
    expected = (largest, 1) if largest == 100 else (largest + 102, 2)
    assert await usage(service, mine) == expected


@pytest.mark.parametrize(
    ("path", "field"), [("/v1/dumps", "file"), ("/v1/files", "file"), ("/v1/pictures", "img")]
)
async def test_a_file_is_too_large_by_the_length_of_its_form(
    service: Service, path: str, field: str
) -> None:
    await limit(service, max_object_bytes=3 * MIB)
    _, mine = await service.sign_up()
    most_beside_it = 64 * 2 * 64 * KIB
    headers = mine | {
        "content-type": "multipart/form-data; boundary=XX",
        "content-length": str(3 * MIB + most_beside_it + 1),
    }
    head = f'--XX\r\nContent-Disposition: form-data; name="{field}"; filename="a"\r\n\r\nx'
    answer = await raw.request(service, "POST", path, headers, [raw.part(head.encode())])
    assert (answer.status, answer.receives) == (413, 1)


async def test_too_large_is_said_as_soon_as_it_is_known(service: Service) -> None:
    await limit(service, max_object_bytes=3 * MIB, max_total_bytes=5 * MIB)
    _, mine = await service.sign_up()
    path = "/v1/blobs/a/content"
    for length in (3 * MIB + 1, 6 * MIB, 10**18):
        headers = mine | {"content-length": str(length)}
        answer = await raw.request(service, "PUT", path, headers, [])
        assert (answer.status, answer.receives) == (413, 0)
    await put(service, mine, "b", 3 * MIB)
    headers = mine | {"content-length": str(2 * MIB + 1)}
    answer = await raw.request(service, "PUT", path, headers, [])
    assert (answer.status, answer.receives) == (413, 0)

    async def endless() -> AsyncIterator[raw.Message]:
        while True:
            yield raw.part(b"x" * 64 * KIB)

    answer = await raw.request(service, "PUT", path, mine, endless())
    assert answer.status == 413
    assert answer.receives == 2 * MIB // (64 * KIB) + 1  # the chunk that was too much, and no more
    await service.client.delete("/v1/blobs/b", headers=mine)
    answer = await raw.request(service, "PUT", path, mine, endless())
    assert answer.status == 413
    assert answer.receives == 3 * MIB // (64 * KIB) + 1
    assert await usage(service, mine) == (0, 0)


@pytest.mark.parametrize("announced", [True, False])
async def test_room_can_be_used_to_the_last_byte(service: Service, announced: bool) -> None:
    total = 3 * MIB + 5
    await limit(service, max_total_bytes=total)
    _, mine = await service.sign_up()
    assert (await put(service, mine, "a", 2 * MIB, announced=announced)).status_code == 201
    over = await put(service, mine, "b", MIB + 6, announced=announced)
    assert_over(over, "quota-exceeded")
    assert await usage(service, mine) == (2 * MIB, 1)
    assert (await put(service, mine, "b", MIB + 5, announced=announced)).status_code == 201
    assert await usage(service, mine) == (total, 2)
    assert_over(await put(service, mine, "c", 1, announced=announced), "quota-exceeded")
    assert (await put(service, mine, "c", 0, announced=announced)).status_code == 201
    await service.client.delete("/v1/blobs/b", headers=mine)
    assert await usage(service, mine) == (2 * MIB, 2)


@pytest.mark.ordinary
@pytest.mark.parametrize("size", [10, 100 * KIB])
async def test_many_at_once_do_not_overshoot(service: Service, size: int) -> None:
    await limit(service, max_total_bytes=5 * size + size // 2)
    _, mine = await service.sign_up()
    for announced in (True, False):
        answers = await asyncio.gather(
            *(put(service, mine, f"{n}", size, announced=announced) for n in range(12))
        )
        codes = [answer.status_code for answer in answers]
        # of unknown length each may hold room for more than it has, but never too much in all
        assert codes.count(201) == 5 if announced or size == 10 else codes.count(201) <= 5
        assert codes.count(413) == 12 - codes.count(201)
        assert await usage(service, mine) == (codes.count(201) * size, codes.count(201))
        for n in range(12):
            await service.client.delete(f"/v1/blobs/{n}", headers=mine)
        assert await usage(service, mine) == (0, 0)


@pytest.mark.ordinary
@pytest.mark.parametrize("size", [10, 100 * KIB])
async def test_the_number_of_objects_is_exact(service: Service, size: int) -> None:
    await limit(service, max_objects=3)
    _, mine = await service.sign_up()
    answers = await asyncio.gather(
        *(put(service, mine, f"{n}", size, announced=n % 2 == 0) for n in range(9))
    )
    created = [n for n, answer in enumerate(answers) if answer.status_code == 201]
    assert len(created) == 3
    for answer in answers:
        if answer.status_code != 201:
            assert_over(answer, "quota-exceeded")
    assert await usage(service, mine) == (3 * size, 3)
    # a replacement needs no slot, not even over the limit
    await limit(service, max_objects=2)
    for announced in (True, False):
        again = await put(service, mine, f"{created[0]}", 2 * size, announced=announced)
        assert again.status_code == 200
    assert_over(await put(service, mine, "new", size), "quota-exceeded")
    assert await usage(service, mine) == (4 * size, 3)


@pytest.mark.parametrize("size", [1000, 100 * KIB])
async def test_a_replacement_needs_room_for_both_until_the_swap(
    service: Service, size: int
) -> None:
    await limit(service, max_total_bytes=2 * size - 1)
    _, mine = await service.sign_up()
    await put(service, mine, "a", size)
    for announced in (True, False):
        over = await put(service, mine, "a", size, announced=announced)
        assert_over(over, "quota-exceeded")
        fits = await put(service, mine, "a", size - 1, announced=announced)
        assert fits.status_code == 200
        assert await usage(service, mine) == (size - 1, 1)
        assert (await put(service, mine, "a", size, announced=announced)).status_code == 200
    # replaced bytes that are still there for their readers are charged to nobody
    assert await usage(service, mine) == (size, 1)
    before = await stored_keys(service)
    await service.runtime.parts.sweep.run_once(clock.now() + 11 * clock.MINUTE)
    if size > 16 * KIB:
        assert len(before - await stored_keys(service)) == 4


async def test_an_account_over_a_lowered_limit_can_still_shrink(service: Service) -> None:
    _, mine = await service.sign_up()
    for blob_id, size in (("a", 5000), ("b", 100 * KIB)):
        await put(service, mine, blob_id, size)
    await limit(service, max_total_bytes=1, max_object_bytes=10_000, max_objects=0)
    assert_over(await put(service, mine, "a", 10), "quota-exceeded")
    assert (await put(service, mine, "a", 0)).status_code == 200
    assert (await service.client.get("/v1/blobs/b/content", headers=mine)).status_code == 200
    for blob_id in ("a", "b"):
        gone = await service.client.delete(f"/v1/blobs/{blob_id}", headers=mine)
        assert gone.status_code == 204
    assert await usage(service, mine) == (0, 0)


async def test_one_account_does_not_use_another_ones_room(service: Service) -> None:
    await limit(service, max_total_bytes=100 * KIB, max_objects=1)
    accounts = [(await service.sign_up())[1] for _ in range(2)]
    for mine in accounts:
        assert (await put(service, mine, "a", 100 * KIB)).status_code == 201
        assert_over(await put(service, mine, "b", 1), "quota-exceeded")
    assert (await put(service, service.service_token, "a", 200 * KIB)).status_code == 201
    assert (await put(service, service.service_token, "b", 200 * KIB)).status_code == 201
