"""Options of sent files: what their links allow, ask for and say, and when files go with them."""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, select, update

from app import clock
from app.accounts.tables import accounts, tiers
from app.files.tables import files
from app.links.spending import PATIENCE
from app.links.tables import timelink_leases, timelinks
from app.links.tokens import hash_of, new_lease
from app.objects.tables import objects
from app.uploads.tables import uploads
from routers.pages.public import leases
from storage.errors import ObjectNotFound
from tests.api import draft_client, raw, tus_client
from tests.api.allowances import usage
from tests.api.conftest import Service
from tests.api.shared import shared_fixtures, store_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

Headers = dict[str, str]
Json = dict[str, Any]

DATA = b"hello"
LARGE = bytes(i % 251 for i in range(100_000))  # does not fit into a row
PAGE = {"Accept": "text/html"}
DAY = 86_400


settings, service = shared_fixtures()


@pytest.fixture
async def user(service: Service) -> AsyncIterator[Headers]:
    """Headers of a new account."""
    _, headers = await service.sign_up()
    yield headers
    store_of(service).heal()


async def post(
    service: Service,
    user: Headers,
    data: bytes = DATA,
    **fields: Any,  # noqa: ANN401 - of the form
) -> httpx.Response:
    sent = {"file": ("a.txt", data)}
    return await service.client.post("/v1/files", files=sent, data=fields, headers=user)


async def send(
    service: Service,
    user: Headers,
    data: bytes = DATA,
    **fields: Any,  # noqa: ANN401 - of the form
) -> Json:
    made = await post(service, user, data, **fields)
    assert made.status_code == 201, made.text
    file: Json = made.json()
    return file


async def change(service: Service, user: Headers, file: Json, **facts: Any) -> httpx.Response:  # noqa: ANN401
    return await service.client.patch(f"/v1/files/{file['id']}", json=facts, headers=user)


async def names(service: Service, user: Headers) -> list[str]:
    listed = (await service.client.get("/v1/files", headers=user)).json()["items"]
    return [file["name"] for file in listed]


async def links(service: Service, user: Headers) -> list[Json]:
    listed: Json = (await service.client.get("/v1/timelinks", headers=user)).json()
    items: list[Json] = listed["items"]
    return items


async def claim(service: Service, file: Json) -> str:
    answer = await service.client.get(f"{file['link']}?download=1")
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


async def take(service: Service, file: Json) -> bytes:
    got = await service.client.get(await claim(service, file))
    assert got.status_code == 200
    return got.content


async def bound(service: Service, user: Headers, **bounds: int) -> None:
    """Give an account a tier of its own."""
    account = (await service.client.get("/v1/accounts/me", headers=user)).json()["id"]

    def give(connection: Connection) -> None:
        basic = connection.execute(select(tiers).where(tiers.c.name == "Basic")).one()._asdict()
        del basic["id"]
        own = basic | {"uuid": account, "name": account, "name_key": account} | bounds
        connection.execute(tiers.insert().values(own))
        tier = select(tiers.c.id).where(tiers.c.uuid == account).scalar_subquery()
        connection.execute(update(accounts).where(accounts.c.uuid == account).values(tier_id=tier))

    await service.runtime.parts.database.write(give)


async def key_of(service: Service, file: Json) -> str:
    def read(connection: Connection) -> str:
        key = select(objects.c.key).select_from(files.join(objects))
        return str(connection.execute(key.where(files.c.uuid == file["id"])).scalar_one())

    return await service.runtime.parts.database.read(read)


async def expire(service: Service) -> None:
    while await service.runtime.parts.expiry.run_once(clock.now()):
        pass


