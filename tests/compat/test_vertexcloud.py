"""VertexCloud's contract, transcript by transcript, as its document has them."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import Connection, select, update

from app import clock
from app.accounts.identity import Access
from app.database.schema import metadata
from app.files import by_name
from app.files.entities import NewFile
from app.files.tables import files
from app.objects.entities import Received
from routers.compat.vertexcloud import files as vertexcloud_files
from routers.compat.vertexcloud.keys import PURPOSE
from tests.api import raw
from tests.api.conftest import PASSWORD, Service
from tests.api.shared import store_of
from tests.compat.vertexcloud_client import (
    COOKIE,
    FIRSTS,
    MEDIA,
    SENT_BY,
    First,
    User,
    assert_refused,
    assert_said,
    cookie_of,
    create,
    loose_ends,
    names,
    sent_as,
    sign_up,
)

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

LARGE = 100_000  # bytes that do not fit into a row
KEY_FORM = re.compile(r"[A-Za-z0-9_-]{20,}")

NOT_LOGGED_IN = "A severe Error Occured. Could not log you in. Try again"
NOT_CREATED = (
    "Could not create file : -'{}' - due to Invalid Key! #if you need a new key, use this endpoint "
    "'/token/' and register a new key or check if you have an existing one."
)
NOT_LISTED = "Invalid Key entered For this user. You can use /token/ endpoint to create a new key"
NO_TOKEN = "Invalid Token or Did you forget to add your token to your parameters?"
BAD_TOKEN = (
    "Invalid Token Key. you can visit '/token/' for a new token key or get your existing ones"
)
LOCKED = "Route is locked due to No login credentials Found. Login to contnue"
NO_SUCH_FILE = "Could not delete file due to File not exists or invalid id given"
NOT_AUTHORIZED = "You are not authorized to access this route, you must first be logged in"
DELETED = "User has been Deleted Successfully and all corresponding sessions has been flushed"


@pytest.fixture(autouse=True)
async def clean(service: Service) -> AsyncIterator[None]:
    """Keep no cookie between requests, and after a test check that nothing was left lying about."""
    service.client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    yield
    store_of(service).heal()
    assert await service.runtime.parts.database.read(loose_ends) == []
    assert not [p for p in (service.settings.data_dir / "tmp").rglob("*") if _is_a_copy(p)]
    assert service.runtime.files.unclaimed._taken == {}


def _is_a_copy(path: Path) -> bool:
    return path.is_file() and path.name != "lock"


@pytest.fixture
async def user(service: Service) -> User:
    """Somebody who has signed up."""
    return await sign_up(service)


each_kind = pytest.mark.parametrize("kind", ["form", "multipart", "JSON"])


async def test_its_health(service: Service) -> None:
    answer = await service.client.get("/")
    assert_said(
        answer,
        {
            "status": True,
            "request method": "GET",
            "message": "Api is Running Correctly!",
            "runtime": "Active",
            "producer": "holdall",
        },
    )
    assert "accept" in answer.headers["vary"].lower()
    page = await service.client.get("/", headers={"Accept": "text/html,*/*;q=0.8"})
    assert page.headers["content-type"].startswith("text/html")
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        assert (await service.client.request(method, "/")).status_code == 405


@each_kind
async def test_signing_up(service: Service, kind: str) -> None:
    name = next(names)
    fields = {"username": name, "email": f"{name}@example.com", "password": "StrongPassword123!"}
    answer = await service.client.post("/signup/", **sent_as(kind, fields))
    key = answer.json()["your session key"]
    assert KEY_FORM.fullmatch(key)
    assert_said(
        answer,
        {
            "status": True,
            "session": True,
            "session_name": "current_user",
            "message": f"New User {name} has been created successfully",
            "your session key": key,
        },
    )
    user = User(service, name, key, cookie_of(answer))
    assert user.cookie != {"Cookie": f"{COOKIE}={key}"}
    await user.create()
    me = await service.client.get("/v1/accounts/me", headers=user.cookie)
    assert me.json()["email"] == f"{name}@example.com"

    taken = fields | {"username": name.upper()}
    again = await service.client.post("/signup/", **sent_as(kind, taken))
    assert_refused(again, "Username already Exists")
    taken = fields | {"username": next(names), "email": fields["email"].upper()}
    again = await service.client.post("/signup/", **sent_as(kind, taken))
    assert_refused(again, "Email Already Exists")
    assert "set-cookie" not in again.headers


async def test_what_is_wrong_with_a_sign_up_is_said(service: Service) -> None:
    good = {"username": next(names), "password": PASSWORD}
    for wrong, reason in (
        ({"password": "short"}, "A password has 8 to 128 characters"),
        ({"username": "a b"}, "A user name has 3 to 64 letters, digits, dots, dashes or"),
        ({"email": "nowhere"}, "This is not an email address"),
        ({"username": 7}, "username: "),
    ):
        answer = await service.client.post("/signup/", json=good | wrong)
        assert_said(answer)
        assert answer.json()["status"] is False
        assert answer.json()["message"].startswith(reason)
    for body in (b"", b"[]", b"{", b"\xff", b"[" * 50_000):
        answer = await service.client.post("/signup/", content=body)
        assert_said(answer)
        assert answer.json()["status"] is False
    assert (await service.client.post("/signup/", data=good)).json()["status"] is True


@each_kind
async def test_logging_in(service: Service, user: User, kind: str) -> None:
    fields = {"username": user.name.upper(), "password": PASSWORD}
    answer = await service.client.post("/login/", **sent_as(kind, fields))
    key = answer.json()["session_key"]
    assert_said(
        answer,
        {
            "status": True,
            "session": True,
            "session_name": "current_user",
            "logged_in": True,
            "user": user.name,
            "session_key": key,
        },
    )
    assert key != user.key  # each login is a session of its own
    assert cookie_of(answer)
    for wrong in ({"password": "wrong password"}, {"username": "nobody"}, {"username": "\x00"}):
        answer = await service.client.post("/login/", **sent_as(kind, fields | wrong))
        assert_refused(answer, NOT_LOGGED_IN, current_user_status=False)
        assert "set-cookie" not in answer.headers


@each_kind
async def test_the_token_of_a_session_is_its_key(service: Service, user: User, kind: str) -> None:
    sent = sent_as(kind, {"username": user.name, "password": PASSWORD})
    existing = {
        "status": True,
        "message": "Your Existing Key is still available",
        "key": user.key,
    }
    for _ in range(2):
        answer = await service.client.post("/token/", **sent, headers=user.cookie)
        assert_said(answer, existing)
    wrong = sent_as(kind, {"username": user.name, "password": "wrong password"})
    for headers in ({}, user.cookie):
        answer = await service.client.post("/token/", **wrong, headers=headers)
        assert_refused(answer, "Invalid username or password!")


async def test_a_token_without_a_session_begins_one(service: Service, user: User) -> None:
    fields = {"username": user.name, "password": PASSWORD}
    other = await sign_up(service)
    ended = await sign_up(service, next(names))
    await service.client.get("/clear/session/", params={"key": ended.key})
    foreign = user.cookie | {"Sec-Fetch-Site": "cross-site"}
    bad = {"Cookie": f"{COOKIE}=nonsense"}
    for headers in ({}, other.cookie, ended.cookie, bad, foreign):
        answer = await service.client.post("/token/", data=fields, headers=headers)
        key = answer.json()["details"]["key"]
        assert_said(
            answer,
            {
                "status": True,
                "message": "A new key has been created for you",
                "details": {"user": user.name, "key": key},
            },
        )
        assert key not in {user.key, other.key, ended.key}
        assert ("set-cookie" in answer.headers) == (headers is not foreign)
        assert_refused(
            await service.client.post("/get/files/", data={"key": key}),
            "No file is available under this User",
            authorization="user-token",
        )


async def test_another_sites_page_signs_nobody_in(service: Service) -> None:
    name = next(names)
    for path in ("/signup/", "/login/", "/token/"):
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://example.org"}):
            fields = {"username": name, "password": PASSWORD}
            answer = await service.client.post(path, data=fields, headers=headers)
            assert_said(answer)
            assert "set-cookie" not in answer.headers
            name = next(names) if path == "/signup/" and "Origin" not in headers else name


@pytest.mark.ordinary
async def test_no_table_holds_a_key(service: Service, user: User) -> None:
    def everything(connection: Connection) -> str:
        return repr([connection.execute(select(table)).all() for table in metadata.sorted_tables])

    held = await service.runtime.parts.database.read(everything)
    assert user.name in held
    for secret in (user.key, user.cookie["Cookie"].partition("=")[2]):
        assert secret not in held
        assert secret[-43:] not in held


@pytest.mark.parametrize("first", FIRSTS)
@pytest.mark.parametrize("size", [0, 5, LARGE])
async def test_creating_a_file(service: Service, user: User, size: int, first: First) -> None:
    data = bytes(i % 251 for i in range(size))
    answer = await create(service.client, user.key, "my_picture.jpg", data, first=first)
    assert_said(
        answer,
        {
            "status": True,
            "message": "File Created Successfully! and has been saved.",
            "file_type": "image/jpeg",
            "filename": "my_picture.jpg",
            "size": size,
        },
    )
    (listed,) = (await user.list()).values()
    content = await service.client.get(listed["url"], params={"key": user.key})
    assert content.content == data
    kept = (await service.client.get("/v1/files", headers=user.cookie)).json()["items"]
    assert [(f["name"], f["expires_at"], f["link"]) for f in kept] == [
        ("my_picture.jpg", None, None)
    ]


async def test_the_type_of_a_file_is_what_was_sent(user: User) -> None:
    for kind, expected in ((None, "application/pdf"), ("text/plain", "text/plain")):
        assert (await user.create("a.pdf", kind=kind))["file_type"] == expected


async def test_a_taken_name_gets_a_number(service: Service, user: User) -> None:
    other = await sign_up(service)
    await other.create("a.pdf")
    expected = ["a.pdf", "a_1.pdf", "a_2.pdf", "a_3.pdf", "a_4.pdf", "a_5.pdf"]
    assert [(await user.create("a.pdf"))["filename"] for _ in expected] == expected
    assert list(await user.list()) == expected
    # one that is given back, and one that is numbered already
    await service.client.get(
        "/delete/file/", params={"id": (await user.list())["a.pdf"]["id"], "key": user.key}
    )
    assert (await user.create("a.pdf"))["filename"] == "a.pdf"
    assert (await user.create("a_1.pdf"))["filename"] == "a_1_1.pdf"
    assert (await user.create("folder/.a"))["filename"] == ".a"
    assert (await user.create(".a"))["filename"] == ".a_1"
    long = "x" * 251 + ".txt"
    assert (await user.create(long))["filename"] == long
    assert (await user.create(long))["filename"] == "x" * 249 + "_1.txt"


@pytest.mark.ordinary
async def test_uploads_at_once_get_names_of_their_own(user: User) -> None:
    made = await asyncio.gather(*[user.create("a", first=FIRSTS[n % 2]) for n in range(8)])
    names = {"a", *(f"a_{n}" for n in range(1, 8))}
    assert {file["filename"] for file in made} == names
    assert set(await user.list()) == names


@pytest.mark.ordinary
async def test_processes_choose_names_in_turn(service: Service, user: User) -> None:
    """What one process writes for an account it writes in turn anyway."""
    runtime, now = service.runtime, clock.now()
    token = runtime.keyring.parse_session_key(user.key, purpose=PURPOSE)
    identity = await Access(runtime.parts.database, token, "files:write").identity()
    received = Received(5, hashlib.sha256(b"hello").digest(), None, b"hello")
    made = await asyncio.gather(
        *[
            runtime.parts.database.write(by_name.keep, identity, new, received, now)
            for new in [NewFile("a", "text/plain") for _ in range(8)]
        ]
    )
    assert len({file.name for file in made}) == len(made)


@pytest.mark.parametrize("first", FIRSTS)
@pytest.mark.parametrize("size", [5, LARGE])
async def test_a_bad_key_stores_nothing(
    service: Service, user: User, size: int, first: First
) -> None:
    ended = await sign_up(service)
    await service.client.get("/clear/session/", params={"key": ended.key})
    cookie = user.cookie["Cookie"].partition("=")[2]
    altered = user.key[:-10] + "A" * 10
    for key in (None, "nonsense", altered, ended.key, cookie):
        for headers in ({}, user.cookie):
            answer = await create(
                service.client, key, "b.txt", bytes(size), first=first, headers=headers
            )
            assert_refused(answer, NOT_CREATED.format("b.txt"), producer="holdall")
    assert await user.list() == {}


async def test_a_large_file_needs_a_key_or_a_cookie_before_it(
    service: Service, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.runtime.files.unclaimed, "_limit", LARGE // 2)
    data = bytes(LARGE)
    answer = await create(service.client, user.key, "a", data, first="file")
    assert_said(answer, status=413)
    assert answer.json()["status"] is False
    assert "before" in answer.json()["message"]
    assert await user.list() == {}
    await user.create("a", data, first="key")
    await user.create("b", data, first="file", headers=user.cookie)
    assert set(await user.list()) == {"a", "b"}


async def test_a_stranger_is_stopped_while_it_streams(service: Service) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    service.runtime.files.unclaimed._limit, limit = LARGE, service.runtime.files.unclaimed._limit
    sent = 0

    async def endless() -> AsyncIterator[raw.Message]:
        nonlocal sent
        yield raw.part(head)
        while True:
            sent += 10_000
            yield raw.part(bytes(10_000))

    kind = {"content-type": "multipart/form-data; boundary=x"}
    answer = await raw.request(service, "POST", "/create/file/", kind, endless())
    service.runtime.files.unclaimed._limit = limit
    assert answer.status == 413
    assert sent <= LARGE + 50_000


async def test_a_client_that_leaves_stores_nothing(service: Service, user: User) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    kind = {"content-type": "multipart/form-data; boundary=x"}
    for headers in (kind, kind | {"cookie": user.cookie["Cookie"]}):
        messages = [raw.part(head + bytes(LARGE)), raw.DISCONNECT]
        answer = await raw.request(service, "POST", "/create/file/", headers, messages)
        assert answer.status is None
    assert await user.list() == {}


async def test_a_cookie_and_a_key_of_two_accounts_store_nothing(
    service: Service, user: User
) -> None:
    other = await sign_up(service)
    answer = await create(
        service.client, user.key, "a", bytes(LARGE), first="file", headers=other.cookie
    )
    assert_refused(answer, NOT_CREATED.format("a"), producer="holdall")
    assert await user.list() == await other.list() == {}


async def test_a_key_goes_with_the_cookie_of_another_session(service: Service, user: User) -> None:
    form = {"username": user.name, "password": PASSWORD}
    later = await service.client.post("/login/", data=form)
    cookie = {"Cookie": f"{COOKIE}={cookie_of(later)}"}
    await user.create("a", bytes(LARGE), first="file", headers=cookie)
    assert set(await user.list()) == {"a"}


async def test_forms_that_are_no_upload(service: Service, user: User) -> None:
    two = [("file", ("a", bytes(LARGE))), ("file", ("b", b"x"))]
    forms: list[tuple[str, dict[str, Any]]] = [
        ("The form has no file", {"files": {"key": (None, user.key)}}),
        ("The form has two files", {"files": [("key", (None, user.key)), *two]}),
        ("The form has two files", {"files": [*two, ("key", (None, user.key))]}),
        ("name: ", {"files": [("file", ("..", bytes(LARGE))), ("key", (None, user.key))]}),
        ("Send a form, as multipart/form-data", {"data": {"key": user.key}}),
        ("Send a form, as multipart/form-data", {"json": {"key": user.key}}),
    ]
    for first, sent in forms:
        answer = await service.client.post("/create/file/", **sent)
        assert_said(answer)
        assert answer.json()["status"] is False
        assert answer.json()["message"].startswith(first)
    assert_refused(await create(service.client, user.key, name=""), "The form has no file")
    assert await user.list() == {}


@each_kind
async def test_listing_files(service: Service, user: User, kind: str) -> None:
    sent = sent_as(kind, {"key": user.key})
    none = await service.client.post("/get/files/", **sent)
    assert_refused(none, "No file is available under this User", authorization="user-token")
    before = clock.now()
    await user.create("document.pdf", bytes(LARGE))
    await user.create("é 1%?.png", b"12345")
    answer = await service.client.post("/get/files/", **sent)
    listed = answer.json()["file"]
    numbers = [file["id"] for file in listed.values()]
    made = [file["created_at"] for file in listed.values()]
    assert_said(
        answer,
        {
            "file": {
                "document.pdf": {
                    "id": numbers[0],
                    "url": "/media/cloud/media/static/files/document.pdf",
                    "type": "application/pdf",
                    "size": LARGE,
                    "created_at": made[0],
                },
                "é 1%?.png": {
                    "id": numbers[1],
                    "url": f"/media/cloud/media/static/files/{quote('é 1%?.png')}",
                    "type": "image/png",
                    "size": 5,
                    "created_at": made[1],
                },
            }
        },
    )
    assert list(listed) == ["document.pdf", "é 1%?.png"]
    assert all(isinstance(number, int) for number in numbers)
    for text in made:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
        moment = clock.from_datetime(datetime.fromisoformat(text).astimezone(UTC))
        assert before - 1000 <= moment <= clock.now()
    for bad in ({}, {"key": ""}, {"key": "nonsense"}):
        for headers in ({}, user.cookie):
            answer = await service.client.post(
                "/get/files/", **sent_as("JSON", bad), headers=headers
            )
            assert_refused(answer, NOT_LISTED)


async def test_a_long_list_comes_in_batches(
    service: Service, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vertexcloud_files, "BATCH", 2)
    for count in range(1, 6):
        await user.create("a")
        assert len(await user.list()) == count


async def test_of_several_with_one_name_the_newest_is_there(
    service: Service, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other contracts don't mind names that are taken."""
    monkeypatch.setattr(vertexcloud_files, "BATCH", 2)
    for data in (b"old", b"other", b"newest"):
        name = "b" if data == b"other" else "a"
        form = {"file": (name, data)}
        stored = await service.client.post("/v1/files", files=form, headers=user.cookie)
        assert stored.status_code == 201
    listed = await user.list()
    assert {name: file["size"] for name, file in listed.items()} == {"b": 5, "a": 6}
    text = (await service.client.post("/get/files/", data={"key": user.key})).text
    assert text.count('"a":') == 1
    content = await service.client.get(listed["a"]["url"], params={"key": user.key})
    assert content.content == b"newest"
    assert (await user.create("a"))["filename"] == "a_1"


