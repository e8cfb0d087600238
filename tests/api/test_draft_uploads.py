"""Uploads that go on, by the IETF draft: what each request answers, and what is kept of it."""

import base64
import gzip
import hashlib
import random
from collections.abc import AsyncIterator

import pytest

from routers.http.resumable import interim
from tests.api.conftest import Service, running
from tests.api.draft_client import TYPES, connecting, head, patch, speaking
from tests.api.shared import audited, shared_fixtures, wipe
from tests.api.tus_client import append, create
from tests.api.tus_client import head as tus_head
from tests.pictures import encoded, quarters

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

SEGMENT = 64 * 1024
DATA = random.Random(2).randbytes(3 * SEGMENT + 17)
URL = "/v1/blobs/a%20b%2Fc/content"


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


def digest(data: bytes, algorithm: str = "sha-256") -> str:
    """Return the value of a digest's field."""
    hashed = hashlib.new(algorithm.replace("-", ""), data).digest()
    return f"{algorithm}=:{base64.b64encode(hashed).decode()}:"


async def begin(service: Service, token: dict[str, str], data: bytes = b"", *, length: int) -> str:
    """Begin an upload of a blob with some bytes; returns where it goes on."""
    headers = token | speaking(complete="?0", length=str(length))
    created = await service.client.put(URL, headers=headers, content=data)
    assert created.status_code == 201, created.text
    return created.headers["location"]


async def content(service: Service, token: dict[str, str], url: str = URL) -> bytes:
    """Return what is there."""
    return (await service.client.get(url, headers=token)).content


@pytest.mark.parametrize("version", [6, 8])
@pytest.mark.usefixtures("books")
async def test_an_upload_in_parts_ends_as_its_target_answers(
    service: Service, token: dict[str, str], version: int
) -> None:
    headers = token | speaking(version, complete="?0", length=str(len(DATA)))
    headers["Content-Type"] = "x/y"
    created = await service.client.put(URL, headers=headers, content=DATA[:1])
    assert (created.status_code, created.headers["upload-complete"]) == (201, "?0")
    url, age = created.headers["location"], "expires" if version == 6 else "max-age"
    assert created.headers["upload-limit"].startswith(f"min-size=0, {age}=8")
    goes_on = await patch(service, token, url, 1, DATA[1:100_000], version=version)
    assert goes_on.status_code == (201 if version == 6 else 204)
    assert goes_on.headers["upload-complete"] == "?0"
    assert goes_on.headers["upload-offset"] == "100000"
    state = await head(service, token, url, version)
    assert (state.status_code, state.headers["upload-complete"]) == (204, "?0")
    assert state.headers["upload-length"] == str(len(DATA))
    assert state.headers["cache-control"] == "no-store"
    everything = await patch(service, token, url, 100_000, DATA[100_000:], version=version)
    assert everything.headers["upload-complete"] == "?0", "its client has not said that it ends"
    assert await content(service, token) != DATA
    made = await patch(service, token, url, len(DATA), b"", complete="?1", version=version)
    assert (made.status_code, made.headers["upload-complete"]) == (201, "?1")
    assert made.headers["etag"] == f'"{hashlib.sha256(DATA).hexdigest()}"'
    assert (made.json()["id"], made.json()["size"]) == ("a b/c", len(DATA))
    assert made.headers["content-location"] == URL
    state = await head(service, token, url, version)
    assert (state.headers["upload-complete"], state.headers["content-location"]) == ("?1", URL)
    found = await service.client.get(URL, headers=token)
    assert (found.content, found.headers["content-type"]) == (DATA, "x/y")
    replaced = await service.client.put(
        URL, headers=token | speaking(version, complete="?1"), content=b"other"
    )
    assert (replaced.status_code, replaced.headers["content-location"]) == (200, URL)
    assert replaced.headers["upload-offset"] == "5"


async def test_every_target_answers_as_ever(service: Service, token: dict[str, str]) -> None:
    picture = encoded(quarters(64, 48), "png")
    clip = {"X-Data-Type": "file", "X-File-Name": "a.txt"}
    targets = [
        ("PUT", "/v1/send/a.pdf", DATA, {}),
        ("PUT", "/v1/send/a.pdf?expires_in=0", DATA, {"Accept": "application/json"}),
        ("PUT", "/v1/buffer", DATA, clip),
        ("POST", "/v1/files?name=a.pdf&expires_in=0", DATA, {"Content-Type": "a/b"}),
        ("POST", "/v1/dumps?label=acme", b"MDMP" + DATA, {}),
        ("POST", "/v1/pictures?name=Quarters", picture, {"Content-Type": "image/png"}),
    ]
    for method, target, data, more in targets:
        plain = await service.client.request(method, target, headers=token | more, content=data)
        headers = token | more | speaking(complete="?1")
        made = await service.client.request(method, target, headers=headers, content=data)
        assert made.status_code in {200, 201}, made.text
        assert made.headers["content-type"] == plain.headers["content-type"]
        if method == "POST":
            assert made.json().keys() == plain.json().keys()
            assert made.headers["content-location"] == made.headers["location"]
        if "send" in target and not more:
            assert made.text.startswith("http://test/t/")
        if "expires_in=0" in target:
            assert made.json()["expires_at"] is None
        shown = await service.client.options(target.partition("?")[0], headers=speaking(6))
        assert (shown.status_code, shown.headers["upload-limit"][:10]) == (204, "min-size=0")