async def let_patience_end(service: Service, user: Headers) -> None:
    """Let all that broken downloads wait for be over, if they wait."""
    account = (await service.client.get("/v1/accounts/me", headers=user)).json()["id"]

    def shift(connection: Connection) -> None:
        own = select(accounts.c.id).where(accounts.c.uuid == account).scalar_subquery()
        for column in (timelinks.c.removal_at, timelink_leases.c.seen_at):
            of_account = update(column.table).where(column.table.c.account_id == own)
            connection.execute(of_account.values({column.name: column - PATIENCE}))

    await service.runtime.parts.database.write(shift)
    await expire(service)


def basic(password: str) -> Headers:
    return {"Authorization": f"Basic {base64.b64encode(f':{password}'.encode()).decode()}"}


def lives(file: Json) -> float:
    """Return the seconds between a file's creation and its end."""
    made, ends = (datetime.fromisoformat(file[name]) for name in ("created_at", "expires_at"))
    return (ends - made).total_seconds()


def assert_refused(answer: httpx.Response, field: str) -> None:
    assert answer.status_code == 422, answer.text
    assert [error["loc"][-1] for error in answer.json()["errors"]] == [field]


@pytest.mark.ordinary
async def test_options_are_those_of_the_only_link(service: Service, user: Headers) -> None:
    file = await send(
        service, user, max_downloads="2", password="blue whale", note="Photos of Sunday"
    )
    shown = (file["max_downloads"], file["downloads"], file["has_password"], file["note"])
    assert shown == (2, 0, True, "Photos of Sunday")
    got = await service.client.get(f"/v1/files/{file['id']}", headers=user)
    assert got.json() == file
    (link,) = await links(service, user)
    assert link["url"] == file["link"]
    assert (link["max_downloads"], link["has_password"]) == (2, True)
    assert link["note"] == "Photos of Sunday"

    assert (await service.client.get(file["link"])).status_code == 401
    page = await service.client.get(file["link"], headers=PAGE)
    assert "Photos of Sunday" not in page.text
    facts = await service.client.get(file["link"], headers=basic("blue whale"))
    assert (facts.json()["note"], facts.json()["downloads_left"]) == ("Photos of Sunday", 2)

    def kept(connection: Connection) -> str:
        row = select(timelinks.c.password_hash).where(timelinks.c.uuid == link["id"])
        return str(connection.execute(row).scalar_one())

    assert (await service.runtime.parts.database.read(kept)).startswith("$argon2id$")


async def test_the_page_shows_the_note(service: Service, user: Headers) -> None:
    file = await send(service, user, note="From <Ada>\n& Bob")
    page = await service.client.get(file["link"], headers=PAGE)
    assert "From &lt;Ada&gt;\n&amp; Bob" in page.text


async def test_who_knows_the_password_reads_the_note_before_a_download(
    service: Service, user: Headers
) -> None:
    file = await send(
        service, user, max_downloads="1", password="blue whale", note="Photos of Sunday"
    )
    url = file["link"]

    async def visit(cookies: Headers, **form: str) -> httpx.Response:
        headers = PAGE | cookies
        if form:
            return await service.client.post(url, data=form, headers=headers)
        return await service.client.get(url, headers=headers)

    asked = await visit({})
    assert "a.txt" not in asked.text + (await visit({}, password="blue shark")).text
    opened = await visit({}, password="blue whale")
    assert opened.status_code == 303
    cookie = {"Cookie": opened.headers["set-cookie"].partition(";")[0]}
    service.client.cookies.clear()
    page = await visit(cookie)
    assert "Photos of Sunday" in page.text
    assert "a.txt" in page.text
    found = re.search('name="lease" value="([^"]+)"', page.text)
    assert found is not None
    lease = found[1]
    assert (await visit({}, lease=lease)).status_code == 200  # asks for the password
    claimed = await visit(cookie, lease=lease)
    assert (await service.client.get(claimed.headers["location"])).content == DATA
    assert await names(service, user) == []


