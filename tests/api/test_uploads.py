"""Uploads that go on, by tus 1.0: what each request answers, and what is kept of it."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from app import clock
from app.accounts.tables import accounts, tiers
from app.uploads.tables import uploads
from tests.api import raw
from tests.api.books import used
from tests.api.conftest import PASSWORD, Service, running
from tests.api.raw import DISCONNECT, part
from tests.api.shared import audited, shared_fixtures, store_of, wipe
from tests.api.tus_client import PIECE, URL, VERSION, append, create, head, metadata
from tests.deadline import DEADLINE
from tests.pictures import encoded, quarters

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

SEGMENT = 64 * 1024
DATA = random.Random(1).randbytes(5 * SEGMENT + 17)


settings, service = shared_fixtures()


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies of a few hundred KiB are enough for several."""
    monkeypatch.setattr("app.objects.intake.append.SEGMENT", SEGMENT)


@pytest.fixture
async def books(service: Service) -> AsyncIterator[None]:
    """The books agree after a test that leaves nothing but blobs."""
    await wipe(service)
    async with audited(service):
        yield


@pytest.fixture
def token(service: Service) -> dict[str, str]:
    """Headers of the built-in account, which has no limits."""
    return service.service_token


async def upload_in_pieces(
    service: Service, token: dict[str, str], data: bytes, cuts: list[int], **values: str
) -> httpx.Response:
    """Upload in pieces; returns the last answer."""
    created = await create(service, token, len(data), **values)
    assert created.status_code == 201, created.text
    answer = created
    for start, stop in zip([0, *cuts], [*cuts, len(data)], strict=True):
        answer = await append(service, token, created.headers["location"], start, data[start:stop])
        assert answer.status_code == 204, answer.text
        assert answer.headers["upload-offset"] == str(stop)
    return answer


async def create_with(
    service: Service, token: dict[str, str], data: bytes, length: int, **values: str
) -> httpx.Response:
    """Create an upload with bytes of it."""
    headers = token | VERSION | PIECE | {"Upload-Length": str(length)} | metadata(**values)
    return await service.client.post(URL, headers=headers, content=data)


@pytest.mark.ordinary
@pytest.mark.usefixtures("books")
async def test_a_blob_is_made_of_pieces(service: Service, token: dict[str, str]) -> None:
    made = await upload_in_pieces(
        service, token, DATA, [1, 100_000], kind="blob", id="a b/c", type="x/y"
    )
    assert made.headers["content-location"] == "/v1/blobs/a%20b%2Fc/content"
    found = await service.client.get(made.headers["content-location"], headers=token)
    assert (found.content, found.headers["content-type"]) == (DATA, "x/y")
    for start, stop in ((0, 1), (SEGMENT - 1, SEGMENT + 2), (99_999, 300_000)):
        ranged = token | {"Range": f"bytes={start}-{stop - 1}"}
        answer = await service.client.get(made.headers["content-location"], headers=ranged)
        assert (answer.status_code, answer.content) == (206, DATA[start:stop])
    replaced = await upload_in_pieces(service, token, b"other", [2], kind="blob", id="a b/c")
    found = await service.client.get(replaced.headers["content-location"], headers=token)
    assert found.content == b"other"


@pytest.mark.parametrize("whole", [False, True], ids=["in pieces", "by one request"])
async def test_each_kind_is_made(service: Service, token: dict[str, str], *, whole: bool) -> None:
    async def upload(data: bytes, cut: int, **values: str) -> httpx.Response:
        if not whole:
            return await upload_in_pieces(service, token, data, [cut], **values)
        made = await create_with(service, token, data, len(data), **values)
        assert (made.status_code, made.headers["upload-offset"]) == (201, str(len(data)))
        state = await head(service, token, made.headers["location"])
        assert state.headers["upload-offset"] == state.headers["upload-length"] == str(len(data))
        assert state.headers["content-location"] == made.headers["content-location"]
        return made

    picture = encoded(quarters(64, 48), "png")
    kept = {"expires_in": "0"}
    made = await upload(DATA, 70_000, filename="C:\\a.pdf", **kept)
    file = (await service.client.get(made.headers["content-location"], headers=token)).json()
    assert (file["name"], file["size"], file["expires_at"]) == ("a.pdf", len(DATA), None)
    assert file["content_type"] == "application/pdf"
    made = await upload(b"MDMP" + DATA, 2, kind="dump", name="x", label="acme")
    dump = (await service.client.get(made.headers["content-location"], headers=token)).json()
    assert (dump["original_name"], dump["label"]) == ("x", "acme")
    assert dump["report_state"] == "pending", "its start was looked at"
    made = await upload(picture, 5, kind="picture", name="Quarters")
    shown = (await service.client.get(made.headers["content-location"], headers=token)).json()
    assert (shown["name"], shown["width"], shown["format"]) == ("Quarters", 64, "png")
    made = await upload(b"text", 2, kind="buffer", data_type="text")
    clip = await service.client.get(made.headers["content-location"], headers=token)
    assert (clip.content, clip.headers["x-data-type"]) == (b"text", "text")