async def test_interim_responses_tell_where_to_go_on(
    service: Service, token: dict[str, str]
) -> None:
    async with connecting(service, 2) as (first, second):
        sent = token | speaking(complete="?1") | {"Content-Length": str(len(DATA))}
        await first.send("PUT", URL, sent)
        told = await first.head()
        assert (told.status, told.headers["upload-draft-interop-version"]) == (104, "8")
        assert "upload-limit" in told.headers
        url = told.headers["location"]
        await first.body(DATA[: SEGMENT + 1000])
        progress = await first.head()
        assert (progress.status, progress.headers["upload-offset"]) == (104, str(SEGMENT))
        assert "location" not in progress.headers
        await second.send("HEAD", url, token | speaking())
        state = await second.final()
        assert state.headers["upload-offset"] == str(SEGMENT + 1000), "what it had is kept"
        assert (await first.final()).status == 409, "the newest request goes on"
        rest = DATA[SEGMENT + 1000 :]
        own = speaking(complete="?1", offset=str(SEGMENT + 1000))
        own |= {"Content-Type": "application/partial-upload", "Content-Length": str(len(rest))}
        await second.send("PATCH", url, token | own)
        await second.body(rest)
        made = await second.final()
    assert (made.status, made.headers["content-location"]) == (201, URL)
    assert await content(service, token) == DATA


@pytest.mark.ordinary
@pytest.mark.usefixtures("books")
async def test_what_came_of_a_cut_creation_is_kept(service: Service, token: dict[str, str]) -> None:
    async with connecting(service) as (connection,):
        sent = token | speaking(complete="?1") | {"Content-Length": str(len(DATA))}
        await connection.send("PUT", URL, sent)
        url = (await connection.head()).headers["location"]
        await connection.body(DATA[:SEGMENT])
        assert (await connection.head()).headers["upload-offset"] == str(SEGMENT)
        await connection.body(DATA[SEGMENT : SEGMENT + 5])
        connection.close()
    offset = int((await head(service, token, url)).headers["upload-offset"])
    assert SEGMENT <= offset <= SEGMENT + 5
    made = await patch(service, token, url, offset, DATA[offset:], complete="?1")
    assert (made.status_code, await content(service, token)) == (201, DATA)


@pytest.mark.parametrize(
    ("headers", "http"),
    [
        (speaking(7, complete="?1"), "1.1"),
        ({"Upload-Complete": "?1"}, "1.1"),
        ({"Upload-Draft-Interop-Version": "8"}, "1.1"),
        (speaking(8, complete="yes"), "1.1"),
        (speaking(8, complete="?1"), "1.0"),
    ],
)
async def test_who_speaks_something_else_is_told_nothing(
    service: Service, token: dict[str, str], headers: dict[str, str], http: str
) -> None:
    async with connecting(service) as (connection,):
        await connection.send("PUT", URL, token | headers | {"Content-Length": "5"}, version=http)
        await connection.body(b"hello")
        assert (await connection.head()).status in {200, 201}
    assert await content(service, token) == b"hello"


@pytest.mark.parametrize("who", ["direct", "always"])
async def test_who_is_behind_a_proxy_is_told_if_that_passes_it_on(
    service: Service, token: dict[str, str], who: str
) -> None:
    given = service.settings.model_copy(update={"interim_responses": who})
    sent = token | speaking(complete="?1") | {"Content-Length": "5"}
    async with running(given) as behind, connecting(behind) as (connection,):
        for field in ("X-Forwarded-For", "Via"):
            await connection.send("PUT", URL, sent | {field: "192.0.2.1"})
            await connection.body(b"hello")
            told = await connection.head()
            assert (told.status == 104) is (who == "always")
            if told.status == 104:
                told = await connection.final()
            await connection.body_of(told)


async def test_a_part_never_passes_for_the_whole(service: Service, token: dict[str, str]) -> None:
    for own in (
        speaking(7, complete="?0"),
        {"Upload-Complete": "?0"},
        {"Upload-Draft-Interop-Version": "3", "Upload-Incomplete": "?1"},
    ):
        for method, url in (("PUT", "/v1/blobs/part/content"), ("POST", "/v1/files?name=a")):
            answer = await service.client.request(method, url, headers=token | own, content=b"x")
            assert answer.status_code == 412, answer.text
    answer = await service.client.get("/v1/blobs/part/content", headers=token)
    assert answer.status_code == 404