async def test_a_new_password_closes_what_the_old_one_opened(
    service: Service, user: Headers
) -> None:
    file = await send(service, user, password="blue whale", note="Photos of Sunday")
    opened = await service.client.post(file["link"], data={"password": "blue whale"}, headers=PAGE)
    cookie = {"Cookie": opened.headers["set-cookie"].partition(";")[0]}
    service.client.cookies.clear()
    assert "Sunday" in (await service.client.get(file["link"], headers=PAGE | cookie)).text
    await change(service, user, file, password="grey seal")
    assert "Sunday" not in (await service.client.get(file["link"], headers=PAGE | cookie)).text


async def test_a_download_that_breaks_off_leaves_the_file(service: Service, user: Headers) -> None:
    data = LARGE * 20
    file = await send(service, user, data, max_downloads="1")
    lease = await claim(service, file)

    async def leaving() -> AsyncIterator[raw.Message]:
        await broken.wait()
        yield raw.DISCONNECT

    async def on_send(answer: raw.Answer) -> None:
        if answer.body:
            broken.set()
            await asyncio.sleep(0)

    broken = asyncio.Event()
    path, _, query = lease.partition("?")
    got = await raw.request(
        service, "GET", path, {"host": "test"}, leaving(), on_send=on_send, query=query.encode()
    )
    assert got.status == 200
    assert len(got.body) < len(data)
    assert await names(service, user) == ["a.txt"]
    rest = await service.client.get(lease, headers={"Range": f"bytes={len(got.body)}-"})
    assert got.body + rest.content == data
    assert await names(service, user) == []


async def test_empty_fields_of_a_form_are_none(service: Service, user: Headers) -> None:
    file = await send(service, user, max_downloads="", password="", note="")
    shown = (file["max_downloads"], file["downloads"], file["has_password"], file["note"])
    assert shown == (None, None, False, None)
    assert (await service.client.get(file["link"])).content == DATA


@pytest.mark.parametrize(
    "wrong",
    [{"max_downloads": "0"}, {"max_downloads": "x"}, {"max_downloads": str(10**10)},
     {"password": "x" * 129}, {"note": "x" * 2001}, {"note": "a\x07"}],
)  # fmt: skip
async def test_bad_options_store_nothing(service: Service, user: Headers, wrong: Json) -> None:
    assert_refused(await post(service, user, **wrong), *wrong)
    assert await names(service, user) == []


async def test_a_kept_file_with_options_has_a_link_without_an_end(
    service: Service, user: Headers
) -> None:
    file = await send(service, user, expires_in="0", max_downloads="1")
    assert file["expires_at"] is None
    assert await take(service, file) == DATA
    assert await names(service, user) == []


@pytest.mark.ordinary
@pytest.mark.parametrize("data", [b"", DATA, LARGE], ids=["empty", "small", "large"])
async def test_a_file_goes_with_its_last_download(
    service: Service, user: Headers, data: bytes
) -> None:
    file = await send(service, user, data, max_downloads="2")
    key = await key_of(service, file) if data == LARGE else None
    assert await take(service, file) == data
    listed = await service.client.get(f"/v1/files/{file['id']}", headers=user)
    assert (listed.json()["downloads"], listed.json()["link"]) == (1, file["link"])

    assert await take(service, file) == data

    assert await names(service, user) == []
    assert await usage(service, user) == (0, 0)
    assert (await service.client.get(file["link"])).status_code == 404
    while await service.runtime.parts.sweep.run_once(clock.now()):
        pass
    if key is not None:
        with pytest.raises(ObjectNotFound):
            await service.runtime.parts.store.stat(key)


async def test_a_file_waits_for_the_rest_of_its_last_download(
    service: Service, user: Headers
) -> None:
    file = await send(service, user, LARGE, max_downloads="1")
    lease = await claim(service, file)

    async def part(span: str) -> bytes:
        got = await service.client.get(lease, headers={"Range": f"bytes={span}"})
        assert got.status_code == 206
        return got.content

    last = await part("75000-")
    assert await names(service, user) == ["a.txt"]
    second = await part("25000-74999")
    assert await names(service, user) == ["a.txt"]
    assert (await service.client.head(lease)).status_code == 200
    assert await part("0-24999") + second + last == LARGE
    assert await names(service, user) == []


