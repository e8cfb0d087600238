"""Timelinks over HTTP: made and revoked by owners, opened and counted without a login."""

import asyncio
import base64
import hashlib
import os
import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, func, insert, select, update
from uuid_utils import uuid7

from app import clock
from app.accounts.tables import accounts, tiers
from app.dumps.tables import dumps
from app.files.tables import files
from app.links.expiry import KEPT
from app.links.tables import timelink_leases, timelinks
from app.objects.tables import object_bytes, objects
from app.pictures.tables import pictures
from app.security.rate_limits import LINK_MISSES, by_address
from tests.api.conftest import MakeSettings, Service, running
from tests.api.problems import assert_problem
from tests.api.shared import shared_fixtures, store_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

LARGE = 100_000  # bytes that do not fit into a row
PAGE = {"Accept": "text/html"}
DATA = b"hello"
DAY = 86_400

Headers = dict[str, str]
Json = dict[str, Any]


settings, service = shared_fixtures()


@pytest.fixture
async def user(service: Service) -> AsyncIterator[Headers]:
    """Headers of a new account."""
    _, headers = await service.sign_up()
    yield headers
    store_of(service).heal()


async def account_of(service: Service, user: Headers) -> str:
    account: Json = (await service.client.get("/v1/accounts/me", headers=user)).json()
    return str(account["id"])


async def make_blob(service: Service, user: Headers, data: bytes = DATA) -> str:
    url = "/v1/blobs/folder%2Fa.txt/content"
    headers = user | {"Content-Type": "text/plain"}
    put = await service.client.put(url, content=data, headers=headers)
    assert put.status_code in {200, 201}, put.text
    return "folder/a.txt"


async def make_file(service: Service, user: Headers, **fields: int) -> str:
    form = {"expires_in": "0"} | {name: str(value) for name, value in fields.items()}
    made = await service.client.post(
        "/v1/files", files={"file": ("a.txt", DATA)}, data=form, headers=user
    )
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def plant(service: Service, user: Headers, kind: str) -> str:
    """Put a dump or a picture into the database; how they get there is not tested here."""
    uuid, owner = str(uuid7()), await account_of(service, user)

    def write(connection: Connection) -> None:
        now = clock.now()
        account_id = connection.execute(
            select(accounts.c.id).where(accounts.c.uuid == owner)
        ).scalar_one()
        object_id = connection.execute(
            insert(objects)
            .values(
                account_id=account_id, kind=f"{kind}s", key=None, state="ready", size=len(DATA),
                sha256=bytes(32), charged_bytes=0, charged_slots=0, created_at=now,
            )
            .returning(objects.c.id)
        ).scalar_one()  # fmt: skip
        connection.execute(insert(object_bytes).values(object_id=object_id, data=DATA))
        row = {"uuid": uuid, "account_id": account_id, "object_id": object_id,
               "created_at": now, "modified_at": now}  # fmt: skip
        if kind == "dump":
            row |= {"original_name": "a.txt", "description": "", "archived": False,
                    "annotations": "{}", "search": "", "report_state": "none"}  # fmt: skip
            connection.execute(insert(dumps).values(row))
        else:
            row |= {"name": "a.txt", "format": "png", "width": 1, "height": 1,
                    "bare": f"[[0,{len(DATA)}]]"}  # fmt: skip
            connection.execute(insert(pictures).values(row))

    await service.runtime.parts.database.write(write)
    return uuid


async def make_target(service: Service, user: Headers, kind: str) -> str:
    if kind == "blob":
        return await make_blob(service, user)
    if kind == "file":
        return await make_file(service, user)
    return await plant(service, user, kind)


async def post(service: Service, user: Headers, **wanted: Any) -> httpx.Response:  # noqa: ANN401
    return await service.client.post("/v1/timelinks", json=wanted, headers=user)


async def make_link(
    service: Service,
    user: Headers,
    kind: str = "blob",
    target: str | None = None,
    **options: Any,  # noqa: ANN401 - of the body
) -> Json:
    target = target or await make_target(service, user, kind)
    body = {"kind": kind, "id": target, "time": 600} | options
    answer = await post(service, user, **body)
    assert answer.status_code == 201, answer.text
    link: Json = answer.json()
    return link


async def links(service: Service, user: Headers, query: str = "") -> list[Json]:
    answer = await service.client.get(f"/v1/timelinks{query}", headers=user)
    assert answer.status_code == 200, answer.text
    items: list[Json] = answer.json()["items"]
    return items


async def give_tier(service: Service, user: Headers, name: str) -> None:
    account = await account_of(service, user)

    def change(connection: Connection) -> None:
        tier = select(tiers.c.id).where(tiers.c.name == name).scalar_subquery()
        connection.execute(update(accounts).where(accounts.c.uuid == account).values(tier_id=tier))

    await service.runtime.parts.database.write(change)