async def test_a_finished_upload_tells_what_it_has_made(
    service: Service, token: dict[str, str]
) -> None:
    created = await create(service, token, 5, filename="a.txt")
    url = created.headers["location"]
    assert created.headers["tus-resumable"] == "1.0.0"
    made = await append(service, token, url, 0, b"hello")
    state = await head(service, token, url)
    assert state.status_code == 200
    assert state.headers["cache-control"] == "no-store"
    assert state.headers["upload-offset"] == state.headers["upload-length"] == "5"
    assert state.headers["upload-metadata"] == metadata(filename="a.txt")["Upload-Metadata"]
    assert state.headers["content-location"] == made.headers["content-location"]
    assert (await append(service, token, url, 5, b"")).status_code == 204
    assert (await append(service, token, url, 5, b"!")).status_code == 413
    again = await append(service, token, url, 0, b"hello")
    assert again.status_code == 409, "its answer was lost, and HEAD says what came of it"
    assert (await service.client.delete(url, headers=token | VERSION)).status_code == 204
    assert (await head(service, token, url)).status_code == 404
    found = await service.client.get(f"{made.headers['content-location']}/content", headers=token)
    assert found.content == b"hello", "it stays"


async def test_an_empty_upload_is_complete_at_once(service: Service, token: dict[str, str]) -> None:
    created = await create(service, token, 0, kind="blob", id="empty")
    assert created.headers["upload-offset"] == "0"
    found = await service.client.get(created.headers["content-location"], headers=token)
    assert (found.status_code, found.content) == (200, b"")


async def test_a_first_piece_may_come_with_the_creation(
    service: Service, token: dict[str, str]
) -> None:
    created = await create_with(service, token, b"hel", 5, kind="blob", id="early")
    assert (created.status_code, created.headers["upload-offset"]) == (201, "3")
    made = await append(service, token, created.headers["location"], 3, b"lo")
    found = await service.client.get(made.headers["content-location"], headers=token)
    assert found.content == b"hello"


async def test_a_length_may_be_said_later_but_once(service: Service, token: dict[str, str]) -> None:
    url = (await create(service, token, None, kind="blob", id="later")).headers["location"]
    assert (await append(service, token, url, 0, b"hel")).status_code == 204
    state = await head(service, token, url)
    assert state.headers["upload-defer-length"] == "1"
    assert "upload-length" not in state.headers
    assert (await append(service, token, url, 3, b"l", Upload_Length="2")).status_code == 400
    assert (await append(service, token, url, 3, b"l", Upload_Length="5")).status_code == 204
    assert (await append(service, token, url, 4, b"o", Upload_Length="6")).status_code == 400
    made = await append(service, token, url, 4, b"o")
    found = await service.client.get(made.headers["content-location"], headers=token)
    assert found.content == b"hello"