async def silent() -> AsyncIterator[raw.Message]:
    yield raw.part(b"", more=False)


@pytest.mark.ordinary
async def test_a_long_download_is_noted_while_it_runs(
    service: Service, user: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "NOTED_EVERY", -1.0)
    data = LARGE * 20
    file = await send(service, user, data, max_downloads="1")
    path, _, query = (await claim(service, file)).partition("?")
    noted: list[bool] = []

    def read(connection: Connection) -> bool:
        of_file = select(timelinks.c.id).where(timelinks.c.token_hash == hash_of(token))
        spans = select(timelink_leases.c.spans).where(timelink_leases.c.timelink_id.in_(of_file))
        return connection.execute(spans).scalar_one() is not None

    async def on_send(answer: raw.Answer) -> None:
        if 0 < len(answer.body) < len(data):
            noted.append(await service.runtime.parts.database.read(read))

    token = file["link"].rpartition("/")[2]
    got = await raw.request(
        service, "GET", path, {"host": "test"}, silent(), on_send=on_send, query=query.encode()
    )
    assert got.body == data
    assert noted[-1]
    assert await names(service, user) == []


async def test_a_file_waits_for_all_of_its_downloads(service: Service, user: Headers) -> None:
    file = await send(service, user, LARGE, max_downloads="2")
    first, second = await claim(service, file), await claim(service, file)
    begun = await service.client.get(first, headers={"Range": "bytes=0-9"})
    assert (await service.client.get(second)).content == LARGE
    assert await names(service, user) == ["a.txt"]
    rest = await service.client.get(first, headers={"Range": "bytes=10-"})
    assert begun.content + rest.content == LARGE
    assert await names(service, user) == []


@pytest.mark.ordinary
async def test_a_claim_that_nobody_begins_ends_no_file(service: Service, user: Headers) -> None:
    file = await send(service, user, max_downloads="1")
    await claim(service, file)
    await let_patience_end(service, user)
    assert await names(service, user) == ["a.txt"]


@pytest.mark.ordinary
async def test_a_download_that_is_given_up_counts_as_ended_after_a_day(
    service: Service, user: Headers
) -> None:
    file = await send(service, user, LARGE, max_downloads="1", expires_in=str(10 * DAY))
    lease = await claim(service, file)
    await service.client.get(lease, headers={"Range": "bytes=0-9"})
    await expire(service)
    assert await names(service, user) == ["a.txt"]

    await let_patience_end(service, user)

    assert await names(service, user) == []
    assert await usage(service, user) == (0, 0)


async def test_a_download_whose_process_died_counts_as_ended_after_a_day(
    service: Service, user: Headers
) -> None:
    file = await send(service, user, max_downloads="1", expires_in=str(10 * DAY))
    token, links = file["link"].rpartition("/")[2], service.runtime.links
    link = await links.claim(token, lease := new_lease())
    await links.begin(link, lease)
    await expire(service)
    assert await names(service, user) == ["a.txt"]
    await let_patience_end(service, user)
    assert await names(service, user) == []


async def test_a_link_made_for_a_file_ends_it_not(service: Service, user: Headers) -> None:
    file = await send(service, user, expires_in="0")
    body = {"kind": "file", "id": file["id"], "time": 600, "max_downloads": 1}
    link = (await service.client.post("/v1/timelinks", json=body, headers=user)).json()
    assert await take(service, {"link": link["url"]}) == DATA
    assert await names(service, user) == ["a.txt"]