async def pass_time(service: Service, seconds: int, user: Headers) -> None:
    """Let every file and link of an account be so much older."""
    account = await account_of(service, user)

    def shift(connection: Connection) -> None:
        own = select(accounts.c.id).where(accounts.c.uuid == account).scalar_subquery()
        for table in (files, timelinks):
            earlier = {
                name: table.c[name] - seconds * clock.SECOND
                for name in ("created_at", "expires_at")
            }
            connection.execute(update(table).where(table.c.account_id == own).values(earlier))

    await service.runtime.parts.database.write(shift)


def assert_private(answer: httpx.Response) -> None:
    """Assert that nobody keeps the answer, finds it, or learns of its URL."""
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["x-robots-tag"] == "noindex"


def basic(password: str, name: str = "") -> Headers:
    credentials = base64.b64encode(f"{name}:{password}".encode()).decode()
    return {"Authorization": f"Basic {credentials}"}


async def claim(service: Service, link: Json, headers: Headers | None = None) -> str:
    """Claim a download of a limited link; returns the URL of its lease."""
    answer = await service.client.get(f"{link['url']}?download=1", headers=headers)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


async def left(service: Service, link: Json) -> int:
    """Return how many downloads a limited link has left."""
    facts = (await service.client.get(link["url"])).json()
    return int(facts["downloads_left"])


# --- what owners do


@pytest.mark.ordinary
@pytest.mark.parametrize("kind", ["blob", "file", "dump", "picture"])
async def test_a_link_to_each_kind_gives_its_bytes(
    service: Service, user: Headers, kind: str
) -> None:
    await give_tier(service, user, "Enterprise")
    target = await make_target(service, user, kind)

    link = await make_link(service, user, kind, target)

    assert link | {
        "kind": kind, "target": target, "state": "active", "time": 600, "downloads": 0,
        "max_downloads": None, "has_password": False,
    } == link  # fmt: skip
    assert 598 <= link["time_left"] <= 600
    assert re.fullmatch(r"http://test/t/[A-Za-z0-9_-]{22}", link["url"])
    assert await links(service, user, "?state=active") == [link | {"time_left": ANY}]
    got = await service.client.get(link["url"])
    assert (got.status_code, got.content) == (200, DATA)
    name = "a.txt.png" if kind == "picture" else "a.txt"  # that of a picture has its format's
    assert f'filename="{name}"' in got.headers["content-disposition"]
    assert_private(got)


class _Any:
    def __eq__(self, other: object) -> bool:
        return isinstance(other, int)

    __hash__ = None  # type: ignore[assignment]


ANY: Any = _Any()


WRONG: list[Json] = [
    {"time": 299}, {"time": 30 * DAY + 1}, {"time": None}, {"time": "soon"}, {"time": 10**30},
    {"kind": "folder"}, {"kind": None}, {"id": ""}, {"id": None}, {"id": "a\0"},
    {"id": "x" * 256}, {"max_downloads": 0}, {"max_downloads": -1}, {"max_downloads": 1.5},
    {"max_downloads": 10**12}, {"password": ""}, {"password": "x" * 129},
    {"password": "a\0"},
]  # fmt: skip


async def test_bad_links_are_refused(service: Service, user: Headers) -> None:
    await make_blob(service, user)
    good = {"kind": "blob", "id": "folder/a.txt", "time": 300}
    for wrong in WRONG:
        problem = assert_problem(await post(service, user, **(good | wrong)), 422)
        assert problem["errors"][0]["loc"] == ["body", *wrong]
    assert await links(service, user) == []
    assert (await post(service, user, **good)).status_code == 201
    assert (await post(service, user, **(good | {"time": 30 * DAY}))).status_code == 201


async def test_settings_say_how_long_a_link_may_live(make_settings: MakeSettings) -> None:
    async with running(make_settings(min_link_time=5, max_link_time=10)) as service:
        _, user = await service.sign_up()
        await make_blob(service, user)
        for time, status in ((4, 422), (5, 201), (10, 201), (11, 422)):
            answer = await post(service, user, kind="blob", id="folder/a.txt", time=time)
            assert answer.status_code == status, time


@pytest.mark.parametrize("kind", ["blob", "file", "dump", "picture"])
async def test_what_is_not_there_or_anothers_cannot_be_linked(
    service: Service, user: Headers, kind: str
) -> None:
    await give_tier(service, user, "Enterprise")
    _, other = await service.sign_up()
    theirs = await make_target(service, other, kind)
    for target in (theirs, "no such thing", "0190f5fe-0000-7000-8000-000000000000"):
        assert_problem(await post(service, user, kind=kind, id=target, time=300), 404)