@pytest.mark.ordinary
async def test_an_expired_file_is_gone(service: Service, user: User) -> None:
    await user.create("a", b"kept")
    numbers = []
    for name in ("a", "b"):
        form = {"files": {"file": (name, b"hello")}, "data": {"expires_in": "600"}}
        stored = await service.client.post("/v1/files", **form, headers=user.cookie)  # type: ignore[arg-type]
        assert stored.status_code == 201
        numbers.append((await user.list())[name]["id"])

    def expire(connection: Connection) -> None:
        those = files.c.id.in_(numbers)
        connection.execute(update(files).where(those).values(expires_at=clock.now()))

    await service.runtime.parts.database.write(expire)
    assert {name: file["size"] for name, file in (await user.list()).items()} == {"a": 4}
    key = {"key": user.key}
    assert (await service.client.get(f"{MEDIA}a", params=key)).content == b"kept"
    assert (await service.client.get(f"{MEDIA}b", params=key)).status_code == 404
    for number in numbers:
        params = {"id": str(number), "token": user.key}
        got = await service.client.get("/get/file/", params=params)
        assert_refused(got, "File matching query does not exist.")
        deleted = await service.client.get("/delete/file/", params=params | key)
        assert_refused(deleted, NO_SUCH_FILE)
    assert (await user.create("b"))["filename"] == "b"