@pytest.mark.ordinary
async def test_as_many_as_may_get_the_file_at_once(service: Service, user: Headers) -> None:
    file = await send(service, user, LARGE, max_downloads="3")

    async def visit() -> bytes | None:
        claimed = await service.client.get(f"{file['link']}?download=1")
        if claimed.status_code != 303:
            return None
        got = await service.client.get(claimed.headers["location"])
        return got.content if got.status_code == 200 else None

    got = await asyncio.gather(*(visit() for _ in range(10)))
    assert sorted(got, key=lambda data: data is None) == [LARGE] * 3 + [None] * 7
    assert await names(service, user) == []


@pytest.mark.ordinary
async def test_options_are_changed_afterwards(service: Service, user: Headers) -> None:
    file = await send(service, user, expires_in=str(DAY))
    changed = await change(
        service, user, file, max_downloads=2, password="blue whale", note="For you"
    )
    assert changed.status_code == 200, changed.text
    assert changed.json() | {
        "max_downloads": 2, "downloads": 0, "has_password": True, "note": "For you"
    } == changed.json()  # fmt: skip
    assert changed.json()["link"] == file["link"]
    assert (await service.client.get(file["link"])).status_code == 401

    open_again = await change(service, user, file, password=None, note=None)
    assert open_again.json()["max_downloads"] == 2
    assert await take(service, file) == DATA
    assert_refused(await change(service, user, file, max_downloads=1), "max_downloads")
    assert (await change(service, user, file, max_downloads=None)).json()["downloads"] is None
    for _ in range(2):
        assert (await service.client.get(file["link"])).content == DATA
    assert len(await links(service, user)) == 1


async def test_what_was_used_up_may_be_opened_again(service: Service, user: Headers) -> None:
    file = await send(service, user, LARGE, max_downloads="1")
    lease = await claim(service, file)
    await service.client.get(lease, headers={"Range": "bytes=0-9"})
    assert (await service.client.get(file["link"])).status_code == 404
    changed = await change(service, user, file, max_downloads=2, expires_in=10 * DAY)
    assert (changed.json()["link"], changed.json()["downloads"]) == (file["link"], 1)
    await let_patience_end(service, user)
    assert await names(service, user) == ["a.txt"]


async def test_a_kept_file_gets_a_link_for_its_options(service: Service, user: Headers) -> None:
    file = await send(service, user, expires_in="0")
    assert file["link"] is None
    assert (await change(service, user, file, note=None)).json()["link"] is None
    changed = (await change(service, user, file, password="blue whale")).json()
    assert changed["has_password"] is True
    answer = await service.client.get(changed["link"], headers=basic("blue whale"))
    assert answer.content == DATA


async def test_a_revoked_link_is_not_opened_by_options(service: Service, user: Headers) -> None:
    file = await send(service, user)
    (link,) = await links(service, user)
    await service.client.delete(f"/v1/timelinks/{link['id']}", headers=user)
    changed = (await change(service, user, file, max_downloads=1)).json()
    assert changed["link"] not in {None, file["link"]}
    assert (await service.client.get(file["link"])).status_code == 404
    assert await take(service, changed) == DATA
    assert await names(service, user) == []


# Raw bodies and resumable uploads


def _bytes(headers: Headers) -> dict[bytes, bytes]:
    return {name.encode(): value.encode("latin-1") for name, value in headers.items()}


async def test_sending_takes_options_in_headers(service: Service, user: Headers) -> None:
    headers = user | {"Max-Downloads": "1", "Max-Days": "3", "Link-Password": "blue whale"}
    note = "Für dich".encode().decode("latin-1")  # as curl sends it
    sent = await service.client.put(
        "/v1/send/a.txt", content=DATA, headers=_bytes(headers | {"Link-Note": note})
    )
    assert sent.status_code == 201, sent.text
    assert "x-clamped" not in sent.headers
    url = sent.headers["x-url-delete"]
    file = (await service.client.get(url, headers=user)).json()
    assert url == f"http://test/v1/files/{file['id']}"
    assert (file["max_downloads"], file["has_password"], file["note"]) == (1, True, "Für dich")
    assert lives(file) == 3 * DAY
    assert sent.text == f"{file['link']}\n"
    assert (await service.client.delete(url, headers=user)).status_code == 204
    assert (await service.client.get(file["link"])).status_code == 404


