"""Inboxes over HTTP: made by their owners, given to by strangers, who get to know nothing."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection, update

from app import clock
from app.accounts.tables import accounts
from app.links.tables import timelinks
from tests.api import raw
from tests.api.allowances import set_tier, usage
from tests.api.conftest import PASSWORD, Service
from tests.api.crash_forms import make_key
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
from tests.api.shared import shared_fixtures, store_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

PAGE = {"Accept": "text/html"}
DAY = 86_400

settings, service = shared_fixtures()


@pytest.fixture
async def user(service: Service) -> AsyncIterator[Headers]:
    """Headers of a new account; at last nothing is on its way to it any more."""
    _, headers = await service.sign_up()
    yield headers
    store_of(service).heal()
    assert await pending(service) == (0, 0)


async def end(service: Service) -> None:
    """Let all inboxes expire."""

    def write(connection: Connection) -> None:
        connection.execute(update(timelinks).values(expires_at=clock.now() - 1))

    await service.runtime.parts.database.write(write)


# Owners


async def test_its_owner_makes_changes_and_deletes_one(service: Service, user: Headers) -> None:
    inbox = await make(service, user, message="All of them", max_files=3, password="secret")
    assert inbox["has_password"] is inbox["is_open"] is True
    assert (inbox["files"], inbox["bytes"], inbox["unseen"]) == (0, 0, 0)
    assert 7 * DAY - 60 < inbox["time_left"] <= 7 * DAY
    url = f"/v1/inboxes/{inbox['id']}"
    change = {
        "title": "Slides",
        "message": None,
        "max_files": None,
        "max_bytes": 9,
        "password": None,
    }
    changed = (await service.client.patch(url, json=change, headers=user)).json()
    del change["password"]
    assert {name: changed[name] for name in change} == change
    assert changed["has_password"] is False
    assert changed["url"] == inbox["url"]
    longer = await service.client.patch(url, json={"expires_in": 3600}, headers=user)
    assert 3540 < longer.json()["time_left"] <= 3600
    listed = (await service.client.get("/v1/inboxes", headers=user)).json()["items"]
    assert [one["id"] for one in listed] == [inbox["id"]]
    assert (await service.client.delete(url, headers=user)).status_code == 204
    assert (await service.client.get(url, headers=user)).status_code == 404
    assert (await service.client.get(inbox["path"])).status_code == 404
    assert (await put(service, inbox)).status_code == 404


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "title"),
        ({"title": ""}, "title"),
        ({"title": "x", "max_files": 0}, "max_files"),
        ({"title": "x", "max_bytes": 0}, "max_bytes"),
        ({"title": "x", "expires_in": 299}, "expires_in"),
        ({"title": "x", "expires_in": 30 * DAY + 1}, "expires_in"),
        ({"title": "x", "password": ""}, "password"),
    ],
)
async def test_what_no_inbox_can_be(
    service: Service, user: Headers, body: Json, field: str
) -> None:
    made = await service.client.post("/v1/inboxes", json=body, headers=user)
    assert_problem(made, 422, "invalid-request")
    assert made.json()["errors"][0]["loc"] == ["body", field]


@pytest.mark.ordinary
async def test_the_tier_bounds_how_long_one_is_open(service: Service, user: Headers) -> None:
    await set_tier(service, user, max_lifetime=DAY)
    assert (await make(service, user))["time_left"] <= DAY
    too_long = {"title": "x", "expires_in": DAY + 1}
    made = await service.client.post("/v1/inboxes", json=too_long, headers=user)
    assert made.json()["errors"][0]["loc"] == ["body", "expires_in"]


async def test_only_its_owner_gets_at_it(service: Service, user: Headers) -> None:
    inbox = await make(service, user)
    _, other = await service.sign_up()
    url = f"/v1/inboxes/{inbox['id']}"
    for method, headers, status in (
        ("GET", other, 404), ("PATCH", other, 404), ("DELETE", other, 404), ("GET", {}, 401),
    ):  # fmt: skip
        body = {"title": "x"} if method == "PATCH" else None
        answer = await service.client.request(method, url, headers=headers, json=body)
        assert answer.status_code == status
    assert (await service.client.get(f"{url}/qr", headers=other)).status_code == 404
    qr = await service.client.get(f"{url}/qr", headers=user)
    assert qr.headers["content-type"] == "image/svg+xml"


async def test_keys_need_the_scopes_of_links_and_files(service: Service, user: Headers) -> None:
    inbox = await make(service, user)
    url, new = f"/v1/inboxes/{inbox['id']}", {"title": "x"}
    links = ("timelinks:read", "timelinks:write")
    only_links = {"Authorization": f"Bearer {await make_key(service, user, *links)}"}
    assert (await service.client.get("/v1/inboxes", headers=only_links)).status_code == 200
    assert (await service.client.get(url, headers=only_links)).status_code == 403
    made = await service.client.post("/v1/inboxes", json=new, headers=only_links)
    assert made.status_code == 403
    scopes = (*links, "files:read", "files:write")
    both = {"Authorization": f"Bearer {await make_key(service, user, *scopes)}"}
    assert (await service.client.get(url, headers=both)).status_code == 200
    made = await service.client.post("/v1/inboxes", json=new, headers=both)
    assert made.status_code == 201
    files = {"Authorization": f"Bearer {await make_key(service, user, *scopes[2:])}"}
    assert (await service.client.get(url, headers=files)).status_code == 403


async def test_one_that_has_ended_stays_and_can_be_opened_again(
    service: Service, user: Headers
) -> None:
    inbox = await make(service, user)
    await put(service, inbox)
    await end(service)
    assert (await service.client.get(inbox["path"])).status_code == 404
    assert (await put(service, inbox)).status_code == 404
    url = f"/v1/inboxes/{inbox['id']}"
    assert (await service.client.get(f"{url}/qr", headers=user)).status_code == 404
    ended = await whole(service, user, inbox)
    assert (ended["is_open"], ended["time_left"], len(ended["items"])) == (False, 0, 1)
    await service.client.patch(url, json={"expires_in": 600}, headers=user)
    assert (await put(service, inbox)).status_code == 201
    await end(service)

    def forget(connection: Connection) -> None:  # as expiry does after 30 days
        connection.execute(timelinks.delete())

    await service.runtime.parts.database.write(forget)
    assert (await whole(service, user, inbox))["url"] is None
    guarded = {"password": "secret"}
    assert (await service.client.patch(url, json=guarded, headers=user)).status_code == 422
    again = await service.client.patch(url, json=guarded | {"expires_in": 600}, headers=user)
    assert again.json()["url"] != inbox["url"]
    assert again.json()["has_password"] is True


# Strangers


def receipt(name: str, data: bytes) -> Json:
    return {"name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@pytest.mark.parametrize("data", [b"hello", b"", LARGE], ids=["small", "empty", "large"])
async def test_a_file_becomes_the_owners(service: Service, user: Headers, data: bytes) -> None:
    inbox = await make(service, user)
    sent = await put(service, inbox, "d%C3%A9j%C3%A0.txt", data)
    assert sent.status_code == 201
    facts = receipt("déjà.txt", data)
    assert sent.text == "déjà.txt: {size} bytes, sha256 {sha256}\n".format(**facts)
    assert "location" not in sent.headers
    (arrival,) = (await whole(service, user, inbox))["items"]
    assert (arrival["kind"], arrival["name"], arrival["size"]) == ("file", "déjà.txt", len(data))
    file = (await service.client.get(f"/v1/files/{arrival['id']}", headers=user)).json()
    assert (file["link"], file["expires_at"]) == (None, None)
    assert (file["inbox_id"], file["inbox_title"]) == (inbox["id"], "Photos")
    assert file["content_type"] == "text/plain"
    content = await service.client.get(f"/v1/files/{arrival['id']}/content", headers=user)
    assert content.content == data
    assert await usage(service, user) == (len(data), 1)
    counts = await whole(service, user, inbox)
    assert (counts["files"], counts["bytes"], counts["unseen"]) == (1, len(data), 1)


async def test_the_files_of_a_form_become_one_bundle(service: Service, user: Headers) -> None:
    inbox = await make(service, user)
    sent = [("a.txt", b"hello"), ("b.bin", LARGE), ("a.txt", b"again")]
    form = [("file", one) for one in sent]
    asked = {"Accept": "application/json"}
    answer = await service.client.post(inbox["path"], files=form, headers=asked)
    assert answer.status_code == 201
    assert answer.json()["items"] == [receipt(*one) for one in sent]
    (arrival,) = (await whole(service, user, inbox))["items"]
    assert (arrival["kind"], arrival["name"]) == ("bundle", "a.txt and 2 more")
    assert (arrival["count"], arrival["size"]) == (3, 10 + len(LARGE))
    bundle = (await service.client.get(f"/v1/bundles/{arrival['id']}", headers=user)).json()
    assert (bundle["link"], bundle["expires_at"], bundle["is_open"]) == (None, None, False)
    assert (bundle["inbox_id"], bundle["inbox_title"]) == (inbox["id"], "Photos")
    assert [item["name"] for item in bundle["items"]] == ["a.txt", "b.bin", "a (2).txt"]
    assert await usage(service, user) == (10 + len(LARGE), 3)
    alone = await service.client.post(inbox["path"], files=form[:1], headers=PAGE)
    assert alone.status_code == 201
    assert f"SHA-256 {receipt(*sent[0])['sha256']}" in alone.text
    assert (await whole(service, user, inbox))["items"][0]["kind"] == "file"
    nothing = await service.client.post(inbox["path"], files={"other": b"x"})
    assert nothing.status_code == 422


async def test_strangers_read_nothing(service: Service, user: Headers) -> None:
    inbox = await make(service, user)
    await put(service, inbox)
    token = inbox["path"].removeprefix("/t/")
    paths = [
        *(f"{inbox['path']}{rest}" for rest in ("/a.txt", "/uploads", "?download=1", "?inline=1")),
        *(f"{inbox['path']}{rest}" for rest in ("?thumbnail=1", "?lease=abc", "?cursor=x")),
        f"/file/get?token={token}",
    ]
    for path in paths:
        for method in ("GET", "HEAD"):
            for headers in ({}, PAGE):
                answer = await service.client.request(method, path, headers=headers)
                assert answer.status_code == 404, path
    claim = await service.client.post(f"{inbox['path']}/a.txt")
    assert claim.status_code == 404
    told = (await service.client.get(inbox["path"])).text
    page = (await service.client.get(inbox["path"], headers=PAGE)).text
    account = (await service.client.get("/v1/accounts/me", headers=user)).json()
    for text in (told, page):
        assert "Photos" in text
        for secret in ("a.txt", account["username"], account["id"], inbox["id"]):
            assert secret not in text
    assert '<meta property="og:title" content="Photos">' in page


@pytest.mark.ordinary
async def test_no_other_door_of_links_knows_it(service: Service, user: Headers) -> None:
    inbox = await make(service, user)
    listed = await service.client.get("/v1/timelinks", headers=user)
    assert listed.json()["items"] == []
    uuid = await service.runtime.parts.database.read(_uuid_of_link)
    revoked = await service.client.delete(f"/v1/timelinks/{uuid}", headers=user)
    assert revoked.status_code == 404
    wanted = {"kind": "inbox", "id": inbox["id"], "time": 600}
    made = await service.client.post("/v1/timelinks", json=wanted, headers=user)
    assert made.status_code == 422
    picture = await service.client.get(f"/api/timelink/{uuid}")
    assert picture.status_code == 404


def _uuid_of_link(connection: Connection) -> str:
    newest = timelinks.select().order_by(timelinks.c.id.desc()).limit(1)
    return str(connection.execute(newest).one().uuid)


async def test_a_password_is_asked_for(service: Service, user: Headers) -> None:
    inbox = await make(service, user, message="All of them", password="secret")
    assert (await put(service, inbox)).status_code == 401
    assert (await put(service, inbox, auth=("", "wrong"))).status_code == 401
    assert (await put(service, inbox, auth=("", "secret"))).status_code == 201
    form = {"file": ("a.txt", b"hello")}
    assert (await service.client.post(inbox["path"], files=form)).status_code == 401
    page = await service.client.get(inbox["path"], headers=PAGE)
    assert page.status_code == 200
    assert "Photos" not in page.text
    assert "All of them" not in page.text
    wrong = await service.client.post(inbox["path"], data={"password": "wrong"}, headers=PAGE)
    assert wrong.status_code == 403
    right = await service.client.post(inbox["path"], data={"password": "secret"}, headers=PAGE)
    assert (right.status_code, right.headers["location"]) == (303, inbox["path"])
    try:  # a cookie opens it from now on
        assert "Photos" in (await service.client.get(inbox["path"], headers=PAGE)).text
        assert (await service.client.post(inbox["path"], files=form)).status_code == 201
    finally:
        service.client.cookies.clear()


@pytest.mark.ordinary
@pytest.mark.parametrize("data", [b"small", LARGE], ids=["small", "large"])
async def test_limits_hold_exactly(service: Service, user: Headers, data: bytes) -> None:
    inbox = await make(service, user, max_files=4)
    answers = await asyncio.gather(*(put(service, inbox, f"{n}", data) for n in range(20)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [201] * 4 + [409] * 16
    assert_problem(await put(service, inbox, data=data), 409, "inbox-full")
    assert (await whole(service, user, inbox))["files"] == 4
    assert await usage(service, user) == (4 * len(data), 4)

    bounded = await make(service, user, max_bytes=3 * len(data) + 1)
    answers = await asyncio.gather(*(put(service, bounded, f"{n}", data) for n in range(12)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [201] * 3 + [413] * 9
    assert (await put(service, bounded, data=b"x")).status_code == 201
    assert_problem(await put(service, bounded, data=b"x"), 413, "content-too-large")


async def test_a_limit_holds_for_bodies_of_unknown_size(service: Service, user: Headers) -> None:
    inbox = await make(service, user, max_bytes=len(LARGE))

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield LARGE

    refused = await put(service, inbox, data=chunks())  # type: ignore[arg-type]
    assert_problem(refused, 413, "content-too-large")
    assert refused.json()["detail"] == f"The inbox takes {len(LARGE)} more bytes"
    form = [("file", (f"{n}", LARGE)) for n in range(2)]
    assert (await service.client.post(inbox["path"], files=form)).status_code == 413
    assert await usage(service, user) == (0, 0)
    assert (await put(service, inbox, data=LARGE)).status_code == 201


async def test_what_breaks_off_gives_its_claim_back(service: Service, user: Headers) -> None:
    inbox = await make(service, user, max_files=1, max_bytes=2 * len(LARGE))
    begun = asyncio.Event()
    gone = asyncio.Event()

    async def breaking() -> AsyncIterator[raw.Message]:
        yield raw.part(LARGE)
        begun.set()
        await gone.wait()
        yield raw.DISCONNECT

    headers = {"content-length": str(2 * len(LARGE))}
    path = f"{inbox['path']}/a.bin"
    sending = asyncio.create_task(raw.request(service, "PUT", path, headers, breaking()))
    await begun.wait()
    assert_problem(await put(service, inbox), 409, "inbox-full")
    gone.set()
    await sending
    assert (await put(service, inbox)).status_code == 201
    assert await usage(service, user) == (5, 1)


@pytest.mark.ordinary
@pytest.mark.parametrize("how", ["deleted", "expired", "owner disabled", "owner gone", "full"])
async def test_what_ends_while_somebody_sends(service: Service, user: Headers, how: str) -> None:
    inbox = await make(service, user)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def waiting() -> AsyncIterator[raw.Message]:
        yield raw.part(LARGE)
        begun.set()
        await go_on.wait()
        yield raw.part(LARGE, more=False)

    headers = {"content-length": str(2 * len(LARGE))}
    path = f"{inbox['path']}/a.bin"
    sending = asyncio.create_task(raw.request(service, "PUT", path, headers, waiting()))
    await begun.wait()
    account = (await service.client.get("/v1/accounts/me", headers=user)).json()["id"]
    if how == "deleted":
        await service.client.delete(f"/v1/inboxes/{inbox['id']}", headers=user)
    elif how == "expired":
        await end(service)
    elif how == "owner disabled":
        await disable(service, account)
    elif how == "owner gone":
        gone = {"password": PASSWORD}
        await service.client.post("/v1/accounts/me/delete", json=gone, headers=user)
    else:
        fewer = {"max_bytes": 1}
        await service.client.patch(f"/v1/inboxes/{inbox['id']}", json=fewer, headers=user)
    go_on.set()
    answer = await sending
    assert answer.status == (413 if how == "full" else 404)
    assert b"account" not in answer.body
    if how not in {"owner disabled", "owner gone"}:
        assert await usage(service, user) == (0, 0)


async def disable(service: Service, account: str) -> None:
    def write(connection: Connection) -> None:
        own = accounts.c.uuid == account
        connection.execute(update(accounts).where(own).values(is_active=False))

    await service.runtime.parts.database.write(write)


async def test_nothing_tells_of_the_owners_quota(service: Service, user: Headers) -> None:
    inbox = await make(service, user)
    form = [("file", ("a", LARGE)), ("file", ("b", LARGE))]
    for limits in (
        {"max_object_bytes": 10, "max_total_bytes": None},
        {"max_object_bytes": None, "max_total_bytes": 10},
        {"max_object_bytes": None, "max_total_bytes": None, "max_objects": 0},
    ):
        await set_tier(service, user, **limits)
        for answer in (
            await put(service, inbox, data=LARGE),
            await put(service, inbox, data=b"x" * 20),
            await service.client.post(inbox["path"], files=form),
        ):
            assert_problem(answer, 413, "content-too-large")
            assert "10" not in answer.json()["detail"]
            assert "account" not in answer.text
    assert await usage(service, user) == (0, 0)


async def test_a_part_never_passes_for_the_whole(service: Service, user: Headers) -> None:
    inbox = await make(service, user)
    for part in (
        {"Content-Range": "bytes 0-4/10"},
        {"Upload-Complete": "?0", "Upload-Draft-Interop-Version": "6"},
        {"Upload-Complete": "?0"},
    ):
        assert (await put(service, inbox, headers=part)).status_code == 400
    wrong = {"Repr-Digest": "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"}
    assert (await put(service, inbox, headers=wrong)).status_code == 400
    assert (await whole(service, user, inbox))["items"] == []


async def test_a_file_in_no_form_is_refused(service: Service, user: Headers) -> None:
    inbox = await make(service, user)
    for kind in ("application/x-www-form-urlencoded", "application/json", "text/plain"):
        sent = await service.client.post(
            inbox["path"], content=b'{"a": 1}', headers={"Content-Type": kind}
        )
        assert_problem(sent, 422, "invalid-request")


@pytest.mark.ordinary
async def test_what_came_is_listed_by_pages(service: Service, user: Headers) -> None:
    inbox, other = await make(service, user), await make(service, user, title="Other")
    await put(service, other, "elsewhere")
    for number in range(5):
        if number % 2:
            form = [("file", (f"{number}-{n}", b"x")) for n in "ab"]
            await service.client.post(inbox["path"], files=form)
        else:
            await put(service, inbox, f"{number}")
    names, cursor = [], ""
    while cursor is not None:
        page = await whole(
            service, user, inbox, f"?limit=2&cursor={cursor}" if cursor else "?limit=2"
        )
        assert len(page["items"]) <= 2
        names += [item["name"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert names == ["4", "3-a and 1 more", "2", "1-a and 1 more", "0"]
    bad = await service.client.get(f"/v1/inboxes/{inbox['id']}?cursor=x", headers=user)
    assert bad.status_code == 400


async def test_what_came_outlives_its_inbox(service: Service, user: Headers) -> None:
    inbox = await make(service, user)
    await put(service, inbox)
    await service.client.delete(f"/v1/inboxes/{inbox['id']}", headers=user)
    (file,) = (await service.client.get("/v1/files", headers=user)).json()["items"]
    assert (file["name"], file["inbox_id"], file["inbox_title"]) == ("a.txt", None, None)
    assert await usage(service, user) == (5, 1)


@pytest.mark.ordinary
async def test_the_forms_of_the_pages(service: Service, user: Headers) -> None:
    client, headers = service.client, user | PAGE
    filled = {"title": "Photos", "max_files": "3", "max_mib": "1.5", "expires_in": "3600"}
    made = await client.post("/inboxes", data=filled, headers=headers)
    assert made.status_code == 303
    shown = await client.get(made.headers["location"], headers=headers)
    assert "Photos is open" in shown.text
    (inbox,) = (await client.get("/v1/inboxes", headers=user)).json()["items"]
    assert (inbox["max_files"], inbox["max_bytes"]) == (3, 3 * 2**19)
    page = f"/inboxes/{inbox['id']}"
    assert "Nothing yet." in (await client.get(page, headers=headers)).text
    wrongs = ({"title": ""}, {"max_files": "x"}, {"max_mib": "-1"}, {"expires_in": "9"})
    for wrong in wrongs:
        for path, act in (("/inboxes", {}), (page, {"act": "change"})):
            answer = await client.post(path, data=filled | wrong | act, headers=headers)
            if (path, wrong) == (page, {"title": ""}):
                assert answer.status_code == 303  # what is empty stays, if there has to be one
                continue
            assert answer.status_code == 422, (path, wrong)
            assert next(iter(wrong)) in answer.text
    changed = {"act": "change", "title": "Slides", "message": "All", "password": "secret"}
    assert (await client.post(page, data=changed, headers=headers)).status_code == 303
    (inbox,) = (await client.get("/v1/inboxes", headers=user)).json()["items"]
    assert (inbox["title"], inbox["message"], inbox["max_files"]) == ("Slides", "All", None)
    assert inbox["has_password"] is True
    opened = {"act": "change", "unprotected": "true"}
    assert (await client.post(page, data=opened, headers=headers)).status_code == 303
    assert (await whole(service, user, inbox))["has_password"] is False
    deleted = await client.post(page, data={"act": "delete"}, headers=headers)
    assert deleted.status_code == 303
    assert (await client.get(page, headers=headers)).status_code == 404


async def test_the_form_chooses_the_longest_time_that_a_tier_allows_below_the_usual(
    service: Service, user: Headers
) -> None:
    await set_tier(service, user, max_lifetime=3 * DAY)
    page = (await service.client.get("/inboxes", headers=user | PAGE)).text
    assert f'<option value="{3 * DAY}" selected>' in page
    assert page.count(" selected>") == 1