@pytest.mark.ordinary
async def test_links_to_pictures_take_a_tier(service: Service, user: Headers) -> None:
    await make_blob(service, user)
    picture = await plant(service, user, "picture")
    for tier in ("Basic", "Premium"):
        await give_tier(service, user, tier)
        assert_problem(await post(service, user, kind="picture", id=picture, time=300), 403)
        await make_link(service, user, "blob", "folder/a.txt")
    await give_tier(service, user, "Enterprise")
    link = await make_link(service, user, "picture", picture)
    assert (await service.client.get(link["url"])).headers["content-type"] == "image/png"

    await give_tier(service, user, "Premium")

    assert_problem(await service.client.get(link["url"]), 404)
    states = {item["kind"]: item["state"] for item in await links(service, user)}
    assert states == {"picture": "expired", "blob": "active"}
    assert link["id"] in [i["id"] for i in await links(service, user, "?state=expired")]
    await give_tier(service, user, "Enterprise")
    assert (await service.client.get(link["url"])).status_code == 200


async def test_a_link_ends_no_later_than_its_file(service: Service, user: Headers) -> None:
    file = await make_file(service, user, expires_in=400)
    expires_at = (await service.client.get(f"/v1/files/{file}", headers=user)).json()["expires_at"]
    link = await make_link(service, user, "file", file, time=600)
    assert (link["expires_at"], link["time"]) == (expires_at, 600)

    async def changed(expires_in: int) -> tuple[str, str]:
        """Return the ends of the file and of the link."""
        answer = await service.client.patch(
            f"/v1/files/{file}", json={"expires_in": expires_in}, headers=user
        )
        (found,) = [i for i in await links(service, user) if i["id"] == link["id"]]
        return answer.json()["expires_at"], found["expires_at"]

    end_of_file, end = await changed(100)
    assert end == end_of_file
    end_of_file, end = await changed(3000)
    assert end < end_of_file
    assert seconds(end) - seconds(link["created_at"]) == 600
    assert (await changed(0))[1] == end
    await pass_time(service, 601, user)
    assert_problem(await service.client.get(link["url"]), 404)


async def test_a_link_is_no_good_when_its_file_has_gone(service: Service, user: Headers) -> None:
    """Whatever the link itself says: its row may be behind."""
    file = await make_file(service, user, expires_in=600)
    link = await make_link(service, user, "file", file, max_downloads=2)
    lease = await claim(service, link)

    def expire(connection: Connection) -> None:
        gone = update(files).where(files.c.uuid == file).values(expires_at=clock.now())
        connection.execute(gone)

    await service.runtime.parts.database.write(expire)
    for url in (link["url"], lease, f"{link['url']}?download=1"):
        assert_problem(await service.client.get(url), 404)
    assert_problem(await service.client.post(link["url"]), 404)
    assert {i["state"] for i in await links(service, user)} == {"expired"}


def seconds(moment: str) -> int:
    from datetime import datetime

    return clock.from_datetime(datetime.fromisoformat(moment)) // clock.SECOND


async def test_keys_need_to_read_what_they_link_to(service: Service, user: Headers) -> None:
    target = await make_blob(service, user)

    async def key(*scopes: str) -> Headers:
        body = {"name": "k", "scopes": scopes}
        made = await service.client.post("/v1/accounts/me/keys", json=body, headers=user)
        return {"Authorization": f"Bearer {made.json()['key']}"}

    wanted = {"kind": "blob", "id": target, "time": 300}
    for scopes in (
        ["timelinks:write"],
        ["timelinks:write", "files:read", "dumps:read", "pictures:read", "blobs:write"],
        ["timelinks:read", "blobs:read"],
    ):
        assert_problem(await post(service, await key(*scopes), **wanted), 403)
    able = await key("timelinks:write", "blobs:read")
    link = (await post(service, able, **wanted)).json()
    assert_problem(await service.client.get("/v1/timelinks", headers=able), 403)
    reading = await key("timelinks:read")
    assert [i["url"] for i in await links(service, reading)] == [link["url"]]
    url = f"/v1/timelinks/{link['id']}"
    assert_problem(await service.client.delete(url, headers=reading), 403)
    assert (await service.client.delete(url, headers=able)).status_code == 204