async def test_a_client_hears_that_its_request_is_alive(
    service: Service, token: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interim, "INTERVAL", 0.02)
    async with connecting(service) as (connection,):
        await connection.send("PUT", URL, token | speaking(complete="?1") | {"Content-Length": "5"})
        for offset in (None, "0", "0"):
            told = await connection.head()
            assert (told.status, told.headers.get("upload-offset")) == (104, offset)
        await connection.body(b"hello")
        assert (await connection.final()).status in {200, 201}


@pytest.mark.usefixtures("books")
async def test_what_is_wrong_has_its_type(service: Service, token: dict[str, str]) -> None:
    url = await begin(service, token, data=b"he", length=5)
    wrong = await patch(service, token, url, 3, b"llo", complete="?1")
    assert (wrong.status_code, wrong.headers["upload-offset"]) == (409, "2")
    assert wrong.headers["upload-complete"] == "?0"
    assert wrong.json()["type"] == f"{TYPES}mismatching-upload-offset"
    assert (wrong.json()["expected-offset"], wrong.json()["provided-offset"]) == (2, 3)
    for data, complete in ((b"llo!", "?0"), (b"l", "?1")):
        wrong = await patch(service, token, url, 2, data, complete=complete)
        assert wrong.status_code == 400
        assert wrong.json()["type"] == f"{TYPES}inconsistent-upload-length"
    assert (await head(service, token, url)).headers["upload-offset"] == "2"
    headers = token | speaking(offset="2", complete="?0")
    typed = await service.client.patch(url, headers=headers, content=b"l")
    assert (typed.status_code, typed.headers["accept-patch"]) == (415, "application/partial-upload")
    headers["Content-Type"] = "application/partial-upload"
    for name in ("Upload-Offset", "Upload-Complete"):
        lacking = {key: value for key, value in headers.items() if key != name}
        assert (await service.client.patch(url, headers=lacking, content=b"l")).status_code == 400
    unversioned = await service.client.head(url, headers=token)
    assert unversioned.status_code == 412
    assert (await patch(service, token, url, 2, b"llo", complete="?1")).status_code == 201
    for data in (b"", b"!"):
        late = await patch(service, token, url, 5, data, complete="?1")
        assert (late.status_code, late.json()["type"]) == (400, f"{TYPES}completed-upload")
        assert late.headers["content-location"] == URL
    stated = token | speaking(6, offset="5")
    assert (await service.client.head(url, headers=stated)).status_code == 400
    assert (await service.client.delete(url, headers=token | speaking())).status_code == 204
    assert (await head(service, token, url)).status_code == 404


@pytest.mark.usefixtures("books")
async def test_what_exceeds_its_length_is_over(service: Service, token: dict[str, str]) -> None:
    async def endless() -> AsyncIterator[bytes]:
        yield b"too much"

    url = await begin(service, token, length=5)
    headers = token | speaking(offset="0", complete="?0")
    headers["Content-Type"] = "application/partial-upload"
    answer = await service.client.patch(url, headers=headers, content=endless())
    assert answer.json()["type"] == f"{TYPES}inconsistent-upload-length"
    assert (await head(service, token, url)).status_code == 404
    headers = token | speaking(complete="?1", length="6")
    answer = await service.client.put(URL, headers=headers, content=b"hello")
    assert answer.json()["type"] == f"{TYPES}inconsistent-upload-length"