async def test_getting_a_file(service: Service, user: User) -> None:
    await user.create("document.pdf", bytes(LARGE))
    listed = await user.list()
    number = listed["document.pdf"]["id"]

    async def get(**params: object) -> httpx.Response:
        return await service.client.get("/get/file/", params=params, headers=user.cookie)  # type: ignore[arg-type]

    assert_said(await get(id=number, token=user.key), {"file": listed})
    other = await sign_up(service)
    assert_refused(await get(id=number), NO_TOKEN)
    assert_refused(await get(id=number, token=""), NO_TOKEN)
    assert_refused(await get(id=number, token="nonsense"), BAD_TOKEN)
    for key, bad in (
        (other.key, number),
        (user.key, number + 1),
        (user.key, 0),
        (user.key, -number),
        (user.key, 10**30),
        (user.key, "document.pdf"),
        (user.key, "²"),
        (user.key, ""),
    ):
        assert_refused(await get(id=bad, token=key), "File matching query does not exist.")
    assert_refused(await get(token=user.key), "File matching query does not exist.")


async def test_deleting_a_file(service: Service, user: User) -> None:
    await user.create("document.pdf", bytes(LARGE))
    number = (await user.list())["document.pdf"]["id"]
    other = await sign_up(service)

    async def delete(headers: dict[str, str] | None = None, **params: object) -> httpx.Response:
        return await service.client.get("/delete/file/", params=params, headers=headers)  # type: ignore[arg-type]

    assert_refused(await delete(id=number), LOCKED)
    assert_refused(await delete(user.cookie, id=number), "Invalid Token Key.")
    assert_refused(await delete(id=number, key="nonsense"), "Invalid Token Key.")
    for key, bad in ((other.key, number), (user.key, number + 1), (user.key, "x"), (user.key, "")):
        assert_refused(await delete(id=bad, key=key), NO_SUCH_FILE)
    posted = await service.client.post("/delete/file/", params={"id": number, "key": user.key})
    assert posted.status_code == 405
    assert set(await user.list()) == {"document.pdf"}

    assert_said(
        await delete(id=number, key=user.key),
        {
            "status": True,
            "message": f"File with id : '{number}' has been deleted",
            "authorization": "user-token",
        },
    )
    assert await user.list() == {}
    assert_refused(await delete(id=number, key=user.key), NO_SUCH_FILE)
    media = await service.client.get(f"{MEDIA}document.pdf", params={"key": user.key})
    assert media.status_code == 404