async def test_lists_tell_active_links_from_those_that_ended(
    service: Service, user: Headers
) -> None:
    target = await make_blob(service, user)
    file = await make_file(service, user)
    made = {
        name: (await make_link(service, user, kind, of, **options))["id"]
        for name, kind, of, options in (
            ("used up", "blob", target, {"max_downloads": 1}),
            ("half used", "blob", target, {"max_downloads": 2}),
            ("short", "blob", target, {"time": 300}),
            ("revoked", "blob", target, {}),
            ("without its file", "file", file, {}),
            ("fine", "blob", target, {}),
        )
    }
    by_id = {i["id"]: i for i in await links(service, user)}
    for name in ("used up", "half used"):
        url = by_id[made[name]]["url"]
        assert (await service.client.get(f"{url}?download=1")).status_code == 303
    await service.client.delete(f"/v1/timelinks/{made['revoked']}", headers=user)
    await service.client.delete(f"/v1/files/{file}", headers=user)
    await pass_time(service, 400, user)

    active = await links(service, user, "?state=active")
    ended = await links(service, user, "?state=expired")

    assert [i["id"] for i in active] == [made["fine"], made["half used"]]
    assert [i["id"] for i in ended] == [
        made[name] for name in ("without its file", "revoked", "short", "used up")
    ]
    assert {i["state"] for i in active} == {"active"}
    assert {i["state"] for i in ended} == {"expired"}
    assert {i["time_left"] for i in ended} == {0}
    assert {i["time_left"] for i in active} <= {198, 199, 200}
    by_id = {i["id"]: i for i in active + ended}
    assert [by_id[made[name]]["downloads"] for name in ("used up", "half used")] == [1, 1]
    assert (by_id[made["without its file"]]["target"], by_id[made["fine"]]["target"]) == (
        None, target,
    )  # fmt: skip
    everything = await links(service, user)
    assert [i["id"] for i in everything] == list(reversed(made.values()))
    assert_problem(await service.client.get("/v1/timelinks?state=x", headers=user), 422)


@pytest.mark.ordinary
async def test_lists_come_in_pages(service: Service, user: Headers) -> None:
    target = await make_blob(service, user)
    made = [(await make_link(service, user, "blob", target))["id"] for _ in range(5)]
    for state in ("", "&state=active"):
        seen, cursor = [], ""
        for expected in (2, 2, 1):
            url = f"/v1/timelinks?limit=2{state}{cursor}"
            page = (await service.client.get(url, headers=user)).json()
            assert len(page["items"]) == expected
            seen += [item["id"] for item in page["items"]]
            cursor = f"&cursor={page['next_cursor']}"
        assert (seen, page["next_cursor"]) == (made[::-1], None)
    assert_problem(await service.client.get("/v1/timelinks?cursor=x", headers=user), 400)


@pytest.mark.ordinary
async def test_names_are_searched_and_lists_sorted(service: Service, user: Headers) -> None:
    blob, file = await make_blob(service, user), await make_file(service, user, expires_in=0)
    targets = {"blob": blob, "file": file}
    made = {
        name: await make_link(service, user, kind, targets[kind], time=time, max_downloads=3)
        for name, kind, time in (("a", "blob", 900), ("b", "file", 300), ("c", "blob", 600))
    }
    for name in "aac":
        await claim(service, made[name])
    names = {link["id"]: name for name, link in made.items()}

    async def listed(query: str) -> str:
        page = (await service.client.get(f"/v1/timelinks?limit=1&{query}", headers=user)).json()
        rest = await links(service, user, f"?{query}&cursor={page['next_cursor']}")
        return "".join(names[link["id"]] for link in page["items"] + rest)

    assert await listed("sort=ends&state=active") == "bca"
    assert await listed("sort=used") == "acb"
    assert await listed("q=FOLDER") == "ca"
    assert await listed("q=folder&sort=used") == "ac"
    assert await links(service, user, "?q=nothing") == []


async def test_a_link_is_its_owners_alone(service: Service, user: Headers) -> None:
    link = await make_link(service, user)
    _, other = await service.sign_up()
    url = f"/v1/timelinks/{link['id']}"
    assert await links(service, other) == []
    assert_problem(await service.client.delete(url, headers=other), 404)
    assert_problem(await service.client.get(f"{url}/qr", headers=other), 404)
    assert_problem(await service.client.delete(url), 401)
    assert (await service.client.get(link["url"])).status_code == 200


async def test_the_qr_code_goes_when_the_link_ends(service: Service, user: Headers) -> None:
    link = await make_link(service, user)
    url = f"/v1/timelinks/{link['id']}"
    for query, kind in (("", "svg+xml"), ("?format=svg", "svg+xml"), ("?format=png", "png")):
        got = await service.client.get(f"{url}/qr{query}", headers=user)
        assert (got.status_code, got.headers["content-type"]) == (200, f"image/{kind}")
    assert (await service.client.delete(url, headers=user)).status_code == 204
    assert_problem(await service.client.get(f"{url}/qr", headers=user), 404)


async def test_only_a_hash_of_the_token_is_kept(service: Service, user: Headers) -> None:
    link = await make_link(service, user, max_downloads=2)
    token = link["url"].rpartition("/")[2]
    lease = (await claim(service, link)).partition("lease=")[2]
    raw = base64.urlsafe_b64decode(token + "==")
    assert (len(raw), len(lease)) == (16, 22)

    def read(connection: Connection) -> str:
        tables = (timelinks, timelink_leases)
        return repr([tuple(row) for t in tables for row in connection.execute(select(t))])

    kept = await service.runtime.parts.database.read(read)
    for secret in (token, lease, repr(raw)[2:-1], raw.hex()):
        assert secret not in kept