@pytest.mark.usefixtures("books")
async def test_a_body_of_unknown_length_ends_the_upload_where_it_ends(
    service: Service, token: dict[str, str]
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield DATA[:100_000]
        yield DATA[100_000:]

    answer = await service.client.put(
        URL, headers=token | speaking(complete="?1"), content=chunks()
    )
    assert answer.headers["upload-length"] == str(len(DATA))
    assert await content(service, token) == DATA


async def test_errors_of_the_target_come_at_the_end(
    service: Service, token: dict[str, str]
) -> None:
    sent = token | speaking(complete="?0") | {"If-None-Match": "*"}
    created = await service.client.put("/v1/blobs/once/content", headers=sent, content=b"a")
    await service.client.put("/v1/blobs/once/content", headers=token, content=b"first")
    late = await patch(service, token, created.headers["location"], 1, b"b", complete="?1")
    assert (late.status_code, late.headers["upload-complete"]) == (412, "?1")
    assert (await head(service, token, created.headers["location"])).status_code == 404
    early = await service.client.put("/v1/blobs/once/content", headers=sent, content=b"a")
    assert (early.status_code, early.headers["upload-complete"]) == (412, "?1")
    headers = token | speaking(complete="?1")
    answer = await service.client.post(
        "/v1/pictures?name=a", headers=headers, content=b"no picture"
    )
    assert (answer.status_code, answer.headers["upload-complete"]) == (415, "?1")
    multipart = headers | {"Content-Type": "multipart/form-data; boundary=x"}
    for method, url in (("POST", "/v1/files"), ("PUT", URL)):
        answer = await service.client.request(method, url, headers=multipart, content=b"--x--")
        assert answer.status_code == 415


@pytest.mark.ordinary
async def test_codings_are_kept(service: Service, token: dict[str, str]) -> None:
    packed = gzip.compress(b"hello" * 1000)
    headers = token | speaking(complete="?0") | {"Content-Encoding": "gzip"}
    created = await service.client.put(URL, headers=headers, content=packed[:5])
    await patch(service, token, created.headers["location"], 5, packed[5:], complete="?1")
    found = await service.client.get(URL, headers=token | {"Accept-Encoding": "gzip"})
    assert (found.headers["content-encoding"], found.content) == ("gzip", b"hello" * 1000)


@pytest.mark.ordinary
@pytest.mark.usefixtures("books")
async def test_a_piece_with_another_digest_leaves_nothing(
    service: Service, token: dict[str, str]
) -> None:
    url = await begin(service, token, data=DATA[:5], length=len(DATA))
    rest = DATA[5:]
    for algorithm in ("sha-256", "sha-512"):
        wrong = token | {"Content-Digest": digest(rest + b"!", algorithm)}
        answer = await patch(service, wrong, url, 5, rest, complete="?1")
        assert (answer.status_code, answer.headers["upload-complete"]) == (400, "?0")
        assert answer.json()["type"] == "urn:holdall:problem:digest-mismatch"
        assert (await head(service, token, url)).headers["upload-offset"] == "5"
    right = token | {"Content-Digest": digest(rest)}
    assert (await patch(service, right, url, 5, rest, complete="?1")).status_code == 201
    assert await content(service, token) == DATA


@pytest.mark.usefixtures("books")
async def test_the_whole_has_the_digest_that_was_announced(
    service: Service, token: dict[str, str]
) -> None:
    for algorithm in ("sha-256", "sha-512"):
        for is_right in (True, False):
            announced = {"Repr-Digest": digest(DATA if is_right else b"", algorithm)}
            headers = token | speaking(complete="?0") | announced
            created = await service.client.put(URL, headers=headers, content=DATA[:5])
            url = created.headers["location"]
            running = service.runtime.uploads._appends.resources.hashes
            running._kept.clear()  # as if another process went on
            answer = await patch(service, token, url, 5, DATA[5:], complete="?1")
            assert answer.is_success if is_right else answer.status_code == 400, answer.text
            assert answer.headers["upload-complete"] == "?1"
            assert (await head(service, token, url)).status_code == (204 if is_right else 404)
    assert await content(service, token) == DATA


@pytest.mark.usefixtures("books")
async def test_tus_checks_the_same_digests(service: Service, token: dict[str, str]) -> None:
    whole = token | {"Repr-Digest": digest(b"hello")}
    url = (await create(service, whole, 5, kind="blob", id="a b/c")).headers["location"]
    wrong = token | {"Content-Digest": digest(b"he!")}
    assert (await append(service, wrong, url, 0, b"hel")).status_code == 400
    assert (await tus_head(service, token, url)).headers["upload-offset"] == "0"
    right = token | {"Content-Digest": digest(b"hel")}
    assert (await append(service, right, url, 0, b"hel")).status_code == 204
    assert (await append(service, token, url, 3, b"p!")).status_code == 400, "of the whole"
    assert (await tus_head(service, token, url)).status_code == 404
    url = (await create(service, token, 5, kind="blob", id="a b/c")).headers["location"]
    last = token | {"Repr-Digest": digest(b"hello")}
    assert (await append(service, last, url, 0, b"hello")).status_code == 204


async def test_both_protocols_speak_of_one_upload(service: Service, token: dict[str, str]) -> None:
    url = (await create(service, token, 5, kind="blob", id="a b/c")).headers["location"]
    assert (await patch(service, token, url, 0, b"he")).headers["upload-offset"] == "2"
    assert (await append(service, token, url, 2, b"l")).headers["upload-offset"] == "3"
    state = await head(service, token, url)
    assert (state.headers["upload-offset"], state.headers["upload-length"]) == ("3", "5")
    made = await patch(service, token, url, 3, b"lo", complete="?1")
    assert made.json()["id"] == "a b/c"
    assert (await tus_head(service, token, url)).headers["content-location"] == URL