CLEAR_AND_DELETE = ["GET", "form", "multipart", "JSON"]


async def ask(
    service: Service,
    path: str,
    kind: str,
    fields: dict[str, str],
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    """Send fields in the query of a GET, or in a body of some kind."""
    if kind == "GET":
        return await service.client.get(path, params=fields, headers=headers)
    return await service.client.post(path, **sent_as(kind, fields), headers=headers)


@pytest.mark.ordinary
@pytest.mark.parametrize("kind", CLEAR_AND_DELETE)
async def test_clearing_a_session(service: Service, user: User, kind: str) -> None:
    form = {"username": user.name, "password": PASSWORD}
    later = (await service.client.post("/login/", data=form)).json()["session_key"]
    no_key = "A token is required to access this Endpoint"
    assert_refused(await ask(service, "/clear/session/", kind, {}), no_key)
    assert_refused(await ask(service, "/clear/session/", kind, {}, user.cookie), no_key)
    bad = "Invalid token Key"
    assert_refused(await ask(service, "/clear/session/", kind, {"key": "nonsense"}), bad)

    answer = await ask(service, "/clear/session/", kind, {"key": user.key}, user.cookie)
    assert_said(
        answer,
        {
            "status": True,
            "message": f"User : {user.name} sessions has been Flushed and Now logged out.",
        },
    )
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert_refused(await ask(service, "/clear/session/", kind, {"key": user.key}), bad)
    gone = await service.client.post("/get/files/", data={"key": user.key})
    assert_refused(gone, NOT_LISTED)
    me = await service.client.get("/v1/accounts/me", headers=user.cookie)
    assert me.status_code == 401
    # the other session lives on, and so would its cookie
    other = await ask(service, "/clear/session/", kind, {"key": later}, user.cookie)
    assert other.json()["status"] is True
    assert "set-cookie" not in other.headers


@pytest.mark.parametrize("kind", CLEAR_AND_DELETE)
async def test_deleting_a_user(service: Service, user: User, kind: str) -> None:
    await user.create("a", bytes(LARGE))
    await user.create("b")
    password = {"password": PASSWORD}
    path = "/delete/user/"
    assert_refused(await ask(service, path, kind, password), NOT_AUTHORIZED)
    bad = "Invalid Key Credential"
    assert_refused(await ask(service, path, kind, password, user.cookie), bad)
    assert_refused(await ask(service, path, kind, {"key": "nonsense"} | password), bad)
    wrongs: list[dict[str, str]] = [{}, {"password": "wrong password"}, {"password": ""}]
    for wrong in wrongs:
        answer = await ask(service, path, kind, {"key": user.key} | wrong)
        assert_refused(answer, "Invalid User Credentials")
    assert set(await user.list()) == {"a", "b"}

    answer = await ask(service, path, kind, {"key": user.key} | password, user.cookie)
    assert_said(answer, {"status": True, "message": DELETED})
    assert "Max-Age=0" in answer.headers["set-cookie"]
    login = await service.client.post("/login/", data={"username": user.name} | password)
    assert_refused(login, NOT_LOGGED_IN, current_user_status=False)

    # a key of an account that is gone
    key = {"key": user.key}
    again = await ask(service, path, kind, key | password)
    assert_refused(again, "User details is invalid")
    deleted = await service.client.get("/delete/file/", params={"id": "1"} | key)
    assert_refused(deleted, "Invalid Token key")
    listed = await service.client.post("/get/files/", data=key)
    assert_refused(listed, "User credentail is not valid for this Operation")
    got = await service.client.get("/get/file/", params={"id": "1", "token": user.key})
    assert_refused(got, BAD_TOKEN)
    cleared = await service.client.get("/clear/session/", params=key)
    assert_refused(cleared, "Invalid token Key")
    created = await create(service.client, user.key)
    assert_refused(created, NOT_CREATED.format("a.txt"), producer="holdall")
    assert (await service.client.get(f"{MEDIA}b", params=key)).status_code == 401
    while await service.runtime.parts.purge.run_once(clock.now()):
        pass


async def test_the_bytes_of_a_file(service: Service, user: User) -> None:
    data = bytes(i % 251 for i in range(LARGE))
    names = ["document.pdf", "é 1%?#&.txt", "a+b;c.txt", "日本語", "%2F"]
    for name in names:
        await user.create(name.replace('"', "%22"), data)
    for name, file in (await user.list()).items():
        assert name in names
        answer = await service.client.get(file["url"], params={"key": user.key})
        assert (answer.status_code, answer.content) == (200, data), name
        assert answer.headers["content-type"] == file["type"]
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "sandbox"
        assert answer.headers["content-disposition"].startswith("attachment")
        head = await service.client.head(file["url"], params={"key": user.key})
        assert (head.status_code, head.content) == (200, b"")
        for header in ("content-length", "etag", "referrer-policy"):
            assert head.headers[header] == answer.headers[header]
    url = f"{MEDIA}document.pdf"
    part = await service.client.get(url, params={"key": user.key}, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, data[10:20])
    assert part.headers["referrer-policy"] == "no-referrer"


async def test_bytes_want_a_key(service: Service, user: User) -> None:
    other = await sign_up(service)
    await user.create("a.txt")
    url = f"{MEDIA}a.txt"
    for params in ({}, {"key": ""}, {"key": "nonsense"}, {"token": user.key}):
        for headers in ({}, user.cookie):
            answer = await service.client.get(url, params=params, headers=headers)
            assert_said(answer, status=401)
            assert answer.json()["status"] is False
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.headers["referrer-policy"] == "no-referrer"
    for params, path in (({"key": other.key}, url), ({"key": user.key}, f"{MEDIA}b.txt")):
        answer = await service.client.get(path, params=params)
        assert_said(answer, {"status": False, "message": "No such file"}, 404)
    unnameable = await service.client.get(f"{MEDIA}a%00b", params={"key": user.key})
    assert_said(unnameable, status=422)


@pytest.mark.parametrize("path", SENT_BY)
async def test_other_methods(service: Service, path: str) -> None:
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"):
        if method in SENT_BY[path]:
            continue
        answer = await service.client.request(method, path)
        assert answer.status_code == 405, method
        assert answer.headers["allow"] == ", ".join(SENT_BY[path])
        if method != "HEAD":
            assert_said(answer, {"status": False, "message": "Method Not Allowed"}, 405)


async def test_a_slash_less_is_served_too(service: Service, user: User) -> None:
    form = {"username": user.name, "password": PASSWORD}
    assert (await service.client.post("/login", data=form)).json()["logged_in"] is True
    answer = await service.client.post("/get/files", data={"key": user.key})
    assert_refused(answer, "No file is available under this User", authorization="user-token")


async def test_limits_take_the_contracts_form(service: Service, user: User) -> None:
    for first in FIRSTS:
        store_of(service).fail("put")
        answer = await create(service.client, user.key, data=bytes(LARGE), first=first)
        assert_said(answer, status=503)
        assert answer.json()["status"] is False
        assert int(answer.headers["retry-after"]) > 0
    store_of(service).heal()
    for path in ("/signup/", "/login/", "/token/", "/get/files/", "/clear/session/"):
        answer = await service.client.post(path, content=bytes(100_000))
        assert_said(answer, status=413)
        assert answer.json()["status"] is False
    digest = {"Content-Digest": "sha-256=:n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=:"}
    for first in FIRSTS:
        answer = await create(service.client, user.key, first=first, headers=digest)
        assert_said(answer, status=400)
        assert answer.json()["status"] is False
    assert await user.list() == {}
