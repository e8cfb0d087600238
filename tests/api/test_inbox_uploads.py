"""Uploads of strangers by tus: they go on, become the owner's, and are no use anywhere else."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import Connection, delete, update

from app import clock
from app.inboxes import giving
from app.uploads.tables import uploads
from tests.api.allowances import set_tier, usage
from tests.api.conftest import Service
from tests.api.inbox_client import (
    LARGE,
    Headers,
    Json,
    make,
    pending,
    put,
    whole,
)
from tests.api.problems import assert_problem
from tests.api.shared import shared_fixtures
from tests.api.tus_client import PIECE, VERSION, append, head, metadata
from tests.api.tus_client import URL as OWNERS

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

HOUR = 3600 * clock.SECOND
SECRET = "0123456789abcdef"

settings, service = shared_fixtures()


@pytest.fixture
async def user(service: Service) -> AsyncIterator[Headers]:
    """Headers of a new account; at last nothing is on its way to it any more."""
    _, headers = await service.sign_up()
    yield headers
    await service.runtime.parts.database.write(_finish_all)
    assert (await pending(service))[0] == 0


def _finish_all(connection: Connection) -> None:
    connection.execute(delete(uploads).where(uploads.c.object_id.is_(None)))


async def send(
    service: Service, inbox: Json, length: int, values: Headers, data: bytes | None = None
) -> httpx.Response:
    headers = VERSION | {"Upload-Length": str(length)} | metadata(**values)
    if data is not None:
        headers |= PIECE
    url = f"{inbox['path']}/uploads"
    return await service.client.post(url, headers=headers, content=data or b"")


async def create(service: Service, inbox: Json, length: int, **values: str) -> httpx.Response:
    return await send(service, inbox, length, values)


async def give(service: Service, inbox: Json, data: bytes, **values: str) -> str:
    """Upload in two pieces; returns the upload's URL."""
    made = await create(service, inbox, len(data), **values)
    assert made.status_code == 201, made.text
    url: str = made.headers["location"]
    middle = len(data) // 2
    for offset, piece in ((0, data[:middle]), (middle, data[middle:])):
        sent = await append(service, {}, url, offset, piece)
        assert sent.status_code == 204, sent.text
    assert "content-location" not in sent.headers
    return url


async def test_an_upload_goes_on_and_becomes_the_owners(service: Service, user: Headers) -> None:
    inbox = await make(service, user, max_files=1, max_bytes=len(LARGE))
    offered = await service.client.options(f"{inbox['path']}/uploads")
    assert "creation-defer-length" not in offered.headers["tus-extension"]
    made = await create(service, inbox, len(LARGE), filename="a.bin")
    url = made.headers["location"]
    assert url.startswith(f"{inbox['path']}/uploads/")
    first = await append(service, {}, url, 0, LARGE[:1000])
    assert first.headers["upload-offset"] == "1000"
    state = await head(service, {}, url)
    assert (state.status_code, state.headers["upload-offset"]) == (200, "1000")
    assert_problem(await put(service, inbox), 409, "inbox-full")  # it claims the only place
    last = await append(service, {}, url, 1000, LARGE[1000:])
    assert last.status_code == 204
    assert "content-location" not in last.headers
    digest = base64.b64encode(hashlib.sha256(LARGE).digest()).decode()
    assert last.headers["repr-digest"] == f"sha-256=:{digest}:"
    state = await head(service, {}, url)
    assert state.headers["upload-offset"] == str(len(LARGE))
    assert "content-location" not in state.headers
    (item,) = (await whole(service, user, inbox))["items"]
    assert (item["kind"], item["name"], item["size"]) == ("file", "a.bin", len(LARGE))
    content = await service.client.get(f"/v1/files/{item['id']}/content", headers=user)
    assert content.content == LARGE


async def test_the_request_that_creates_one_may_bring_all(service: Service, user: Headers) -> None:
    inbox = await make(service, user)
    made = await send(service, inbox, 5, {"name": "a.txt"}, b"hello")
    assert (made.status_code, made.headers["upload-offset"]) == (201, "5")
    assert "content-location" not in made.headers
    (item,) = (await whole(service, user, inbox))["items"]
    assert item["name"] == "a.txt"