@pytest.mark.usefixtures("books")
async def test_what_is_refused_changes_nothing(service: Service, token: dict[str, str]) -> None:
    url = (await create(service, token, 5, kind="blob", id="strict")).headers["location"]
    await append(service, token, url, 0, b"he")
    for offset, data, status in ((0, b"he", 409), (3, b"lo", 409), (2, b"lllo", 400)):
        answer = await append(service, token, url, offset, data)
        assert answer.status_code == status, answer.text
        assert answer.headers["tus-resumable"] == "1.0.0"
    bad = [
        ({"Content-Type": "text/plain"}, 415),
        ({"Upload-Offset": "-1"}, 400),
        ({"Upload-Offset": "two"}, 400),
        ({"Upload-Offset": "9" * 400}, 400),
        ({"Upload-Length": "x"}, 400),
        ({"Tus-Resumable": "0.2.2"}, 412),
    ]
    for changed, status in bad:
        headers = token | VERSION | PIECE | {"Upload-Offset": "2"} | changed
        answer = await service.client.patch(url, headers=headers, content=b"l")
        assert answer.status_code == status, (changed, answer.text)
    unversioned = await service.client.head(url, headers=token)
    assert (unversioned.status_code, unversioned.headers["tus-version"]) == (412, "1.0.0")
    assert (await head(service, token, url)).headers["upload-offset"] == "2"
    await service.client.delete(url, headers=token | VERSION)


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("", 201),
        ("filename YS50eHQ=,,", 201),
        ("flag,filename YS50eHQ=", 201),
        ("kind YmxvYg==", 422),  # a blob without an id
        ("kind bm9uc2Vuc2U=", 422),
        ("filename !!!", 422),
        ("filename /w==", 422),  # no UTF-8
        ("filename YS50eHQ=,filename YS50eHQ=", 422),
        ("filename Li4=", 422),  # ..
        ("expires_in LTE=", 422),
        ("kind YnVmZmVy", 422),  # a file without a name
        ("ключ YS50eHQ=".encode().decode("latin-1"), 422),
        (",".join(f"k{n} YQ==" for n in range(200)), 422),
        (f"filename {'YWFh' * 10_000}", 422),
    ],
)
async def test_metadata_has_its_clear_answer(
    service: Service, token: dict[str, str], header: str, status: int
) -> None:
    sent = [(name.encode(), value.encode()) for name, value in (token | VERSION).items()]
    sent += [(b"Upload-Length", b"1"), (b"Upload-Metadata", header.encode("latin-1"))]
    answer = await service.client.post(URL, headers=sent)
    assert answer.status_code == status, answer.text
    if status == 422:
        assert answer.json()["errors"][0]["loc"][:2] == ["header", "Upload-Metadata"]


@pytest.mark.parametrize(
    "headers",
    [{}, {"Upload-Length": "5", "Upload-Defer-Length": "1"}, {"Upload-Defer-Length": "0"}],
)
async def test_a_new_upload_has_a_length_or_defers_it(
    service: Service, token: dict[str, str], headers: dict[str, str]
) -> None:
    answer = await service.client.post(URL, headers=token | VERSION | headers)
    assert answer.status_code == 400


@pytest.mark.usefixtures("books")
async def test_what_came_of_a_cut_body_is_kept(service: Service, token: dict[str, str]) -> None:
    url = (await create(service, token, len(DATA), kind="blob", id="cut")).headers["location"]
    cut = SEGMENT + 1000
    headers = token | VERSION | PIECE | {"Upload-Offset": "0", "Content-Length": str(len(DATA))}
    answer = await raw.request(service, "PATCH", url, headers, [part(DATA[:cut]), DISCONNECT])
    assert answer.status is None
    assert (await head(service, token, url)).headers["upload-offset"] == str(cut)
    made = await append(service, token, url, cut, DATA[cut:])
    found = await service.client.get(made.headers["content-location"], headers=token)
    assert found.content == DATA


async def test_a_creation_with_all_bytes_is_refused_as_it_would_be_later(
    service: Service, token: dict[str, str]
) -> None:
    before = await used(service)
    wrong = await create_with(service, token, b"no picture", 10, kind="picture", name="x")
    assert wrong.status_code == 415
    longer = await create_with(service, token, b"longer", 5, kind="blob", id="x")
    assert longer.status_code == 400
    assert await used(service) == before


@pytest.mark.parametrize("length", [100, 200], ids=["all of it", "a piece"])
async def test_a_cut_creation_leaves_nothing(
    service: Service, token: dict[str, str], length: int
) -> None:
    before = await used(service)
    headers = token | VERSION | PIECE | {"Upload-Length": str(length), "Content-Length": "100"}
    await raw.request(service, "POST", URL, headers, [part(b"x" * 50), DISCONNECT])
    assert await used(service) == before, "its client doesn't know of it"


@pytest.mark.ordinary
@pytest.mark.usefixtures("books")
async def test_the_newest_request_goes_on(service: Service, token: dict[str, str]) -> None:
    url = (await create(service, token, len(DATA), kind="blob", id="both")).headers["location"]
    arrived = asyncio.Event()

    async def stalled() -> AsyncIterator[raw.Message]:
        yield part(DATA[:100_000])
        arrived.set()
        await asyncio.Event().wait()

    headers = token | VERSION | PIECE | {"Upload-Offset": "0", "Content-Length": str(len(DATA))}
    older = asyncio.create_task(raw.request(service, "PATCH", url, headers, stalled()))
    async with asyncio.timeout(DEADLINE):
        await arrived.wait()
        state = await head(service, token, url)
        assert (await older).status == 409
    assert state.headers["upload-offset"] == "100000"
    made = await append(service, token, url, 100_000, DATA[100_000:])
    found = await service.client.get(made.headers["content-location"], headers=token)
    assert found.content == DATA


