"""Files over HTTP: stored, sent, kept or expiring, evicted, changed, deleted."""

import asyncio
import hashlib
import zipfile
from collections.abc import AsyncIterator
from io import BytesIO
from typing import Any

import httpx
import pytest
import segno
from sqlalchemy import Connection, func, select, update

from app import clock
from app.accounts.tables import accounts, tiers
from app.files.tables import files
from app.links.tables import timelinks
from app.objects.tables import objects, tombstones
from storage.errors import ObjectNotFound
from tests.api import raw
from tests.api.conftest import Service
from tests.api.problems import assert_problem
from tests.api.shared import shared_fixtures, store_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

EXPIRE_TIME = 7000
MAX_FILES = 3
LARGE = 100_000  # bytes that do not fit into a row
PAGE = {"Accept": "text/html"}

Headers = dict[str, str]


settings, service = shared_fixtures(expire_time=EXPIRE_TIME, max_files=MAX_FILES)


@pytest.fixture
async def user(service: Service) -> AsyncIterator[Headers]:
    """Headers of a new account, whose charges are checked after the test."""
    account, headers = await service.sign_up()
    yield headers
    store_of(service).heal()
    charged, kept = await service.runtime.parts.database.read(_charges, account["id"])
    assert charged == kept


def _charges(connection: Connection, uuid: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return what an account is charged for, and what its files take: bytes and objects."""
    account = connection.execute(select(accounts).where(accounts.c.uuid == uuid)).one()
    of_files = (
        select(func.coalesce(func.sum(objects.c.size), 0), func.count())
        .select_from(files.join(objects))
        .where(files.c.account_id == account.id, objects.c.state == "ready")
    )
    size, number = connection.execute(of_files).one()
    return (account.used_bytes, account.used_objects), (int(size), number)


async def upload(
    service: Service, user: Headers, name: str = "a.txt", data: bytes = b"hello", **fields: object
) -> dict[str, Any]:
    answer = await post(service, user, name, data, **fields)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def post(
    service: Service, user: Headers, name: str = "a.txt", data: bytes = b"hello", **fields: object
) -> httpx.Response:
    form = {name: str(value) for name, value in fields.items()}
    return await service.client.post(
        "/v1/files", files={"file": (name, data)}, data=form, headers=user
    )


async def names(service: Service, user: Headers) -> list[str]:
    listed = await service.client.get("/v1/files", headers=user)
    return [item["name"] for item in listed.json()["items"]]


async def pass_time(service: Service, seconds: int, user: Headers) -> None:
    """Let everything of an account be so much older."""
    account = (await service.client.get("/v1/accounts/me", headers=user)).json()["id"]

    def shift(connection: Connection) -> None:
        own = select(accounts.c.id).where(accounts.c.uuid == account).scalar_subquery()
        for table in (files, timelinks):
            earlier = {
                name: table.c[name] - seconds * clock.SECOND
                for name in ("created_at", "expires_at")
            }
            connection.execute(update(table).where(table.c.account_id == own).values(earlier))

    await service.runtime.parts.database.write(shift)


async def keys_of(service: Service, *ids: str) -> list[str | None]:
    def read(connection: Connection) -> list[str | None]:
        rows = select(objects.c.key).select_from(files.join(objects)).where(files.c.uuid.in_(ids))
        return list(connection.execute(rows).scalars())

    return await service.runtime.parts.database.read(read)


async def is_stored(service: Service, key: str) -> bool:
    try:
        await service.runtime.parts.store.stat(key)
    except ObjectNotFound:
        return False
    return True


def form_of(*fields: tuple[str, str | None, bytes]) -> tuple[bytes, Headers]:
    """Make a form of fields, name, file name and value each, in this order."""
    body = b""
    for name, filename, value in fields:
        disposition = f'form-data; name="{name}"'
        if filename is not None:
            disposition += f'; filename="{filename}"'
        body += f"--x\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + value + b"\r\n"
    return body + b"--x--\r\n", {"Content-Type": "multipart/form-data; boundary=x"}


@pytest.mark.parametrize("size", [0, 5, LARGE])
@pytest.mark.parametrize("is_file_first", [True, False])
async def test_a_form_stores_a_file_in_any_order(
    service: Service, user: Headers, size: int, is_file_first: bool
) -> None:
    data = bytes(i % 251 for i in range(size))
    fields = [("file", "photo.jpg", data), ("expires_in", None, b"600")]
    body, kind = form_of(*(fields if is_file_first else reversed(fields)))
    before = clock.now()

    answer = await service.client.post("/v1/files", content=body, headers=user | kind)

    assert answer.status_code == 201, answer.text
    file = answer.json()
    assert file.keys() == {
        "id", "name", "content_type", "size", "sha256", "created_at", "expires_at", "link",
        "max_downloads", "downloads", "has_password", "note", "inbox_id", "inbox_title",
    }  # fmt: skip
    assert (file["name"], file["content_type"], file["size"]) == ("photo.jpg", "image/jpeg", size)
    assert file["sha256"] == hashlib.sha256(data).hexdigest()
    lives = httpx_time(file["expires_at"]) - httpx_time(file["created_at"])
    assert lives == 600 * clock.SECOND
    assert before <= httpx_time(file["created_at"]) <= clock.now()
    got = await service.client.get(f"/v1/files/{file['id']}", headers=user)
    assert got.json() == file
    content = await service.client.get(f"/v1/files/{file['id']}/content", headers=user)
    assert content.content == data
    assert (await service.client.get(file["link"])).content == data


def httpx_time(text: str) -> int:
    from datetime import datetime

    assert text.endswith("Z")
    return clock.from_datetime(datetime.fromisoformat(text))


async def test_a_file_lives_for_the_default_time_or_is_kept(
    service: Service, user: Headers
) -> None:
    file = await upload(service, user)
    lives = httpx_time(file["expires_at"]) - httpx_time(file["created_at"])
    assert lives == EXPIRE_TIME * clock.SECOND
    kept = await upload(service, user, expires_in=0)
    assert (kept["expires_at"], kept["link"]) == (None, None)


async def test_a_kept_file_has_the_link_that_is_made_for_it(
    service: Service, user: Headers
) -> None:
    kept = await upload(service, user, expires_in=0)
    wanted = {"kind": "file", "id": kept["id"], "time": 300}
    link = (await service.client.post("/v1/timelinks", json=wanted, headers=user)).json()
    url = f"/v1/files/{kept['id']}"
    assert (await service.client.get(url, headers=user)).json()["link"] == link["url"]
    await service.client.delete(f"/v1/timelinks/{link['id']}", headers=user)
    assert (await service.client.get(url, headers=user)).json()["link"] is None


@pytest.mark.parametrize("size", [5, LARGE])
async def test_sending_answers_the_link_in_one_line(
    service: Service, user: Headers, size: int
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield bytes(size)

    for content in (bytes(size), chunks()):
        sent = await service.client.put("/v1/send/photo.jpg", content=content, headers=user)
        assert sent.status_code == 201, sent.text
        assert sent.headers["content-type"].partition(";")[0] == "text/plain"
        link, end = sent.text[:-1], sent.text[-1]
        assert end == "\n"
        got = await service.client.get(link)
        assert (got.content, got.headers["content-type"]) == (bytes(size), "image/jpeg")
        assert 'filename="photo.jpg"' in got.headers["content-disposition"]


async def test_sending_answers_json_to_who_asks_for_it(service: Service, user: Headers) -> None:
    sent = await service.client.put(
        "/v1/send/a.txt?expires_in=600",
        content=b"hello",
        headers=user | {"Accept": "application/json"},
    )
    file = sent.json()
    assert (sent.status_code, file["name"], file["size"]) == (201, "a.txt", 5)
    assert httpx_time(file["expires_at"]) - httpx_time(file["created_at"]) == 600 * clock.SECOND
    got = await service.client.get(f"/v1/files/{file['id']}", headers=user)
    assert got.json() == file


async def test_sending_what_is_kept_answers_where_its_content_is(
    service: Service, user: Headers
) -> None:
    sent = await service.client.put("/v1/send/a?expires_in=0", content=b"hello", headers=user)
    got = await service.client.get(sent.text.strip(), headers=user)
    assert got.content == b"hello"
    assert (await service.client.get(sent.text.strip())).status_code == 401


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("", "upload"),
        ("a", "a"),
        ("a%20b", "a b"),
        ("%C3%A9%F0%9F%98%80.txt", "é😀.txt"),
        ("folder/a.txt", "a.txt"),
        ("folder%2Fa.txt", "a.txt"),
        ("C:%5Cfolder%5Ca.txt", "a.txt"),
        ("a%253F", "a%3F"),
        ("-", "-"),
        ("x" * 255, "x" * 255),
        ("%F0%9F%98%80" * 255, "😀" * 255),
        ("folder/" * 50 + "a", "a"),
    ],
)
async def test_what_a_sent_file_is_called(
    service: Service, user: Headers, path: str, name: str
) -> None:
    sent = await service.client.put(
        f"/v1/send/{path}", content=b"x", headers=user | {"Accept": "application/json"}
    )
    assert (sent.status_code, sent.json().get("name")) == (201, name)


@pytest.mark.parametrize("path", ["a/", ".", "..", "a%00b", "a%09b", "x" * 256, "%2E%2E"])
async def test_names_that_no_file_may_have(service: Service, user: Headers, path: str) -> None:
    answer = await raw.request(
        service,
        "PUT",
        f"/v1/send/{path}",
        user | {"content-length": "1"},
        [raw.part(b"x", more=False)],
    )
    assert answer.status == 422, answer
    assert await names(service, user) == []


@pytest.mark.parametrize(
    ("name", "kept_as"),
    [
        ("a\u202eb.exe", "ab.exe"),
        ("e\u0301.txt", "e\u0301.txt"),
        ("../../etc/passwd", "passwd"),
        ("..\\a", "a"),
        ("'; --", "'; --"),
        ("<b>", "<b>"),
        ("data:text/html,x.png", "html,x.png"),
        ("日本語", "日本語"),
    ],
)
async def test_names_of_forms(service: Service, user: Headers, name: str, kept_as: str) -> None:
    file = await upload(service, user, name)
    assert file["name"] == kept_as
    got = await service.client.get(f"/v1/files/{file['id']}/content", headers=user)
    assert got.content == b"hello"


@pytest.mark.parametrize(
    ("name", "sent", "kind"),
    [
        ("a.png", None, "image/png"),
        ("a.png", "application/octet-stream", "image/png"),
        ("a.png", "text/plain", "text/plain"),
        ("a.tar.gz", None, "application/gzip"),
        ("a.webp", None, "image/webp"),
        ("a", None, "application/octet-stream"),
        ("a.png", "no type", "image/png"),
    ],
)
async def test_the_type_is_what_was_sent_or_the_name_suggests(
    service: Service, user: Headers, name: str, sent: str | None, kind: str
) -> None:
    headers = user | {"Accept": "application/json"} | ({"Content-Type": sent} if sent else {})
    answer = await service.client.put(f"/v1/send/{name}", content=b"x", headers=headers)
    assert answer.json()["content_type"] == kind


async def test_a_raw_body_is_a_file_too(service: Service, user: Headers) -> None:
    disposition = {"Content-Disposition": "inline; filename*=UTF-8''caf%C3%A9.json"}
    for query, headers, name, kind in (
        (
            "?expires_in=600",
            {"Content-Type": "application/json"} | disposition,
            "café.json",
            "json",
        ),
        ("?name=b.json", {"Content-Type": "application/json"} | disposition, "b.json", "json"),
        ("", {}, "upload", "octet-stream"),
    ):
        answer = await service.client.post(
            f"/v1/files{query}", content=b"{}", headers=user | headers
        )
        stored = answer.json()
        assert answer.status_code == 201, answer.text
        assert answer.headers["location"] == f"/v1/files/{stored['id']}"
        assert (stored["name"], stored["content_type"]) == (name, f"application/{kind}")
        found = await service.client.get(f"/v1/files/{stored['id']}/content", headers=user)
        assert found.content == b"{}"
    for query in ("name=..", "expires_in=soon", "evict=nonsense"):
        answer = await service.client.post(f"/v1/files?{query}", content=b"{}", headers=user)
        assert_problem(answer, 422)
        assert answer.json()["errors"][0]["loc"][:2] == ["query", query.partition("=")[0]]
    empty = await service.client.post("/v1/files", headers=user | {"Content-Type": "text/plain"})
    assert (empty.status_code, empty.json()["size"]) == (201, 0)
    assert_problem(await service.client.post("/v1/files", headers=user), 422)
    assert_problem(await service.client.post("/v1/files?name=..", content=b"{}"), 401)
    assert_problem(await service.client.post("/v1/pictures", content=b"x", headers=user), 422)
    sent = await service.client.post("/v1/dumps?label=acme", content=b"x", headers=user)
    assert (sent.json()["original_name"], sent.json()["label"]) == ("dump", "acme")
    await service.client.delete(sent.headers["location"], headers=user)


BAD_FORMS = {
    "nothing": (b"", {"Content-Type": "multipart/form-data; boundary=x"}),
    "of another kind": (b"{}", {"Content-Type": "multipart/mixed; boundary=a"}),
    "no boundary": (b"--x--", {"Content-Type": "multipart/form-data"}),
    "no file": form_of(("expires_in", None, b"60")),
    "two files": form_of(("file", "a", b"x"), ("file", "b", b"y")),
    "two large files": form_of(("file", "a", bytes(LARGE)), ("file", "b", bytes(LARGE))),
    "no name": form_of(("file", "", b"x")),
    "a bad name": form_of(("file", "..", bytes(LARGE))),
    "time below 0": form_of(("file", "a", bytes(LARGE)), ("expires_in", None, b"-1")),
    "time without end": form_of(("expires_in", None, b"9" * 30), ("file", "a", bytes(LARGE))),
    "time not a number": form_of(("file", "a", bytes(LARGE)), ("expires_in", None, b"soon")),
    "time not UTF-8": form_of(("file", "a", bytes(LARGE)), ("expires_in", None, b"\xff")),
    "cut": (
        form_of(("file", "a", bytes(LARGE)))[0][:-9],
        {"Content-Type": "multipart/form-data; boundary=x"},
    ),
}


@pytest.mark.parametrize("case", BAD_FORMS)
async def test_bad_forms_store_nothing(service: Service, user: Headers, case: str) -> None:
    body, kind = BAD_FORMS[case]
    answer = await service.client.post("/v1/files", content=body, headers=user | kind)
    assert_problem(answer, 422)
    assert await names(service, user) == []


async def test_a_form_with_too_many_parts_is_refused(service: Service, user: Headers) -> None:
    body, kind = form_of(("file", "a", b"x"), *[("other", None, b"y")] * 100)
    answer = await service.client.post("/v1/files", content=body, headers=user | kind)
    assert_problem(answer, 413)
    assert await names(service, user) == []


@pytest.mark.parametrize("size", [5, LARGE])
async def test_digests_are_checked(service: Service, user: Headers, size: int) -> None:
    body, kind = form_of(("file", "a", bytes(size)))
    wrong = {"Content-Digest": "sha-256=:n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=:"}
    for answer in (
        await service.client.post("/v1/files", content=body, headers=user | kind | wrong),
        await service.client.put("/v1/send/a", content=bytes(size), headers=user | wrong),
    ):
        assert_problem(answer, 400, "digest-mismatch")
    assert await names(service, user) == []


async def test_a_client_that_leaves_stores_nothing(service: Service, user: Headers) -> None:
    body, kind = form_of(("file", "a", bytes(LARGE)))
    for path, headers in (("/v1/files", kind), ("/v1/send/a", {})):
        method = "POST" if headers else "PUT"
        messages = [raw.part(body[: LARGE // 2]), raw.DISCONNECT]
        answer = await raw.request(service, method, path, user | headers, messages)
        assert answer.status is None
    assert await names(service, user) == []


async def test_a_store_that_fails_stores_nothing(service: Service, user: Headers) -> None:
    store_of(service).fail("put")
    answer = await post(service, user, data=bytes(LARGE))
    assert_problem(answer, 503)
    store_of(service).heal()
    assert await names(service, user) == []


@pytest.mark.ordinary
async def test_one_more_evicts_what_expires_first(service: Service, user: Headers) -> None:
    kept = await upload(service, user, "kept", expires_in=0)
    late = await upload(service, user, "late", expires_in=900)
    first = await upload(service, user, "first", bytes(LARGE), expires_in=300)
    await upload(service, user, "second", expires_in=600)
    (key,) = await keys_of(service, first["id"])
    assert key is not None

    newest = await upload(service, user, "newest", expires_in=100)

    assert await names(service, user) == ["newest", "second", "late", "kept"]
    assert (await service.client.get(first["link"])).status_code == 404
    assert_problem(await service.client.get(f"/v1/files/{first['id']}", headers=user), 404)
    for file in (late, newest):
        assert (await service.client.get(file["link"])).status_code == 200
    assert (await service.client.get(f"/v1/files/{kept['id']}", headers=user)).json() == kept
    while await service.runtime.parts.sweep.run_once(clock.now()):
        pass
    assert not await is_stored(service, key)
    await upload(service, user, "one more", expires_in=5000)
    assert await names(service, user) == ["one more", "second", "late", "kept"]


@pytest.mark.ordinary
async def test_at_equal_times_the_oldest_is_evicted(service: Service, user: Headers) -> None:
    for name in ("a", "b", "c"):
        await upload(service, user, name)

    def even_out(connection: Connection) -> None:
        connection.execute(
            update(files)
            .where(files.c.name.in_(["a", "b", "c"]), files.c.expires_at.is_not(None))
            .values(expires_at=clock.now() + 900 * clock.SECOND)
        )

    await service.runtime.parts.database.write(even_out)
    for name, left in (("d", ["d", "c", "b"]), ("e", ["e", "d", "c"]), ("f", ["f", "e", "d"])):
        await upload(service, user, name)
        assert await names(service, user) == left


@pytest.mark.parametrize("size", [5, LARGE])
async def test_nothing_is_evicted_against_the_senders_will(
    service: Service, user: Headers, size: int
) -> None:
    for name in ("a", "b", "c"):
        await upload(service, user, name, evict="none")
    refused = await post(service, user, "d", bytes(size), evict="none")
    assert_problem(refused, 409, "too-many-files")
    body, kind = form_of(("file", "d", bytes(size)), ("evict", None, b"none"))
    refused = await service.client.post("/v1/files", content=body, headers=user | kind)
    assert_problem(refused, 409, "too-many-files")
    assert await names(service, user) == ["c", "b", "a"]
    await upload(service, user, "kept", bytes(size), expires_in=0, evict="none")
    assert await names(service, user) == ["kept", "c", "b", "a"]
    for nonsense in ("", "all", "1"):
        assert_problem(await post(service, user, "d", evict=nonsense), 422)


async def test_a_full_account_is_told_so_before_the_file_is_read(
    service: Service, user: Headers
) -> None:
    for name in ("a", "b", "c"):
        await upload(service, user, name)
    body, kind = form_of(("evict", None, b"none"), ("file", "d", bytes(LARGE)))
    headers = user | kind | {"content-length": str(10**9)}
    begun = raw.part(body[:-200])  # more than is kept in a row, and not all that is announced
    answer = await raw.request(service, "POST", "/v1/files", headers, [begun])
    assert (answer.status, answer.receives) == (409, 1)


async def test_the_file_that_may_go_goes_when_the_other_is_here(
    service: Service, user: Headers
) -> None:
    made = [await upload(service, user, name, expires_in=900) for name in ("a", "b", "c")]
    store_of(service).fail("put")
    refused = await post(service, user, "d", bytes(LARGE), evict=made[1]["id"])
    assert_problem(refused, 503)
    assert await names(service, user) == ["c", "b", "a"]
    await upload(service, user, "d", expires_in=100, evict=made[1]["id"])
    assert await names(service, user) == ["d", "c", "a"]
    assert (await service.client.get(made[1]["link"])).status_code == 404
    # it is gone already, and nothing goes instead of it
    refused = await post(service, user, "e", evict=made[1]["id"])
    assert_problem(refused, 409, "too-many-files")
    await service.client.delete(f"/v1/files/{made[2]['id']}", headers=user)
    await upload(service, user, "e", evict=made[0]["id"])  # although there is room
    assert await names(service, user) == ["e", "d"]
    _, other = await service.sign_up()
    await upload(service, other, "x", evict=made[0]["id"])
    for _ in range(2):
        await upload(service, other, "x")
    theirs = (await service.client.get("/v1/files", headers=user)).json()["items"][0]["id"]
    assert_problem(await post(service, other, "y", evict=theirs), 409)
    assert await names(service, user) == ["e", "d"]


async def test_files_are_listed_by_whether_they_expire(service: Service, user: Headers) -> None:
    for name, seconds in (("a", 0), ("b", 900), ("c", 0), ("d", 600)):
        await upload(service, user, name, expires_in=seconds)
    for query, expected in (
        ("state=expiring", ["d", "b"]),
        ("state=kept", ["c", "a"]),
        ("limit=9", ["d", "c", "b", "a"]),
    ):
        listed = await service.client.get(f"/v1/files?{query}", headers=user)
        assert [item["name"] for item in listed.json()["items"]] == expected
    page = (await service.client.get("/v1/files?state=kept&limit=1", headers=user)).json()
    more = f"/v1/files?state=kept&limit=1&cursor={page['next_cursor']}"
    page = (await service.client.get(more, headers=user)).json()
    assert [item["name"] for item in page["items"]] == ["a"]
    assert_problem(await service.client.get("/v1/files?state=x", headers=user), 422)


async def test_an_upload_that_fails_evicts_nothing(service: Service, user: Headers) -> None:
    for name in ("a", "b", "c"):
        await upload(service, user, name)
    for case, (body, kind) in BAD_FORMS.items():
        answer = await service.client.post("/v1/files", content=body, headers=user | kind)
        assert answer.status_code == 422, case
    store_of(service).fail("put")
    assert (await post(service, user, "d", bytes(LARGE))).status_code == 503
    store_of(service).heal()
    await limit(service, user, max_total_bytes=100)
    for size in (200, LARGE):
        assert_problem(await post(service, user, "d", bytes(size)), 413, "quota-exceeded")
    assert await names(service, user) == ["c", "b", "a"]


async def limit(service: Service, user: Headers, **limits: int) -> None:
    """Give an account a tier of its own."""
    account = (await service.client.get("/v1/accounts/me", headers=user)).json()["id"]

    def change(connection: Connection) -> None:
        basic = connection.execute(select(tiers).where(tiers.c.name == "Basic")).one()._asdict()
        del basic["id"]
        own = basic | {"uuid": account, "name": account, "name_key": account} | limits
        connection.execute(tiers.insert().values(own))
        tier = select(tiers.c.id).where(tiers.c.uuid == account).scalar_subquery()
        connection.execute(update(accounts).where(accounts.c.uuid == account).values(tier_id=tier))

    await service.runtime.parts.database.write(change)


@pytest.mark.parametrize("size", [5, LARGE])
async def test_what_is_evicted_gives_its_slot(service: Service, user: Headers, size: int) -> None:
    await limit(service, user, max_objects=MAX_FILES)
    for name in ("a", "b", "c", "d"):
        await upload(service, user, name, bytes(size))
    assert await names(service, user) == ["d", "c", "b"]
    assert_problem(await post(service, user, "e", expires_in=0), 413, "quota-exceeded")
    assert await names(service, user) == ["d", "c", "b"]


@pytest.mark.ordinary
@pytest.mark.parametrize("size", [5, LARGE])
async def test_uploads_at_once_leave_as_many_as_may_be(
    service: Service, user: Headers, size: int
) -> None:
    made = await service.client.post(
        "/v1/accounts/me/keys", json={"name": "k", "scopes": ["files:write"]}, headers=user
    )
    key = {"Authorization": f"Bearer {made.json()['key']}"}  # writes apart from the session
    for n in range(MAX_FILES):
        await upload(service, user, f"{n}")
    for at_once in (2, 2, 2, 2, 12):
        uploads = [post(service, (user, key)[n % 2], "a", bytes(size)) for n in range(at_once)]
        answers = await asyncio.gather(*uploads)
        assert [answer.status_code for answer in answers] == [201] * at_once
        assert len(await names(service, user)) == MAX_FILES


async def test_an_expired_file_is_gone_at_once_and_soon_for_good(
    service: Service, user: Headers
) -> None:
    small = await upload(service, user, "small", expires_in=600)
    large = await upload(service, user, "large", bytes(LARGE), expires_in=600)
    kept = await upload(service, user, "kept", expires_in=0)
    (key,) = await keys_of(service, large["id"])
    assert key is not None
    await pass_time(service, 599, user)
    assert await names(service, user) == ["kept", "large", "small"]

    await pass_time(service, 1, user)

    assert await names(service, user) == ["kept"]
    for file in (small, large):
        url = f"/v1/files/{file['id']}"
        for method, path in (
            ("GET", url), ("PATCH", url), ("DELETE", url), ("GET", f"{url}/content"),
            ("HEAD", f"{url}/content"), ("GET", f"{url}/qr"),
        ):  # fmt: skip
            body = {"name": "b"} if method == "PATCH" else None
            answer = await service.client.request(method, path, json=body, headers=user)
            assert answer.status_code == 404, (method, path)
        assert (await service.client.get(file["link"])).status_code == 404
    now = clock.now()
    while await service.runtime.parts.expiry.run_once(now):
        pass
    while await service.runtime.parts.sweep.run_once(now):
        pass
    assert not await is_stored(service, key)
    assert await keys_of(service, small["id"], large["id"], kept["id"]) == [None]


async def test_expired_files_make_room(service: Service, user: Headers) -> None:
    for name in ("a", "b", "c"):
        await upload(service, user, name, expires_in=600)
    await pass_time(service, 600, user)
    await upload(service, user, "d", expires_in=300)
    await upload(service, user, "e")
    await upload(service, user, "f")
    assert await names(service, user) == ["f", "e", "d"]
    while await service.runtime.parts.expiry.run_once(clock.now()):
        pass


async def test_the_next_expiry_is_known(service: Service, user: Headers) -> None:
    await upload(service, user, expires_in=60)
    due = await service.runtime.parts.expiry.next_due(clock.now())
    assert due is not None
    assert due <= clock.now() + 60 * clock.SECOND
    service.runtime.parts.expiry.woken.clear()
    await upload(service, user, expires_in=3600)
    assert not service.runtime.parts.expiry.woken.is_set()
    await upload(service, user, expires_in=5)
    assert service.runtime.parts.expiry.woken.is_set()


async def change(service: Service, user: Headers, file: dict[str, Any], **changes: Any) -> Any:  # noqa: ANN401
    answer = await service.client.patch(f"/v1/files/{file['id']}", json=changes, headers=user)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_file_is_renamed(service: Service, user: Headers) -> None:
    file = await upload(service, user, "a.txt")
    changed = await change(service, user, file, name="folder/é.bin")
    assert changed == file | {"name": "é.bin"}
    got = await service.client.get(f"/v1/files/{file['id']}", headers=user)
    assert got.json() == changed
    public = await service.client.get(file["link"])
    assert "filename*=UTF-8''%C3%A9.bin" in public.headers["content-disposition"]
    assert await change(service, user, file) == changed


@pytest.mark.ordinary
async def test_the_link_lives_as_long_as_the_file(service: Service, user: Headers) -> None:
    file = await upload(service, user, expires_in=600)

    longer = await change(service, user, file, expires_in=900)
    assert longer["link"] == file["link"]
    await pass_time(service, 800, user)
    assert (await service.client.get(file["link"])).status_code == 200

    kept = await change(service, user, file, expires_in=0)
    assert (kept["expires_at"], kept["link"]) == (None, file["link"])
    await pass_time(service, 10**8, user)
    assert (await service.client.get(file["link"])).status_code == 200

    await change(service, user, file, expires_in=60)
    await pass_time(service, 60, user)
    assert (await service.client.get(file["link"])).status_code == 404
    while await service.runtime.parts.expiry.run_once(clock.now()):
        pass


async def test_a_kept_file_that_is_to_expire_gets_a_link(service: Service, user: Headers) -> None:
    file = await upload(service, user, expires_in=0)
    changed = await change(service, user, file, expires_in=60)
    assert (await service.client.get(changed["link"])).content == b"hello"
    listed = (await service.client.get("/v1/timelinks", headers=user)).json()["items"]
    assert [link["expires_at"] for link in listed] == [changed["expires_at"]]


async def test_a_revoked_link_stays_so(service: Service, user: Headers) -> None:
    file = await upload(service, user)
    (link,) = (await service.client.get("/v1/timelinks", headers=user)).json()["items"]
    await service.client.delete(f"/v1/timelinks/{link['id']}", headers=user)
    for expires_in in (900, 0, 60):
        changed = await change(service, user, file, expires_in=expires_in)
        assert changed["link"] is None
        assert (await service.client.get(file["link"])).status_code == 404
    (listed,) = (await service.client.get("/v1/timelinks", headers=user)).json()["items"]
    assert httpx_time(listed["expires_at"]) <= clock.now()


async def test_a_kept_file_that_is_to_expire_evicts_others_not_itself(
    service: Service, user: Headers
) -> None:
    kept = await upload(service, user, "kept", expires_in=0)
    for name in ("a", "b", "c"):
        await upload(service, user, name)
    await change(service, user, kept, expires_in=60)
    assert await names(service, user) == ["c", "b", "kept"]
    await change(service, user, kept, expires_in=30)
    assert await names(service, user) == ["c", "b", "kept"]


@pytest.mark.parametrize(
    "body",
    [{"name": ""}, {"name": "a/"}, {"name": ".."}, {"name": "a\0"}, {"name": "x" * 256},
     {"expires_in": -1}, {"expires_in": 10**12}, {"expires_in": 1.5}, [], None],
)  # fmt: skip
async def test_bad_changes_change_nothing(service: Service, user: Headers, body: Any) -> None:  # noqa: ANN401
    file = await upload(service, user)
    url = f"/v1/files/{file['id']}"
    assert_problem(await service.client.patch(url, json=body, headers=user), 422)
    assert (await service.client.get(url, headers=user)).json() == file


async def test_conditions_guard_changes(service: Service, user: Headers) -> None:
    file = await upload(service, user)
    url = f"/v1/files/{file['id']}"
    wrong, right = {"If-Match": '"0"'}, {"If-Match": f'"{file["sha256"]}"'}
    patch, delete = service.client.patch, service.client.delete
    assert_problem(await patch(url, json={"name": "b"}, headers=user | wrong), 412)
    assert_problem(await delete(url, headers=user | wrong), 412)
    assert (await patch(url, json={"name": "b"}, headers=user | right)).status_code == 200
    assert (await delete(url, headers=user | right)).status_code == 204


@pytest.mark.parametrize("size", [5, LARGE])
async def test_delete_takes_bytes_and_links_away(
    service: Service, user: Headers, size: int
) -> None:
    file = await upload(service, user, data=bytes(size))
    (key,) = await keys_of(service, file["id"])
    url = f"/v1/files/{file['id']}"
    assert (await service.client.delete(url, headers=user)).status_code == 204
    assert_problem(await service.client.delete(url, headers=user), 404)
    assert await names(service, user) == []
    assert (await service.client.get(file["link"])).status_code == 404
    while await service.runtime.parts.sweep.run_once(clock.now()):
        pass
    if key is not None:
        assert not await is_stored(service, key)
    (link,) = (await service.client.get("/v1/timelinks", headers=user)).json()["items"]
    assert (link["state"], link["target"], link["time_left"]) == ("expired", None, 0)
    assert httpx_time(link["expires_at"]) <= clock.now()


@pytest.mark.ordinary
async def test_names_are_searched_and_lists_sorted(service: Service, user: Headers) -> None:
    for name, size in (("b 5%.txt", 3), ("A.txt", 2), ("Äpfel.TXT", 4), ("c_1.bin", 1)):
        await upload(service, user, name, b"x" * size, expires_in=0)
    await upload(service, user, "soon.txt", b"x" * 9, expires_in=60)

    async def listed(**query: object) -> list[str]:
        found: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            asked = {name: str(value) for name, value in query.items()}
            answer = await service.client.get(
                "/v1/files", params=asked | {"limit": "2"} | cursor, headers=user
            )
            assert answer.status_code == 200, answer.text
            found += [item["name"] for item in answer.json()["items"]]
            if answer.json()["next_cursor"] is None:
                return found
            cursor = {"cursor": answer.json()["next_cursor"]}

    assert await listed(q=".txt") == ["soon.txt", "Äpfel.TXT", "A.txt", "b 5%.txt"]
    assert await listed(q="%") == ["b 5%.txt"]
    assert await listed(q="_") == ["c_1.bin"]
    assert await listed(q="äPF") == ["Äpfel.TXT"]
    assert await listed(q="nothing") == []
    by_size = ["soon.txt", "Äpfel.TXT", "b 5%.txt", "A.txt", "c_1.bin"]
    assert await listed(sort="size") == by_size
    assert await listed(sort="size", q="txt", state="kept") == by_size[1:4]
    assert (await listed(sort="ends"))[0] == "soon.txt"
    by_name = await listed(sort="name")
    assert [name for name in by_name if name.isascii()] == [
        "A.txt",
        "b 5%.txt",
        "c_1.bin",
        "soon.txt",
    ]
    assert sorted(by_name) == sorted(by_size)
    wrong = await service.client.get("/v1/files?sort=size&cursor=WzEsMl0", headers=user)
    assert_problem(wrong, 400)


@pytest.mark.ordinary
async def test_several_are_one_archive(service: Service, user: Headers) -> None:
    ids = [
        (await upload(service, user, name, data, expires_in=0))["id"]
        for name, data in (("a.txt", b"one"), ("a.txt", b"two"), ("large", b"x" * LARGE))
    ]
    url = "/v1/files/archive"
    answer = await service.client.get(url, params={"id": ids}, headers=user)
    assert answer.status_code == 200
    assert answer.headers["content-length"] == str(len(answer.content))
    with zipfile.ZipFile(BytesIO(answer.content)) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    assert found == {"a.txt": b"one", "a (2).txt": b"two", "large": b"x" * LARGE}
    ranged = {"Range": "bytes=10-19", "If-Range": answer.headers["etag"]}
    part = await service.client.get(url, params={"id": ids}, headers=user | ranged)
    assert (part.status_code, part.content) == (206, answer.content[10:20])
    _, other = await service.sign_up()
    assert_problem(await service.client.get(url, params={"id": ids}, headers=other), 404)
    assert_problem(await service.client.get(url, headers=user), 422)

    bundle = (await service.client.post("/v1/bundles", json={"name": "b"}, headers=user)).json()
    items = f"/v1/bundles/{bundle['id']}/items"
    assert (await service.client.post(items, files={"file": ("c", b"c")}, headers=user)).is_success
    pointer = {"kind": "file", "id": ids[1]}
    assert (await service.client.post(items, json=pointer, headers=user)).is_success
    both = {"id": ids[0], "bundle": bundle["id"]}
    answer = await service.client.get(url, params=both, headers=user)
    with zipfile.ZipFile(BytesIO(answer.content)) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    assert found == {"a.txt": b"one", "b/c": b"c", "b/a.txt": b"two"}
    assert_problem(await service.client.get(url, params=both, headers=other), 404)
    assert_problem(await service.client.get(url), 401)
    assert (await service.client.delete(f"/v1/bundles/{bundle['id']}", headers=user)).is_success


async def test_lists_go_from_the_newest_in_pages(service: Service, user: Headers) -> None:
    for n in range(7):
        await upload(service, user, str(n), expires_in=0)
    seen: list[str] = []
    cursor = ""
    for expected in (3, 3, 1):
        page = (await service.client.get(f"/v1/files?limit=3{cursor}", headers=user)).json()
        assert len(page["items"]) == expected
        seen += [item["name"] for item in page["items"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert page["next_cursor"] is None
    assert seen == list("6543210")
    assert_problem(await service.client.get("/v1/files?cursor=x", headers=user), 400)


async def test_downloads_have_ranges_and_head(service: Service, user: Headers) -> None:
    data = bytes(i % 251 for i in range(LARGE))
    file = await upload(service, user, "é.txt", data)
    url = f"/v1/files/{file['id']}/content"
    part = await service.client.get(url, headers=user | {"Range": "bytes=1000-1999"})
    assert (part.status_code, part.content) == (206, data[1000:2000])
    head = await service.client.head(url, headers=user)
    assert (head.status_code, head.headers["content-length"]) == (200, str(LARGE))
    assert head.headers["etag"] == f'"{file["sha256"]}"'
    assert head.headers["cache-control"] == "private, no-cache"
    shown = await service.client.get(f"{url}?inline=1", headers=user)
    assert shown.headers["content-disposition"].startswith("inline")


async def test_files_are_their_owners_alone(service: Service, user: Headers) -> None:
    file = await upload(service, user)
    _, other = await service.sign_up()
    url = f"/v1/files/{file['id']}"
    for method, path in (("GET", url), ("DELETE", url), ("GET", f"{url}/content"),
                         ("GET", f"{url}/qr")):  # fmt: skip
        answer = await service.client.request(method, path, headers=other)
        assert_problem(answer, 404)
        assert (await service.client.request(method, path)).status_code == 401
    assert_problem(await service.client.patch(url, json={"name": "b"}, headers=other), 404)
    assert await names(service, other) == []
    assert_problem(await service.client.post("/v1/files", files={"file": b"x"}), 401)


async def test_keys_do_what_their_scopes_say(service: Service, user: Headers) -> None:
    file = await upload(service, user)
    url = f"/v1/files/{file['id']}"
    allowed = {"files:read": {200}, "files:write": {201}, "blobs:read": set()}
    for scope, good in allowed.items():
        made = await service.client.post(
            "/v1/accounts/me/keys", json={"name": "k", "scopes": [scope]}, headers=user
        )
        key = {"Authorization": f"Bearer {made.json()['key']}"}
        got = await service.client.get(url, headers=key)
        sent = await service.client.put("/v1/send/b", content=b"x", headers=key)
        assert {got.status_code, sent.status_code} == good | {403}
        form = await service.client.post("/v1/files", files={"file": b"x"}, headers=key)
        assert form.status_code == sent.status_code


async def test_the_link_has_a_qr_code(service: Service, user: Headers) -> None:
    file = await upload(service, user)
    url = f"/v1/files/{file['id']}/qr"
    svg = await service.client.get(url, headers=user)
    assert (svg.status_code, svg.headers["content-type"]) == (200, "image/svg+xml")
    png = await service.client.get(f"{url}?format=png", headers=user)
    assert (png.status_code, png.headers["content-type"]) == (200, "image/png")
    expected = BytesIO()
    code = segno.make(file["link"], error="m", micro=False)
    code.save(expected, kind="png", border=4, scale=8, light="white")
    assert png.content == expected.getvalue()
    assert_problem(await service.client.get(f"{url}?format=gif", headers=user), 422)
    kept = await upload(service, user, expires_in=0)
    assert_problem(await service.client.get(f"/v1/files/{kept['id']}/qr", headers=user), 404)


@pytest.mark.ordinary
async def test_nothing_is_left_to_delete_twice(service: Service, user: Headers) -> None:
    """A file that expires while it is deleted goes once, and is charged for once."""
    file = await upload(service, user, data=bytes(LARGE), expires_in=60)
    url = f"/v1/files/{file['id']}"
    later = clock.now() + 61 * clock.SECOND
    expiry = service.runtime.parts.expiry
    await asyncio.gather(
        service.client.delete(url, headers=user), *[expiry.run_once(later) for _ in range(4)]
    )
    assert await names(service, user) == []

    def count(connection: Connection) -> int:
        rows = select(func.count()).select_from(tombstones)
        return int(connection.execute(rows).scalar_one())

    twice = later + int(service.runtime.parts.store.late) * clock.SECOND
    for moment in (later, twice):  # once more, for what may come late of the upload
        while await service.runtime.parts.sweep.run_once(moment):
            pass
    assert await service.runtime.parts.database.read(count) == 0