async def test_a_delivery_becomes_one_bundle(service: Service, user: Headers) -> None:
    inbox, other = await make(service, user), await make(service, user)
    of_it = {"delivery": SECRET, "delivery_name": "Holiday"}
    for name, data in (("a/x.txt", b"hello"), ("b.bin", LARGE)):
        await give(service, inbox, data, relativePath=name, **of_it)
    await give(service, inbox, b"alone", name="c.txt")
    await give(service, other, b"elsewhere", name="d.txt", **of_it)
    await give(service, inbox, b"later", name="e.txt", delivery=SECRET[::-1])
    items = (await whole(service, user, inbox))["items"]
    assert [(item["kind"], item["name"], item["count"]) for item in items] == [
        ("bundle", "Files", 1), ("file", "c.txt", 1), ("bundle", "Holiday", 2),
    ]  # fmt: skip
    members = await service.client.get(f"/v1/bundles/{items[-1]['id']}/items", headers=user)
    assert [member["name"] for member in members.json()["items"]] == ["a/x.txt", "b.bin"]
    for wrong in ({"delivery": "short"}, {"delivery": SECRET, "delivery_name": ""}):
        made = await create(service, inbox, 5, name="a", **wrong)
        assert made.status_code == 422


async def test_an_upload_is_no_use_anywhere_else(service: Service, user: Headers) -> None:
    inbox, other = await make(service, user), await make(service, user)
    made = await create(service, inbox, 10)
    id_ = made.headers["location"].rpartition("/")[2]
    for url, headers in (
        (f"{OWNERS}/{id_}", user),
        (f"{other['path']}/uploads/{id_}", {}),
        (f"{inbox['path']}/uploads/x", {}),
    ):
        assert (await head(service, headers, url)).status_code == 404
        assert (await append(service, headers, url, 0, b"x")).status_code == 404
        deleted = await service.client.delete(url, headers=headers | VERSION)
        assert deleted.status_code == 404
    own = VERSION | {"Upload-Length": "5"} | metadata(kind="file", filename="own")
    owners = await service.client.post(OWNERS, headers=user | own)
    id_ = owners.headers["location"].rpartition("/")[2]
    assert (await head(service, {}, f"{inbox['path']}/uploads/{id_}")).status_code == 404
    kind = VERSION | {"Upload-Length": "5"} | metadata(kind="inbox", filename="own")
    assert (await service.client.post(OWNERS, headers=user | kind)).status_code == 422
    for url in (made.headers["location"], owners.headers["location"]):
        gone = await service.client.delete(url, headers=user | VERSION)
        assert gone.status_code == 204