async def test_sending_takes_options_in_the_query(service: Service, user: Headers) -> None:
    sent = await service.client.put(
        "/v1/send/a.txt?max_downloads=2&max_days=1&note=Hello",
        content=DATA,
        headers=user | {"Max-Days": "3", "Accept": "application/json"},
    )
    file = sent.json()
    assert (file["max_downloads"], file["note"], lives(file)) == (2, "Hello", DAY)
    assert sent.headers["x-url-delete"].endswith(file["id"])


@pytest.mark.parametrize("path", ["/v1/send/a.txt", "/v1/files?name=a.txt"])
async def test_a_password_has_no_place_in_a_url(service: Service, user: Headers, path: str) -> None:
    method = "POST" if "files" in path else "PUT"
    joined = f"{path}{'&' if '?' in path else '?'}password=whale"
    answer = await service.client.request(method, joined, content=DATA, headers=user)
    assert_refused(answer, "password")
    assert await names(service, user) == []


async def test_a_raw_file_takes_options(service: Service, user: Headers) -> None:
    headers = user | {"Content-Type": "text/plain", "Link-Password": "blue whale"}
    url = "/v1/files?name=a.txt&max_downloads=2&note=Hello"
    file = (await service.client.post(url, content=DATA, headers=headers)).json()
    assert (file["max_downloads"], file["has_password"], file["note"]) == (2, True, "Hello")


async def uploaded(service: Service) -> str:
    """Return all that the rows of uploads hold."""

    def read(connection: Connection) -> str:
        return str(connection.execute(select(uploads)).all())

    return await service.runtime.parts.database.read(read)


async def test_tus_takes_options_and_keeps_no_password(service: Service, user: Headers) -> None:
    asked = {"name": "a.txt", "password": "blue whale", "max_downloads": "2", "note": "Hello"}
    made = await tus_client.create(service, user, len(DATA), **asked)
    assert made.status_code == 201, made.text
    url = made.headers["location"]
    told = (await tus_client.head(service, user, url)).headers["upload-metadata"]
    rest = {name: value for name, value in asked.items() if name != "password"}
    assert told == tus_client.metadata(**rest)["Upload-Metadata"]
    kept = await uploaded(service)
    assert "blue whale" not in kept
    assert base64.b64encode(b"blue whale").decode() not in kept
    done = await tus_client.append(service, user, url, 0, DATA)
    at = done.headers["content-location"]
    file = (await service.client.get(at, headers=user)).json()
    assert (file["max_downloads"], file["has_password"], file["note"]) == (2, True, "Hello")
    assert (await service.client.get(file["link"], headers=basic("blue whale"))).is_success


@pytest.mark.ordinary
async def test_an_upload_without_options_has_none_that_an_older_release_does_not_know(
    service: Service, user: Headers
) -> None:
    made = await tus_client.create(service, user, len(DATA), name="a.txt", expires_in="0")
    assert made.status_code == 201

    def read(connection: Connection) -> Any:  # noqa: ANN401 - JSON
        uuid = made.headers["location"].rpartition("/")[2]
        row = select(uploads.c.fields).where(uploads.c.uuid == uuid)
        return json.loads(connection.execute(row).scalar_one())

    kept = await service.runtime.parts.database.read(read)
    assert kept.keys() <= {"name", "content_type", "expires_in", "evict"}
    assert kept["expires_in"] == 0