async def test_links_are_made_from_the_public_url(make_settings: MakeSettings) -> None:
    options = {"public_url": "https://example.org/holdall", "registration": "open"}
    async with running(make_settings(**options)) as service:
        _, user = await service.sign_up()
        link = await make_link(service, user, max_downloads=2)
        assert link["url"].startswith("https://example.org/holdall/t/")
        path = link["url"].removeprefix("https://example.org")
        facts = (await service.client.get(path)).json()
        assert facts["download"] == f"{path}/a.txt?download=1"
        for taken in (await service.client.post(path), await service.client.get(facts["download"])):
            lease = taken.headers["location"]
            assert lease.startswith(f"{path}/a.txt?lease=")
            assert (await service.client.get(lease)).content == DATA
        assert f" https://example.org{lease}\n" in taken.text
        assert "Path=/holdall/t/" in taken.headers["set-cookie"]
        assert "Secure" in taken.headers["set-cookie"]


# --- what visitors get


async def test_a_program_gets_the_bytes_of_an_unlimited_link(
    service: Service, user: Headers
) -> None:
    data = bytes(i % 251 for i in range(LARGE))
    link = await make_link(service, user, "blob", await make_blob(service, user, data))
    for query in ("", "?download=1", "?inline=1"):
        got = await service.client.get(link["url"] + query)
        assert (got.status_code, got.content) == (200, data)
        shown = "inline" if "inline" in query else "attachment"
        assert got.headers["content-disposition"].partition(";")[0] == shown
        assert_private(got)
    part = await service.client.get(link["url"], headers={"Range": "bytes=1000-1999"})
    assert (part.status_code, part.content) == (206, data[1000:2000])
    assert_private(part)
    head = await service.client.head(link["url"])
    assert (head.status_code, head.headers["content-length"], head.content) == (
        200, str(LARGE), b"",
    )  # fmt: skip
    same = await service.client.get(link["url"], headers={"If-None-Match": head.headers["etag"]})
    assert same.status_code == 304
    beyond = await service.client.get(link["url"], headers={"Range": f"bytes={LARGE}-"})
    assert_problem(beyond, 416)
    assert_private(beyond)
    taken = await service.client.post(link["url"])
    assert (taken.status_code, taken.headers["location"][-11:]) == (303, "?download=1")
    assert (await links(service, user))[0]["downloads"] == 0


async def test_on_a_limited_link_bytes_must_be_asked_for(service: Service, user: Headers) -> None:
    link = await make_link(service, user, max_downloads=2)
    url = link["url"]

    for query in ("", "?inline=1", "?download=0"):
        facts = await service.client.get(url + query)
        assert facts.json() == {
            "name": "folder/a.txt", "content_type": "text/plain", "size": 5,
            "expires_at": link["expires_at"], "time_left": ANY, "downloads_left": 2, "note": None,
            "download": f"{url.removeprefix('http://test')}/a.txt?download=1",
        }  # fmt: skip
        assert_private(facts)
        assert (await service.client.get(url + query, headers=PAGE)).status_code == 200
    for query in ("", "?download=1"):
        assert (await service.client.head(url + query)).status_code == 200
    assert (await service.client.head(f"{url}?download=1")).headers["content-length"] == "5"

    assert await left(service, link) == 2
    for status in (303, 303, 404, 404):
        got = await service.client.get(f"{url}?download=1")
        assert got.status_code == status
        assert_private(got)
    for headers in ({}, PAGE):
        assert (await service.client.get(url, headers=headers)).status_code == 404
    assert (await service.client.head(f"{url}?download=1")).status_code == 404


async def test_a_lease_is_good_for_ranges_and_retries(service: Service, user: Headers) -> None:
    data = bytes(i % 251 for i in range(LARGE))
    target = await make_blob(service, user, data)
    link = await make_link(service, user, "blob", target, max_downloads=1)
    lease = await claim(service, link, {"Range": "bytes=0-9"})
    got = await service.client.get(lease, headers={"Range": "bytes=0-9"})
    assert (got.status_code, got.content) == (206, data[:10])

    for _ in range(3):
        again = await service.client.get(lease)
        assert (again.status_code, again.content) == (200, data)
        assert_private(again)
        part = await service.client.get(
            lease, headers={"Range": "bytes=10-", "If-Range": got.headers["etag"]}
        )
        assert (part.status_code, part.content) == (206, data[10:])
        assert (await service.client.head(lease)).status_code == 200
        assert (await service.client.get(lease, headers=PAGE)).content == data
    (own,) = await links(service, user)
    assert (own["downloads"], own["state"]) == (1, "expired")

    other = await make_link(service, user, "blob", target, max_downloads=1)
    secret = lease.partition("?")[2]
    for url in (f"{other['url']}?{secret}", f"{lease}x", f"{link['url']}?lease=", f"{lease[:-1]}"):
        assert_problem(await service.client.get(url), 404)
    assert await left(service, other) == 1