@pytest.mark.ordinary
async def test_unfinished_ones_are_few(
    service: Service, user: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(giving, "PER_CLIENT", 3)
    inbox = await make(service, user)
    made = await asyncio.gather(*(create(service, inbox, 10) for _ in range(8)))
    assert sorted(answer.status_code for answer in made) == [201] * 3 + [429] * 5
    refused = next(answer for answer in made if answer.status_code == 429)
    assert int(refused.headers["retry-after"]) > 0
    begun = [answer.headers["location"] for answer in made if answer.status_code == 201]
    assert (await append(service, {}, begun[0], 0, b"0123456789")).status_code == 204
    assert (await create(service, inbox, 10)).status_code == 201
    monkeypatch.setattr(giving, "PER_CLIENT", 100)
    monkeypatch.setattr(giving, "MAX_UNFINISHED", 4)
    made = await asyncio.gather(*(create(service, inbox, 10) for _ in range(4)))
    assert sorted(answer.status_code for answer in made) == [201] + [429] * 3
    monkeypatch.setattr(giving, "MAX_UNFINISHED", 100)
    monkeypatch.setattr(giving, "UNFINISHED_BYTES", 50)
    assert (await create(service, inbox, 11)).status_code == 429
    assert (await create(service, inbox, 10)).status_code == 201
    deleted = await service.client.delete(f"/v1/inboxes/{inbox['id']}", headers=user)
    assert deleted.status_code == 204
    assert await usage(service, user) == (10, 1)


async def test_together_they_fit_into_the_quota(service: Service, user: Headers) -> None:
    inbox = await make(service, user)
    await set_tier(service, user, max_total_bytes=100)
    assert (await create(service, inbox, 60)).status_code == 201
    refused = await create(service, inbox, 60)
    assert_problem(refused, 413, "content-too-large")
    assert "account" not in refused.text
    await service.client.delete(f"/v1/inboxes/{inbox['id']}", headers=user)


@pytest.mark.ordinary
async def test_limits_count_what_is_on_its_way(service: Service, user: Headers) -> None:
    inbox = await make(service, user, max_files=3, max_bytes=30)
    made = await asyncio.gather(*(create(service, inbox, 10) for _ in range(9)))
    assert sorted(answer.status_code for answer in made) == [201] * 3 + [409] * 6
    urls = [answer.headers["location"] for answer in made if answer.status_code == 201]
    gone = await service.client.delete(urls[0], headers=VERSION)
    assert gone.status_code == 204
    assert_problem(await create(service, inbox, 11), 413, "content-too-large")
    assert (await put(service, inbox, data=b"0123456789")).status_code == 201
    for url in urls[1:]:
        assert (await append(service, {}, url, 0, b"0123456789")).status_code == 204
    assert (await whole(service, user, inbox))["files"] == 3


@pytest.mark.ordinary
async def test_it_ends_an_hour_after_its_last_byte(service: Service, user: Headers) -> None:
    inbox = await make(service, user, max_files=1)
    before = clock.now()
    url = (await create(service, inbox, 10)).headers["location"]
    assert (await append(service, {}, url, 0, b"01234")).status_code == 204
    (row,) = await service.runtime.parts.database.read(
        lambda connection: connection.execute(uploads.select()).all()
    )
    assert before + HOUR <= row.expires_at <= clock.now() + HOUR

    def age(connection: Connection) -> None:
        connection.execute(update(uploads).values(expires_at=clock.now() - 1))

    await service.runtime.parts.database.write(age)
    assert (await head(service, {}, url)).status_code == 410
    assert (await put(service, inbox)).status_code == 201  # whose claim has ended, too
    await service.runtime.parts.expiry.run_once(clock.now())
    assert (await head(service, {}, url)).status_code == 404
    assert await usage(service, user) == (5, 1)


async def test_what_is_begun_goes_with_the_inbox(service: Service, user: Headers) -> None:
    inbox = await make(service, user)
    url = (await create(service, inbox, 10)).headers["location"]
    assert (await append(service, {}, url, 0, b"01234")).status_code == 204
    await service.client.delete(f"/v1/inboxes/{inbox['id']}", headers=user)
    assert (await append(service, {}, url, 5, b"56789")).status_code == 404
    assert await pending(service) == (0, 0)
    assert await usage(service, user) == (0, 0)


async def test_a_password_opens_each_request(service: Service, user: Headers) -> None:
    inbox = await make(service, user, password="secret")
    assert (await create(service, inbox, 5)).status_code == 401
    basic = {"Authorization": f"Basic {base64.b64encode(b':secret').decode()}"}
    headers = basic | VERSION | {"Upload-Length": "5"}
    made = await service.client.post(f"{inbox['path']}/uploads", headers=headers)
    url = made.headers["location"]
    assert (await append(service, {}, url, 0, b"hello")).status_code == 401
    assert (await append(service, basic, url, 0, b"hello")).status_code == 204


async def test_what_a_stranger_must_not_ask(service: Service, user: Headers) -> None:
    inbox = await make(service, user)
    url = f"{inbox['path']}/uploads"
    deferred = await service.client.post(url, headers=VERSION | {"Upload-Defer-Length": "1"})
    assert deferred.status_code == 400
    assert deferred.headers["tus-resumable"] == "1.0.0"
    without = await service.client.post(url, headers={"Upload-Length": "5"})
    assert without.status_code == 404
    over = {"X-HTTP-Method-Override": "PATCH", "Upload-Offset": "0"}
    made = (await create(service, inbox, 5)).headers["location"]
    sent = await service.client.post(made, headers=VERSION | PIECE | over, content=b"hello")
    assert sent.status_code == 204


async def test_a_member_of_a_bundle_may_be_called_uploads(service: Service, user: Headers) -> None:
    form = [("file", ("uploads", b"first")), ("file", ("b", b"second"))]
    sent = await service.client.post("/v1/send/", files=form, headers=user)
    link = httpx.URL(sent.text.strip()).path
    read = await service.client.get(f"{link}/uploads?download=1")
    assert (read.status_code, read.content) == (200, b"first")
    claimed = await service.client.post(f"{link}/uploads")
    assert claimed.status_code == 303