async def test_the_draft_takes_options_and_keeps_no_password(
    service: Service, user: Headers
) -> None:
    options = {"Link-Password": "blue whale", "Max-Downloads": "2"}
    begun = await service.client.put(
        "/v1/send/a.txt",
        content=DATA[:2],
        headers=user | options | draft_client.speaking(complete="?0"),
    )
    assert begun.status_code == 201, begun.text
    assert "blue whale" not in await uploaded(service)
    done = await draft_client.patch(
        service, user, begun.headers["location"], 2, DATA[2:], complete="?1"
    )
    assert done.status_code == 201, done.text
    file = (await service.client.get(done.headers["x-url-delete"], headers=user)).json()
    assert (file["max_downloads"], file["has_password"]) == (2, True)
    assert done.text == f"{file['link']}\n"


# Tiers


@pytest.mark.ordinary
async def test_a_tier_says_what_is_usual(service: Service, user: Headers) -> None:
    await bound(service, user, default_lifetime=3 * DAY, default_downloads=5)
    file = await send(service, user)
    assert (lives(file), file["max_downloads"]) == (3 * DAY, 5)
    more = await send(service, user, expires_in=str(9 * DAY), max_downloads="9")
    assert (lives(more), more["max_downloads"]) == (9 * DAY, 9)
    kept = await send(service, user, expires_in="0")
    assert kept["link"] is None


async def test_a_tier_bounds_what_links_allow(service: Service, user: Headers) -> None:
    kept = await send(service, user, expires_in="0")
    await bound(service, user, max_lifetime=DAY, max_downloads=5, default_downloads=9)
    refused: list[tuple[str, Json]] = [
        ("expires_in", {"expires_in": str(DAY + 1)}),
        ("expires_in", {"expires_in": "0", "note": "Hello"}),
        ("max_downloads", {"max_downloads": "6"}),
    ]
    for field, wrong in refused:
        assert_refused(await post(service, user, **wrong), field)
        made = await tus_client.create(service, user, len(DATA), **wrong)
        assert_refused(made, field)
    file = await send(service, user)
    assert (lives(file) <= DAY, file["max_downloads"]) == (True, 5)
    assert_refused(await change(service, user, file, max_downloads=6), "max_downloads")
    assert_refused(await change(service, user, file, max_downloads=None), "max_downloads")
    assert_refused(await change(service, user, file, expires_in=DAY + 1), "expires_in")
    assert_refused(await change(service, user, file, expires_in=0), "expires_in")
    assert_refused(await change(service, user, kept, note="Hello"), "expires_in")
    assert (await change(service, user, file, expires_in=DAY)).json()["max_downloads"] == 5
    assert (await change(service, user, kept, name="b.txt")).is_success

    link = {"kind": "file", "id": kept["id"], "time": DAY + 1}
    made = await service.client.post("/v1/timelinks", json=link, headers=user)
    assert_refused(made, "time")
    link |= {"time": DAY, "max_downloads": 6}
    made = await service.client.post("/v1/timelinks", json=link, headers=user)
    assert_refused(made, "max_downloads")
    del link["max_downloads"]
    made = await service.client.post("/v1/timelinks", json=link, headers=user)
    assert made.json()["max_downloads"] == 5


async def test_a_sent_file_is_lowered_to_what_the_tier_allows(
    service: Service, user: Headers
) -> None:
    await bound(service, user, max_lifetime=2 * DAY, max_downloads=5)

    async def put(**options: str) -> tuple[Json, str | None]:
        headers = {name.replace("_", "-"): value for name, value in options.items()}
        sent = await service.client.put("/v1/send/a.txt", content=DATA, headers=user | headers)
        assert sent.status_code == 201, sent.text
        file = await service.client.get(sent.headers["x-url-delete"], headers=user)
        return file.json(), sent.headers.get("x-clamped")

    file, clamped = await put(Max_Days="30", Max_Downloads="50")
    assert (lives(file), file["max_downloads"]) == (2 * DAY, 5)
    assert clamped == "max-days, max-downloads"
    file, clamped = await put(Max_Days="1", Max_Downloads="50")
    assert (lives(file), clamped) == (DAY, "max-downloads")
    file, clamped = await put(Max_Days="2")
    assert (file["max_downloads"], clamped) == (5, None)