@pytest.mark.parametrize("ending", ["revoked", "expired", "replaced", "deleted"])
async def test_a_lease_ends_with_link_or_object(
    service: Service, user: Headers, ending: str
) -> None:
    link = await make_link(service, user, max_downloads=2)
    lease = await claim(service, link)
    if ending == "revoked":
        await service.client.delete(f"/v1/timelinks/{link['id']}", headers=user)
    elif ending == "expired":
        await pass_time(service, 600, user)
    elif ending == "replaced":
        await make_blob(service, user, b"other")
        assert (await service.client.get(lease)).content == b"other"
        assert await left(service, link) == 1
        return
    else:
        await service.client.delete("/v1/blobs/folder%2Fa.txt", headers=user)
    for url in (lease, link["url"], f"{link['url']}?download=1"):
        assert_problem(await service.client.get(url), 404)
    assert_problem(await service.client.post(link["url"]), 404)


@pytest.mark.ordinary
async def test_revoking_counts_while_a_download_runs(service: Service, user: Headers) -> None:
    target = await make_blob(service, user, bytes(LARGE))
    link = await make_link(service, user, "blob", target, max_downloads=2)
    lease = await claim(service, link)
    stalled = store_of(service).stall("open", moment="midway")
    running_one = asyncio.create_task(service.client.get(lease))
    await stalled.reached.wait()
    revoked = await service.client.delete(f"/v1/timelinks/{link['id']}", headers=user)
    assert revoked.status_code == 204
    stalled.go.set()
    assert (await running_one).content == bytes(LARGE)
    assert_problem(await service.client.get(lease), 404)


@pytest.mark.ordinary
@pytest.mark.parametrize(("limit", "size"), [(1, 5), (7, 5), (7, LARGE)])
async def test_as_many_get_the_bytes_as_may(
    service: Service, user: Headers, limit: int, size: int
) -> None:
    target = await make_blob(service, user, bytes(size))
    link = await make_link(service, user, "blob", target, max_downloads=limit)
    got = [service.client.get(f"{link['url']}?download=1") for _ in range(25)]
    taken = [service.client.post(link["url"]) for _ in range(25)]
    seen = [service.client.head(f"{link['url']}?download=1") for _ in range(5)]

    answers = await asyncio.gather(*got, *taken, *seen)

    claimed = [a for a in answers[:50] if a.status_code != 404]
    assert len(claimed) == limit
    assert {a.status_code for a in claimed} == {303}
    refused = [a for a in answers[:50] if a.status_code == 404]
    assert len({anonymous(a) for a in refused}) == 1
    where = [a.headers["location"] for a in claimed]
    assert len(set(where)) == limit
    for url in where:
        assert (await service.client.get(url)).content == bytes(size)
    (own,) = await links(service, user)
    assert own["downloads"] == limit


def anonymous(answer: httpx.Response) -> str:
    """Return all of an answer but what it says of its own request."""
    path = answer.request.url.raw_path.decode().partition("?")[0]
    kept = {n: v for n, v in answer.headers.items() if n not in {"x-request-id", "content-length"}}
    return f"{answer.status_code} {sorted(kept.items())} {answer.text.replace(path, '')}"


async def test_a_password_is_asked_for(service: Service, user: Headers) -> None:
    password = "pässword: 密 "
    link = await make_link(service, user, password=password)
    assert link["has_password"]
    assert password not in str(link)
    for query in ("", "?download=1", "?inline=1"):
        for headers in ({}, basic("wrong"), basic(""), {"Authorization": "Bearer x"},
                        {"Authorization": "Basic !"}):  # fmt: skip
            for method in ("GET", "HEAD"):
                answer = await service.client.request(method, link["url"] + query, headers=headers)
                assert answer.status_code == 401
                challenge = answer.headers["www-authenticate"]
                assert challenge == 'Basic realm="Holdall", charset="UTF-8"'
                assert_private(answer)
        for name in ("", "anybody", "é"):
            got = await service.client.get(link["url"] + query, headers=basic(password, name))
            assert (got.status_code, got.content) == (200, DATA)


async def test_a_password_and_a_limit(service: Service, user: Headers) -> None:
    link = await make_link(service, user, password="secret", max_downloads=2)
    url = f"{link['url']}?download=1"
    assert (await service.client.get(url)).status_code == 401
    assert (await service.client.get(url, headers=basic("wrong"))).status_code == 401
    facts = await service.client.get(link["url"], headers=basic("secret"))
    assert facts.json()["downloads_left"] == 2
    lease = await claim(service, link, basic("secret"))
    assert (await service.client.get(lease)).content == DATA
    taken = await service.client.post(link["url"], headers=basic("secret"))
    assert (taken.status_code, taken.headers["location"].count("secret")) == (303, 0)
    assert (await service.client.get(taken.headers["location"])).content == DATA
    assert (await service.client.get(url, headers=basic("secret"))).status_code == 404
    assert (await service.client.get(url)).status_code == 404


