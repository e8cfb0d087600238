"""How thumbnails are made: once, whoever asks and wherever, and by somebody else when one fails."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from sqlalchemy import Connection, func, select, update

from app import clock
from app.accounts import identity
from app.accounts.identity import Access
from app.errors import Forbidden, InvalidRequest, LeaseLost, NotFound, ServiceUnavailable
from app.objects.entities import Received
from app.objects.tables import objects
from app.pictures import thumbnail_rows
from app.pictures.formats import ThumbnailFormat
from app.pictures.imaging import CHILD_MODULES, Imaging
from app.pictures.placeholders import Placeholders
from app.pictures.tables import pictures, thumbnails
from app.pictures.thumbnails import Thumbnails
from app.processes.pool import ChildPool
from app.security.credentials import ServiceToken
from storage.errors import StoreUnavailable
from tests import children
from tests.api.conftest import Service
from tests.api.shared import shared_fixtures, store_of
from tests.app.pictures.test_animations import moving
from tests.deadline import DEADLINE
from tests.lines import Line
from tests.pictures import decoded, encoded, noise

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024
KINDS: tuple[ThumbnailFormat, ...] = ("jpeg", "webp")
PICTURE = encoded(noise(900, 600), "jpeg", quality=95)  # it lies in the store


settings, service = shared_fixtures()


@pytest.fixture
async def picture(service: Service) -> AsyncIterator[str]:
    """The id of a picture without thumbnails; nothing is left half made after the test."""
    uuid = await upload(service, PICTURE)
    store_of(service).calls.clear()
    yield uuid
    store_of(service).heal()
    assert await service.runtime.parts.database.read(_unfinished) == 0


async def upload(service: Service, data: bytes) -> str:
    answer = await service.client.post(
        "/v1/pictures",
        data={"name": "A picture"},
        files={"img": data},
        headers=service.service_token,
    )
    assert answer.status_code == 201, answer.text
    uuid: str = answer.json()["id"]
    return uuid


def _unfinished(connection: Connection) -> int | None:
    pending = select(func.count()).where(objects.c.state != "ready")
    return connection.execute(pending).scalar()


@pytest.fixture
def access(service: Service) -> Access:
    return Access(service.runtime.parts.database, ServiceToken(), "pictures:read")


@pytest.fixture
def elsewhere(service: Service) -> Thumbnails:
    """The thumbnails of another process: all that they share with this one is what is stored."""
    runtime = service.runtime
    imaging = Imaging(
        runtime.downloads, runtime.parts.decoders, max_pixels=runtime.settings.max_pixels
    )
    return Thumbnails(runtime.parts.database, runtime.parts.uploads, imaging)


def decodings(service: Service) -> int:
    """Return how often a picture has been opened."""
    return store_of(service).calls["open"]


async def test_a_burst_of_requests_makes_it_once(service: Service, picture: str) -> None:
    path = f"/v1/pictures/{picture}/thumbnails/200"
    answers = await asyncio.gather(
        *(service.client.get(path, headers=service.service_token) for _ in range(100))
    )
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert decodings(service) == 1


async def test_a_burst_over_two_processes_makes_it_once(
    service: Service, elsewhere: Thumbnails, access: Access, picture: str
) -> None:
    made = await asyncio.gather(
        *(
            find(access, picture, 200, "jpeg")
            for _ in range(20)
            for find in (service.runtime.pictures.find_thumbnail, elsewhere.find)
        )
    )
    assert len({thumbnail.content.sha256 for thumbnail in made}) == 1
    assert decodings(service) == 1


@pytest.mark.slow("scaled")
async def test_each_height_and_format_is_its_own(
    service: Service, access: Access, picture: str
) -> None:
    find = service.runtime.pictures.find_thumbnail
    made = await asyncio.gather(
        *(find(access, picture, h, kind) for h in (200, 400) for kind in ("jpeg", "webp"))
    )
    again = await asyncio.gather(
        *(find(access, picture, h, kind) for h in (200, 400) for kind in ("jpeg", "webp"))
    )
    assert [thumbnail.content.sha256 for thumbnail in made] == [
        thumbnail.content.sha256 for thumbnail in again
    ]
    sizes = [decoded(await service.runtime.downloads.read(t.content)).size for t in again]
    assert sizes == [(300, 200), (300, 200), (600, 400), (600, 400)]
    assert decodings(service) == 4 + sum(thumbnail.content.data is None for thumbnail in again)


async def claim(access: Access, picture: str, now: int | None = None) -> thumbnail_rows.Claim:
    """Claim a thumbnail as a process does that will make it."""
    now = clock.now() if now is None else now
    claimed = await access.write(thumbnail_rows.claim, picture, 200, "jpeg", now)
    assert claimed is not None
    return claimed


def received(data: bytes) -> Received:
    return Received(len(data), hashlib.sha256(data).digest(), None, data)


async def test_what_another_process_makes_is_waited_for(
    service: Service, access: Access, picture: str
) -> None:
    held = await claim(access, picture)
    waiting = asyncio.create_task(
        service.runtime.pictures.find_thumbnail(access, picture, 200, "jpeg")
    )
    await access.write(thumbnail_rows.keep, held, received(b"made elsewhere"), clock.now())
    assert (await waiting).content.data == b"made elsewhere"
    assert decodings(service) == 0


async def test_what_another_process_gives_up_is_made_here(
    service: Service, access: Access, picture: str
) -> None:
    held = await claim(access, picture)
    waiting = asyncio.create_task(
        service.runtime.pictures.find_thumbnail(access, picture, 200, "jpeg")
    )
    await service.runtime.parts.database.write(thumbnail_rows.give_up, held)
    data = (await waiting).content.data
    assert data is not None
    assert decoded(data).size == (300, 200)


async def test_the_lease_of_a_process_that_died_ends(
    service: Service, access: Access, picture: str
) -> None:
    dead = await claim(access, picture, clock.now() - thumbnail_rows.LEASE - clock.SECOND)
    found = await service.runtime.pictures.find_thumbnail(access, picture, 200, "jpeg")
    with pytest.raises(LeaseLost):  # it was only slow
        await access.write(thumbnail_rows.keep, dead, received(b"late"), clock.now())
    again = await service.runtime.pictures.find_thumbnail(access, picture, 200, "jpeg")
    assert again.content.sha256 == found.content.sha256
    assert decodings(service) == 1


async def test_who_was_too_slow_leaves_the_next_one_alone(
    service: Service, access: Access, picture: str
) -> None:
    slow = await claim(access, picture, clock.now() - thumbnail_rows.LEASE - clock.SECOND)
    held = await claim(access, picture)
    with pytest.raises(LeaseLost):
        await access.write(thumbnail_rows.keep, slow, received(b"late"), clock.now())
    await service.runtime.parts.database.write(thumbnail_rows.give_up, slow)
    await service.runtime.parts.database.write(thumbnail_rows.fail, slow, "too slow", clock.now())
    await access.write(thumbnail_rows.keep, held, received(b"in time"), clock.now())
    found = await service.runtime.pictures.find_thumbnail(access, picture, 200, "jpeg")
    assert found.content.data == b"in time"


async def test_a_thumbnail_is_claimed_by_one(access: Access, picture: str) -> None:
    now = clock.now()
    claims = await asyncio.gather(
        *(access.write(thumbnail_rows.claim, picture, 200, "jpeg", now) for _ in range(10))
    )
    assert len([held for held in claims if held is not None]) == 1


async def test_who_comes_second_takes_over_from_one_who_left(
    service: Service, access: Access, picture: str
) -> None:
    fault = store_of(service).stall("open")
    find = service.runtime.pictures.find_thumbnail
    first = asyncio.create_task(find(access, picture, 200, "jpeg"))
    await fault.reached.wait()
    others = [asyncio.create_task(find(access, picture, 200, "jpeg")) for _ in range(5)]
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    made = await asyncio.gather(*others)
    assert len({thumbnail.content.sha256 for thumbnail in made}) == 1
    assert decodings(service) == 2


@pytest.mark.slow("scaled")
async def test_a_store_that_fails_is_told_to_all_and_tried_again_later(
    service: Service, access: Access, picture: str
) -> None:
    fault = store_of(service).stall("open")
    fault.error = None
    find = service.runtime.pictures.find_thumbnail
    first = asyncio.create_task(find(access, picture, 200, "jpeg"))
    await fault.reached.wait()
    others = [asyncio.create_task(find(access, picture, 200, "jpeg")) for _ in range(5)]
    looked = [asyncio.create_task(access.read(_nothing)) for _ in range(20)]
    await asyncio.gather(*looked)  # by now the others have looked too, and wait
    fault.moment = "after"
    fault.error = StoreUnavailable("told to fail")
    fault.go.set()
    results = await asyncio.gather(first, *others, return_exceptions=True)
    assert {type(result) for result in results} == {StoreUnavailable}
    assert decodings(service) == 1
    assert (await find(access, picture, 200, "jpeg")).content.size > 0


def _nothing(_connection: Connection, _identity: identity.Identity) -> None:
    pass


async def test_a_picture_that_kills_its_child_is_not_tried_again_and_again(
    service: Service, access: Access, picture: str
) -> None:
    runtime = service.runtime
    pool = ChildPool(
        workers=1,
        memory=512 * MIB,
        seconds=0.001,
        name="hurried",
        modules=CHILD_MODULES,
    )
    try:
        imaging = Imaging(runtime.downloads, pool, max_pixels=runtime.settings.max_pixels)
        starved = Thumbnails(runtime.parts.database, runtime.parts.uploads, imaging)
        for _ in range(2):
            results = await asyncio.gather(
                *(starved.find(access, picture, 200, "jpeg") for _ in range(5)),
                return_exceptions=True,
            )
            assert {type(result) for result in results} == {InvalidRequest}
    finally:
        await pool.aclose()
    assert decodings(service) == 1
    answer = await service.client.get(
        f"/v1/pictures/{picture}/thumbnails/200", headers=service.service_token
    )
    assert answer.status_code == 422
    assert "can't be decoded" in answer.json()["detail"]
    await runtime.parts.database.write(_let_time_pass, thumbnail_rows.RETRY)
    assert (await runtime.pictures.find_thumbnail(access, picture, 200, "jpeg")).content.size > 0


@pytest.mark.slow("scaled")
async def test_so_many_may_wait_for_a_thumbnail_to_be_made(
    service: Service, access: Access, picture: str
) -> None:
    runtime, line = service.runtime, Line()
    modules = [*CHILD_MODULES, "tests.children"]
    pool = ChildPool(
        workers=1, memory=512 * MIB, seconds=DEADLINE, name="busy", modules=modules, queue=1
    )
    imaging = Imaging(runtime.downloads, pool, max_pixels=runtime.settings.max_pixels)
    busy = Thumbnails(runtime.parts.database, runtime.parts.uploads, imaging)
    try:
        holding = asyncio.create_task(pool.run(children.hold, line.end))
        await line.pid()
        found = [asyncio.create_task(busy.find(access, picture, 200, k)) for k in KINDS]
        await asyncio.wait(found, return_when=asyncio.FIRST_COMPLETED)
        (refused,) = (task for task in found if task.done())
        assert isinstance(refused.exception(), ServiceUnavailable)
        line.let_go()
        await asyncio.gather(holding, *(task for task in found if task is not refused))
        for kind in KINDS:
            assert (await busy.find(access, picture, 200, kind)).content.size > 0
    finally:
        line.close()
        await pool.aclose()


def _let_time_pass(connection: Connection, duration: int) -> None:
    earlier = thumbnails.c.lease_until - duration
    connection.execute(update(thumbnails).values(lease_until=earlier))


async def test_a_picture_that_is_deleted_meanwhile(
    service: Service, access: Access, picture: str
) -> None:
    fault = store_of(service).stall("open")
    find = service.runtime.pictures.find_thumbnail
    making = [asyncio.create_task(find(access, picture, 200, "jpeg")) for _ in range(3)]
    await fault.reached.wait()
    answer = await service.client.delete(f"/v1/pictures/{picture}", headers=service.service_token)
    assert answer.status_code == 204
    fault.go.set()
    results = await asyncio.gather(*making, return_exceptions=True)
    assert {type(result) for result in results} == {NotFound}

    assert await service.runtime.parts.database.read(_left_of, picture) == 0


def _left_of(connection: Connection, uuid: str) -> int | None:
    of_it = pictures.c.uuid == uuid
    joined = thumbnails.join(pictures)
    return connection.execute(select(func.count()).select_from(joined).where(of_it)).scalar()


@pytest.mark.slow("scaled")
async def test_no_thumbnail_is_made_that_the_tier_does_not_have(
    service: Service, access: Access, picture: str
) -> None:
    with pytest.raises(Forbidden):
        await service.runtime.pictures.find_thumbnail(access, picture, 300, "jpeg")
    with pytest.raises(Forbidden):
        await access.write(thumbnail_rows.claim, picture, 300, "jpeg", clock.now())


@pytest.mark.slow("scaled")
async def test_thumbnails_are_free(service: Service, access: Access) -> None:
    wide = await upload(service, encoded(noise(3000, 450), "jpeg", quality=95))
    before = await service.client.get("/v1/accounts/me", headers=service.service_token)
    made = [
        await service.runtime.pictures.find_thumbnail(access, wide, h, "jpeg") for h in (200, 400)
    ]
    assert made[1].content.key is not None  # it lies in the store
    after = await service.client.get("/v1/accounts/me", headers=service.service_token)
    assert after.json()["usage"] == before.json()["usage"]
    kept: list[Any] = await service.runtime.parts.database.read(_thumbs)
    assert {(row.charged_bytes, row.charged_slots) for row in kept} == {(0, 0)}
    assert {row.size for row in kept} >= {thumbnail.content.size for thumbnail in made}


def _thumbs(connection: Connection) -> list[Any]:
    return list(connection.execute(select(objects).where(objects.c.kind == "thumbs")))


async def test_thumbnails_of_older_animations_are_made_anew(service: Service) -> None:
    parts = service.runtime.parts
    others = {thumb.id for thumb in await parts.database.read(_thumbs)}
    animation = await upload(service, moving("gif"))
    url, headers = f"/v1/pictures/{animation}/thumbnails/200", dict(service.service_token)
    for kind in ("image/webp", "image/jpeg"):
        await service.client.get(url, headers=headers | {"Accept": kind})
    imaging = Imaging(service.runtime.downloads, parts.decoders, max_pixels=10**8)
    await parts.database.write(_forget_placeholders, [animation])
    made = {thumb.id for thumb in await parts.database.read(_thumbs)} - others
    assert await Placeholders(parts.database, imaging).run_once(clock.now()) == 1
    left = {thumb.id for thumb in await parts.database.read(_thumbs)} - others
    assert (len(made), len(left), left < made) == (2, 1, True)  # the JPEG stays
    again = await service.client.get(url, headers=headers | {"Accept": "image/webp"})
    assert getattr(decoded(again.content), "n_frames", 1) == 3


async def test_older_pictures_get_their_placeholders(service: Service, picture: str) -> None:
    broken = await upload(service, PICTURE)
    parts = service.runtime.parts
    imaging = Imaging(
        service.runtime.downloads, parts.decoders, max_pixels=service.runtime.settings.max_pixels
    )
    task = Placeholders(parts.database, imaging)
    found = await service.client.get(f"/v1/pictures/{picture}", headers=service.service_token)
    await parts.database.write(_forget_placeholders, [picture, broken])
    await parts.store.delete([await parts.database.read(_key_of, broken)])
    assert await task.next_due(5) == 5
    assert await task.run_once(5) == 2
    assert await task.run_once(5) == 0
    assert await task.next_due(5) is None
    again = await service.client.get(f"/v1/pictures/{picture}", headers=service.service_token)
    assert again.json() == found.json()
    assert again.json()["thumbhash"] is not None
    lost = await service.client.get(f"/v1/pictures/{broken}", headers=service.service_token)
    assert lost.json()["thumbhash"] is None


def _forget_placeholders(connection: Connection, uuids: Sequence[str]) -> None:
    older = update(pictures).where(pictures.c.uuid.in_(uuids))
    connection.execute(older.values(thumbhash=None, exif=None, bare=None))


def _key_of(connection: Connection, uuid: str) -> str:
    stored = select(objects.c.key).select_from(pictures.join(objects))
    return str(connection.execute(stored.where(pictures.c.uuid == uuid)).scalar_one())