async def test_a_silent_client_is_to_ask_again(
    service: Service, token: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("routers.http.bodies.IDLE_TIMEOUT", 0.05)
    url = (await create(service, token, 10, kind="blob", id="silent")).headers["location"]
    headers = token | VERSION | PIECE | {"Upload-Offset": "0", "Content-Length": "10"}
    answer = await raw.request(service, "PATCH", url, headers, [part(b"hello")])
    assert answer.status == 503, "clients of tus would give up after a 408"
    assert (await head(service, token, url)).headers["upload-offset"] == "5"


@pytest.mark.usefixtures("books")
async def test_a_store_that_fails_keeps_what_it_had(
    service: Service, token: dict[str, str]
) -> None:
    url = (await create(service, token, 10, kind="blob", id="fails")).headers["location"]
    await append(service, token, url, 0, b"hello")
    store_of(service).fail("put", moment="midway")
    assert (await append(service, token, url, 5, b"world")).status_code == 503
    assert (await head(service, token, url)).headers["upload-offset"] == "5"
    assert (await append(service, token, url, 5, b"world")).status_code == 204


async def test_an_upload_is_its_accounts_alone(service: Service) -> None:
    _, own = await service.sign_up()
    _, other = await service.sign_up()
    url = (await create(service, own, 5, filename="a")).headers["location"]
    assert (await head(service, other, url)).status_code == 404
    assert (await append(service, other, url, 0, b"x")).status_code == 404
    assert (await service.client.delete(url, headers=other | VERSION)).status_code == 404
    assert (await head(service, {}, url)).status_code == 401
    assert (await create(service, {}, 5)).status_code == 401
    assert (await head(service, own, url)).headers["upload-offset"] == "0"


async def test_a_key_needs_the_scope_of_the_kind(service: Service) -> None:
    _, own = await service.sign_up()
    body = {"name": "k", "scopes": ["blobs:write"]}
    made = await service.client.post("/v1/accounts/me/keys", headers=own, json=body)
    key = {"Authorization": f"Bearer {made.json()['key']}"}
    assert (await create(service, key, 5, filename="a")).status_code == 403
    assert (await create_with(service, key, b"hello", 5, filename="a")).status_code == 403
    assert (await create(service, key, 5, kind="blob", id="a")).status_code == 201
    url = (await create(service, own, 5, filename="a")).headers["location"]
    assert (await head(service, key, url)).status_code == 403
    assert (await append(service, key, url, 0, b"hello")).status_code == 403


@pytest.mark.ordinary
async def test_an_upload_counts_as_it_grows(service: Service) -> None:
    account, own = await service.sign_up()
    assert (await create(service, own, 2**50, filename="a")).status_code == 413, "its tier's limit"
    url = (await create(service, own, len(DATA), filename="a")).headers["location"]

    async def usage() -> tuple[int, int]:
        me = (await service.client.get("/v1/accounts/me", headers=own)).json()["usage"]
        return me["bytes"], me["objects"]

    assert await usage() == (0, 1)
    await append(service, own, url, 0, DATA[:1000])
    assert await usage() == (1000, 1)
    tight = (
        update(tiers).where(tiers.c.name == account["tier"]).values(max_total_bytes=len(DATA) - 1)
    )
    await service.runtime.parts.database.write(lambda c: c.execute(tight).rowcount)
    answer = await append(service, own, url, 1000, DATA[1000:])
    assert (answer.status_code, answer.json()["type"]) == (
        413,
        "urn:holdall:problem:quota-exceeded",
    )
    assert await usage() == (1000, 1)
    wide = update(tiers).values(max_total_bytes=None)
    await service.runtime.parts.database.write(lambda c: c.execute(wide).rowcount)
    assert (await append(service, own, url, 1000, DATA[1000:])).status_code == 204
    assert await usage() == (len(DATA), 1)


async def test_what_is_no_picture_is_refused_and_forgotten(
    service: Service, token: dict[str, str]
) -> None:
    before = await used(service)
    url = (await create(service, token, 5, kind="picture", name="a")).headers["location"]
    assert (await append(service, token, url, 0, b"hello")).status_code == 415
    assert (await head(service, token, url)).status_code == 404
    assert await used(service) == before


@pytest.mark.ordinary
async def test_an_unfinished_upload_ends_with_all_it_has(
    service: Service, token: dict[str, str]
) -> None:
    before = await used(service)
    url = (await create(service, token, 10, kind="blob", id="ends")).headers["location"]
    await append(service, token, url, 0, b"hello")
    ended = (
        update(uploads)
        .where(uploads.c.uuid == url.rpartition("/")[2])
        .values(expires_at=clock.now())
    )
    await service.runtime.parts.database.write(lambda c: c.execute(ended).rowcount)
    assert (await head(service, token, url)).status_code == 410
    assert (await append(service, token, url, 5, b"world")).status_code == 410
    while await service.runtime.parts.expiry.run_once(clock.now()):
        pass
    assert (await head(service, token, url)).status_code == 404
    assert await used(service) == before


@pytest.mark.ordinary
async def test_an_account_that_is_deleted_takes_its_uploads_along(service: Service) -> None:
    _, own = await service.sign_up()
    url = (await create(service, own, len(DATA), filename="a")).headers["location"]
    await append(service, own, url, 0, DATA[:200_000])
    gone = await service.client.post(
        "/v1/accounts/me/delete", headers=own, json={"password": PASSWORD}
    )
    assert gone.status_code == 204
    purge: Any = service.runtime.parts.purge
    while await purge.run_once(clock.now()):
        pass
    left = await service.runtime.parts.database.read(
        lambda c: c.execute(select(accounts.c.id).where(accounts.c.deleted_at.is_not(None))).all()
    )
    assert left == []


async def test_only_post_may_pass_a_proxy(service: Service, token: dict[str, str]) -> None:
    url = (await create(service, token, 5, kind="blob", id="post")).headers["location"]
    own = token | VERSION

    async def post(method: str, **more: str) -> httpx.Response:
        headers = own | PIECE | {"X-HTTP-Method-Override": method} | more
        data = b"hello" if method == "PATCH" else b""
        return await service.client.post(url, headers=headers, content=data)

    assert (await post("PATCH", **{"Upload-Offset": "0"})).headers["upload-offset"] == "5"
    assert (await post("HEAD")).headers["upload-offset"] == "5"
    assert (await post("GET")).status_code == 400
    assert (await post("DELETE")).status_code == 204
    assert (await head(service, token, url)).status_code == 404


async def test_options_tell_what_is_spoken(service: Service) -> None:
    for path in (URL, f"{URL}/01a214ef-fd5e-71be-b06b-52f4ef8b9dd3"):
        answer = await service.client.options(path)
        assert answer.status_code == 204
        assert answer.headers["tus-version"] == "1.0.0"
        assert "creation-with-upload" in answer.headers["tus-extension"].split(",")


async def test_a_process_that_stops_keeps_what_came(
    service: Service, token: dict[str, str]
) -> None:
    stopping: Any = service.runtime.parts.uploads.appends
    url = (await create(service, token, 10, kind="blob", id="stops")).headers["location"]

    async def stalled() -> AsyncIterator[raw.Message]:
        yield part(b"hello")
        service.runtime.closing.set()
        await asyncio.Event().wait()

    headers = token | VERSION | PIECE | {"Upload-Offset": "0", "Content-Length": "10"}
    async with asyncio.timeout(DEADLINE):
        answer = await raw.request(service, "PATCH", url, headers, stalled())
    assert answer.status == 503
    stopping._stopped = None  # the tests that follow have the same service
    service.runtime.closing.clear()
    assert (await head(service, token, url)).headers["upload-offset"] == "5"


@pytest.mark.ordinary
@pytest.mark.usefixtures("books")
async def test_an_offset_that_another_process_tells_is_where_it_goes_on(
    service: Service, token: dict[str, str]
) -> None:
    url = (await create(service, token, len(DATA), kind="blob", id="two")).headers["location"]
    arrived, go = asyncio.Event(), asyncio.Event()
    begun = SEGMENT + 5000

    async def stalled() -> AsyncIterator[raw.Message]:
        yield part(DATA[:begun])
        arrived.set()
        await go.wait()
        yield part(DATA[begun:], more=False)

    headers = token | VERSION | PIECE | {"Upload-Offset": "0", "Content-Length": str(len(DATA))}
    older = asyncio.create_task(raw.request(service, "PATCH", url, headers, stalled()))
    async with asyncio.timeout(DEADLINE), running(service.settings) as other:
        await arrived.wait()
        assert (await head(other, token, url)).headers["upload-offset"] == str(SEGMENT)
        go.set()
        assert (await older).status == 409, "it can't commit any more"
        assert (await head(other, token, url)).headers["upload-offset"] == str(SEGMENT)
        made = await append(other, token, url, SEGMENT, DATA[SEGMENT:])
        assert made.status_code == 204, made.text
    found = await service.client.get(made.headers["content-location"], headers=token)
    assert found.content == DATA