async def test_a_form_sends_the_password(service: Service, user: Headers) -> None:
    link = await make_link(service, user, password="secret")
    for form in ({}, {"password": ""}, {"password": "wrong"}):
        answer = await service.client.post(link["url"], data=form)
        assert answer.status_code == 401
        assert_private(answer)
    taken = await service.client.post(link["url"], data={"password": "secret"})
    assert (taken.status_code, taken.content) == (303, b"")
    assert_private(taken)
    got = await service.client.get(taken.headers["location"])
    assert (got.status_code, got.content) == (200, DATA)
    assert (await links(service, user))[0]["downloads"] == 0
    too_large = await service.client.post(link["url"], data={"password": "x" * 70_000})
    assert too_large.status_code == 413
    text = {"Content-Type": "text/plain"}
    bad = await service.client.post(link["url"], content=b"secret", headers=text)
    assert_problem(bad, 422)


@pytest.mark.ordinary
async def test_wrong_passwords_are_limited(make_settings: MakeSettings) -> None:
    async with running(make_settings(rate_limits="on")) as service:
        _, user = await service.sign_up()
        link = await make_link(service, user, password="secret")
        other = await make_link(service, user, "blob", "folder/a.txt", password="secret")

        async def attempt(password: str, of: Json = link) -> int:
            return (await service.client.get(of["url"], headers=basic(password))).status_code

        assert [await attempt("secret") for _ in range(12)] == [200] * 12
        at_once = await asyncio.gather(*[attempt("wrong") for _ in range(30)])
        # as many as there are processors are tried at once
        assert 10 <= at_once.count(401) < 10 + (os.cpu_count() or 1)
        assert at_once.count(401) + at_once.count(429) == 30
        refused = await service.client.get(link["url"], headers=basic("secret"))
        assert refused.status_code == 429
        assert 0 < int(refused.headers["retry-after"]) <= 300
        posted = await service.client.post(link["url"], data={"password": "secret"})
        assert posted.status_code == 429
        assert await attempt("secret", other) == 200


@pytest.mark.slow("scaled")
async def test_guesses_are_limited_and_good_links_are_not(make_settings: MakeSettings) -> None:
    options = {"rate_limits": "on", "trusted_proxies": "127.0.0.1", "registration": "open"}
    async with running(make_settings(**options)) as service:
        _, user = await service.sign_up()
        link = await make_link(service, user, max_downloads=1)
        here, elsewhere = ({"X-Forwarded-For": f"2001:db8:{n}::1"} for n in ("a", "b"))
        client = service.client
        counter = by_address(LINK_MISSES, "2001:db8:a::1")[0]
        for _ in range(LINK_MISSES.limit - 3):
            await service.runtime.parts.rate_limits.count(*counter)
        for _ in range(10):
            assert (await client.head(link["url"], headers=here)).status_code == 200
        assert (await client.get(f"{link['url']}?download=1", headers=here)).status_code == 303
        assert (await client.head(f"/t/{'A' * 22}", headers=here)).status_code == 404
        assert (await client.post(link["url"], headers=here)).status_code == 404
        leased = await client.get(f"/t/x?lease={'A' * 22}", headers=here)
        assert leased.status_code == 404
        other = await make_link(service, user, "blob", "folder/a.txt")
        for headers in (here, here | PAGE):
            for url in ("/t/x", other["url"]):
                refused = await client.get(url, headers=headers)
                assert refused.status_code == 429
                assert 0 < int(refused.headers["retry-after"]) <= 300
                assert_private(refused)
        assert (await client.get(other["url"], headers=elsewhere)).content == DATA


async def test_whatever_the_reason_it_is_the_same_404(service: Service, user: Headers) -> None:
    await give_tier(service, user, "Enterprise")
    target = await make_blob(service, user)
    urls = {}
    for reason in ("used up", "revoked", "expired"):
        options = {"max_downloads": 1} if reason == "used up" else {}
        link = await make_link(service, user, "blob", target, **options)
        urls[reason] = link["url"]
    assert (await service.client.get(f"{urls['used up']}?download=1")).status_code == 303
    ids = [i["id"] for i in await links(service, user)]
    await service.client.delete(f"/v1/timelinks/{ids[1]}", headers=user)
    await pass_time(service, 600, user)
    file = await make_file(service, user, expires_in=600)
    urls["file expired"] = (await make_link(service, user, "file", file))["url"]
    await pass_time(service, 600, user)
    picture = await plant(service, user, "picture")
    urls["tier"] = (await make_link(service, user, "picture", picture))["url"]
    await give_tier(service, user, "Basic")
    dump = await plant(service, user, "dump")
    urls["password, revoked"] = (await make_link(service, user, "dump", dump, password="x"))["url"]
    await service.client.delete(
        f"/v1/timelinks/{(await links(service, user))[0]['id']}", headers=user
    )
    urls |= {"unknown": "/t/AAAAAAAAAAAAAAAAAAAAAA", "short": "/t/x", "long": f"/t/{'x' * 2000}"}
    for headers in ({}, PAGE, basic("x")):
        for query in ("", "?download=1", "?inline=1", f"?lease={'A' * 22}"):
            answers = {
                reason: await service.client.get(url + query, headers=headers)
                for reason, url in urls.items()
            }
            assert {a.status_code for a in answers.values()} == {404}
            assert len({anonymous(a) for a in answers.values()}) == 1, query
            assert_private(next(iter(answers.values())))
    for url in urls.values():
        assert_problem(await service.client.post(url, data={"password": "x"}), 404)


async def test_links_rest_while_their_account_does(service: Service, user: Headers) -> None:
    link = await make_link(service, user, max_downloads=5)
    lease = await claim(service, link)
    account = await account_of(service, user)

    async def set_active(*, is_active: bool) -> None:
        def change(connection: Connection) -> None:
            own = accounts.c.uuid == account
            connection.execute(update(accounts).where(own).values(is_active=is_active))

        await service.runtime.parts.database.write(change)

    await set_active(is_active=False)
    for url in (link["url"], lease, f"{link['url']}?download=1"):
        assert_problem(await service.client.get(url), 404)
    await set_active(is_active=True)
    assert (await service.client.get(lease)).content == DATA
    assert await left(service, link) == 4


@pytest.mark.ordinary
async def test_a_deleted_account_takes_its_links_along(service: Service, user: Headers) -> None:
    link = await make_link(service, user, max_downloads=5)
    lease = await claim(service, link)
    body = {"password": "correct horse battery"}
    gone = await service.client.post("/v1/accounts/me/delete", json=body, headers=user)
    assert gone.status_code == 204
    for url in (link["url"], lease):
        assert_problem(await service.client.get(url), 404)
    assert await count_rows(service, link, lease) == (1, 1)
    while await service.runtime.parts.purge.run_once(clock.now()):
        pass
    assert await count_rows(service, link, lease) == (0, 0)


async def count_rows(service: Service, link: Json, lease: str) -> tuple[int, int]:
    """Return how many rows there are of a link, and of a lease, by its URL."""
    digest = hashlib.sha256(lease.partition("lease=")[2].encode()).digest()

    def count(connection: Connection) -> tuple[int, int]:
        own = select(func.count()).where(timelinks.c.uuid == link["id"])
        leases = select(func.count()).where(timelink_leases.c.hash == digest)
        return connection.execute(own).scalar_one(), connection.execute(leases).scalar_one()

    return await service.runtime.parts.database.read(count)


@pytest.mark.ordinary
async def test_links_that_ended_are_listed_for_thirty_days(service: Service, user: Headers) -> None:
    target = await make_blob(service, user)
    link = await make_link(service, user, "blob", target, max_downloads=1)
    revoked = await make_link(service, user, "blob", target, time=30_000)
    lease = await claim(service, link)
    await service.client.delete(f"/v1/timelinks/{revoked['id']}", headers=user)
    file = await make_file(service, user, expires_in=600)
    await service.client.delete(f"/v1/files/{file}", headers=user)

    async def clean() -> list[str]:
        while await service.runtime.parts.expiry.run_once(clock.now()):
            pass
        return [i["id"] for i in await links(service, user)]

    own = (await links(service, user))[0]["id"]
    await pass_time(service, 30 * DAY - 10, user)
    assert await clean() == [own, revoked["id"], link["id"]]
    assert await count_rows(service, link, lease) == (1, 1)
    await pass_time(service, 20, user)
    assert await clean() == [link["id"]]
    assert await links(service, user, "?state=active") == []
    due = await service.runtime.parts.expiry.next_due(clock.now())
    assert due is not None
    assert due <= clock.now() + 600 * clock.SECOND
    await pass_time(service, 600, user)
    assert await clean() == []
    assert await count_rows(service, link, lease) == (0, 0)
    assert KEPT == 30 * DAY * clock.SECOND


async def test_other_methods_are_refused(service: Service, user: Headers) -> None:
    link = await make_link(service, user)
    # before it is known what a token is for, it may be an inbox's
    for method, of_inboxes in (("PUT", ""), ("DELETE", ", PUT"), ("PATCH", ", PUT")):
        answer = await service.client.request(method, link["url"])
        assert answer.status_code == 405
        assert answer.headers["allow"] == f"GET, HEAD, POST{of_inboxes}"


async def test_the_page_of_links_is_asked_for_nothing_that_no_database_knows(
    service: Service,
) -> None:
    _, ada = await service.sign_up()
    for kind in ("blob", "file"):
        for unknown, status in (("none", 200), ("%00", 422), ("a%00b", 422)):
            answer = await service.client.get(
                f"/links?kind={kind}&id={unknown}", headers=ada | PAGE
            )
            assert answer.status_code == status, (kind, unknown)
