"""Bundles over HTTP: made, filled, changed, evicted, ended."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, func, select, update

from app import clock
from app.accounts.tables import accounts
from app.bundles import filling
from app.bundles.tables import bundle_members, bundles
from app.files.tables import files
from app.objects.tables import objects
from tests.api.allowances import set_tier, usage
from tests.api.conftest import Service
from tests.api.crash_forms import make_key
from tests.api.problems import assert_problem
from tests.api.shared import shared_fixtures, store_of
from tests.api.tus_client import append, create
from tests.pictures import encoded, quarters

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

EXPIRE_TIME = 7000
MAX_FILES = 3
LARGE = bytes(i % 251 for i in range(100_000))

Headers = dict[str, str]
Json = dict[str, Any]


settings, service = shared_fixtures(
    expire_time=EXPIRE_TIME, max_files=MAX_FILES, default_tier="Enterprise"
)


@pytest.fixture
async def user(service: Service) -> AsyncIterator[Headers]:
    """Headers of a new account; at last nothing is left of what its bundles owned."""
    account, headers = await service.sign_up()
    yield headers
    store_of(service).heal()
    cursor: Json = (await service.client.get("/v1/bundles?limit=1000", headers=headers)).json()
    for bundle in cursor["items"]:
        await service.client.delete(f"/v1/bundles/{bundle['id']}", headers=headers)
    charged, kept = await service.runtime.parts.database.read(_charges, account["id"])
    assert charged == kept


def _charges(connection: Connection, uuid: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return what an account is charged for, and what its objects of resources take."""
    account = connection.execute(select(accounts).where(accounts.c.uuid == uuid)).one()
    own = (objects.c.account_id == account.id) & (objects.c.charged_slots > 0)
    of_objects = select(func.coalesce(func.sum(objects.c.size), 0), func.count()).where(own)
    of_bundles = select(bundle_members.c.id).where(bundle_members.c.account_id == account.id)
    assert connection.execute(of_bundles).all() == []
    size, number = connection.execute(of_objects).one()
    return (account.used_bytes, account.used_objects), (int(size), number)


async def make(service: Service, user: Headers, **options: object) -> Json:
    made = await service.client.post("/v1/bundles", json=options, headers=user)
    assert made.status_code == 201, made.text
    assert made.headers["location"] == f"/v1/bundles/{made.json()['id']}"
    body: Json = made.json()
    return body


async def add(
    service: Service, user: Headers, bundle: Json, *sent: tuple[str, bytes]
) -> list[Json]:
    form = [("file", one) for one in sent]
    added = await service.client.post(f"/v1/bundles/{bundle['id']}/items", files=form, headers=user)
    assert added.status_code == 201, added.text
    items: list[Json] = added.json()["items"]
    return items


async def point(
    service: Service, user: Headers, bundle: Json, kind: str, thing: str
) -> httpx.Response:
    url = f"/v1/bundles/{bundle['id']}/items"
    return await service.client.post(url, json={"kind": kind, "id": thing}, headers=user)


async def get(service: Service, user: Headers, bundle: Json) -> Json:
    answer = await service.client.get(f"/v1/bundles/{bundle['id']}", headers=user)
    assert answer.status_code == 200, answer.text
    body: Json = answer.json()
    return body


async def names(service: Service, user: Headers, bundle: Json) -> list[str]:
    return [item["name"] for item in (await get(service, user, bundle))["items"]]


async def send_file(service: Service, user: Headers, name: str = "a.txt", **fields: object) -> Json:
    form = {name: str(value) for name, value in fields.items()}
    made = await service.client.post(
        "/v1/files", files={"file": (name, b"hello")}, data=form, headers=user
    )
    assert made.status_code == 201, made.text
    body: Json = made.json()
    return body


async def test_a_bundle_is_an_ordered_set_of_files_that_it_owns(
    service: Service, user: Headers
) -> None:
    bundle = await make(service, user, name="Holiday", note="For Ada")
    assert (bundle["name"], bundle["note"], bundle["is_open"]) == ("Holiday", "For Ada", True)
    assert (bundle["items"], bundle["count"], bundle["size"]) == ([], 0, 0)
    assert "/t/" in bundle["link"]

    items = await add(service, user, bundle, ("b.txt", b"bb"), ("a.bin", LARGE))
    assert [item["name"] for item in items] == ["b.txt", "a.bin"]
    assert items[1]["sha256"] == hashlib.sha256(LARGE).hexdigest()
    assert [item["content_type"] for item in items] == ["text/plain", "application/octet-stream"]
    assert {item["target"] for item in items} == {None}
    found = await get(service, user, bundle)
    assert found["items"] == items
    assert (found["count"], found["size"]) == (2, 2 + len(LARGE))
    assert await usage(service, user) == (2 + len(LARGE), 2)

    url = f"/v1/bundles/{bundle['id']}/items/{items[1]['id']}"
    assert (await service.client.get(url, headers=user)).json() == items[1]
    part = user | {"Range": "bytes=10-19"}
    content = await service.client.get(f"{url}/content", headers=part)
    assert (content.status_code, content.content) == (206, LARGE[10:20])
    assert (await service.client.get("/v1/files", headers=user)).json()["items"] == []


async def test_what_it_owns_goes_with_it_at_once(service: Service, user: Headers) -> None:
    bundle = await make(service, user)
    await add(service, user, bundle, ("a", LARGE), ("b", b"b"))
    gone = await service.client.delete(f"/v1/bundles/{bundle['id']}", headers=user)
    assert gone.status_code == 204
    assert await usage(service, user) == (0, 0)
    url = f"/v1/bundles/{bundle['id']}"
    for again in (
        await service.client.get(url, headers=user),
        await service.client.delete(url, headers=user),
        await service.client.get(f"{url}/items", headers=user),
        await service.client.patch(url, json={"name": "x"}, headers=user),
        await service.client.post(f"{url}/items", files={"file": ("a", b"a")}, headers=user),
        await point(service, user, bundle, "file", "0199a8b0-7f6e-7b1c-9a55-3d2f6c1e8a90"),
    ):
        assert_problem(again, 404, "not-found")
    links = (await service.client.get("/v1/timelinks?state=active", headers=user)).json()
    assert links["items"] == []


@pytest.mark.ordinary
async def test_a_member_can_be_taken_out(service: Service, user: Headers) -> None:
    bundle = await make(service, user)
    first, second = await add(service, user, bundle, ("a", LARGE), ("b", b"b"))
    url = f"/v1/bundles/{bundle['id']}/items"
    gone = await service.client.delete(f"{url}/{first['id']}", headers=user)
    assert gone.status_code == 204
    assert (await get(service, user, bundle))["items"] == [second]
    assert await usage(service, user) == (1, 1)
    again = await service.client.delete(f"{url}/{first['id']}", headers=user)
    assert_problem(again, 404, "not-found")


@pytest.mark.ordinary
async def test_it_points_to_things_of_each_kind_until_they_are_deleted(
    service: Service, user: Headers
) -> None:
    client, bundle = service.client, await make(service, user)
    file = await send_file(service, user, "f.txt")
    picture = await client.post(
        "/v1/pictures",
        data={"name": "p"},
        files={"img": encoded(quarters(), "png")},
        headers=user,
    )
    dump = await client.post("/v1/dumps", files={"file": ("d.dmp", b"dump")}, headers=user)
    await client.put("/v1/blobs/folder%2Fb.txt/content", content=b"blob", headers=user)
    things = {
        "file": file["id"],
        "picture": picture.json()["id"],
        "dump": dump.json()["id"],
        "blob": "folder/b.txt",
    }
    charged = await usage(service, user)
    for kind, thing in things.items():
        added = await point(service, user, bundle, kind, thing)
        assert added.status_code == 201, added.text
        (item,) = added.json()["items"]
        assert (item["kind"], item["target"]) == (kind, thing)
        content = await client.get(added.headers["location"] + "/content", headers=user)
        assert hashlib.sha256(content.content).hexdigest() == item["sha256"]
    listed = (await get(service, user, bundle))["items"]
    assert [item["name"] for item in listed] == ["f.txt", "p.png", "d.dmp", "b.txt"]
    assert listed[1]["content_type"] == "image/png"
    assert await usage(service, user) == charged, "what is there already isn't charged again"

    for kind, thing in things.items():
        path = thing.replace("/", "%2F")
        await client.delete(f"/v1/{kind}s/{path}", headers=user)
        left = (await get(service, user, bundle))["items"]
        assert kind not in [item["kind"] for item in left]
    number = await service.runtime.parts.database.read(_count_members)
    assert number == 0, "their names are forgotten, too"


def _count_members(connection: Connection) -> int:
    return connection.execute(select(func.count()).select_from(bundle_members)).scalar_one()


async def test_deleting_a_bundle_leaves_what_it_points_to(service: Service, user: Headers) -> None:
    bundle, file = await make(service, user), await send_file(service, user)
    await point(service, user, bundle, "file", file["id"])
    await service.client.delete(f"/v1/bundles/{bundle['id']}", headers=user)
    content = await service.client.get(f"/v1/files/{file['id']}/content", headers=user)
    assert content.content == b"hello"


@pytest.mark.parametrize("kind", ["bundle", "nothing"])
async def test_what_can_be_no_member(service: Service, user: Headers, kind: str) -> None:
    bundle = await make(service, user)
    assert (await point(service, user, bundle, kind, bundle["id"])).status_code == 422


async def test_strangers_see_no_bundle_and_point_to_nothing(
    service: Service, user: Headers
) -> None:
    _, other = await service.sign_up()
    bundle, file = await make(service, user), await send_file(service, other)
    url = f"/v1/bundles/{bundle['id']}"
    (item,) = await add(service, user, bundle, ("a", b"a"))
    for path in (url, f"{url}/items", f"{url}/items/{item['id']}", f"{url}/qr"):
        assert_problem(await service.client.get(path, headers=other), 404, "not-found")
        assert_problem(await service.client.get(path), 401, "unauthorized")
    theirs = await point(service, user, bundle, "file", file["id"])
    assert_problem(theirs, 404, "not-found")


async def test_members_of_one_name_get_a_suffix(service: Service, user: Headers) -> None:
    bundle = await make(service, user)
    await add(service, user, bundle, *[("a.txt", b"1")] * 3, ("b", b"2"), ("b", b"3"))
    await add(service, user, bundle, ("d/a.txt", b"4"), ("d/a.txt", b"5"))
    assert await names(service, user, bundle) == [
        "a.txt",
        "a (2).txt",
        "a (3).txt",
        "b",
        "b (2)",
        "d/a.txt",
        "d/a (2).txt",
    ]


async def test_a_member_is_found_by_its_name(service: Service, user: Headers) -> None:
    bundle = await make(service, user)
    _, second = await add(service, user, bundle, ("a", b"1"), ("b&c", b"2"))
    url = f"/v1/bundles/{bundle['id']}/items"
    for name, found in (("b&c", [second]), ("b", [])):
        answer = await service.client.get(url, params={"name": name}, headers=user)
        assert answer.json() == {"items": found, "next_cursor": None}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("a/b/c.txt", "a/b/c.txt"),
        ("./a//b.txt", "a/b.txt"),
        ("/etc/passwd", "passwd"),
        ("a/../../b.txt", "b.txt"),
        ("C:\\folder\\c.txt", "c.txt"),
    ],
)
async def test_a_name_may_be_a_relative_path(
    service: Service, user: Headers, sent: str, kept: str
) -> None:
    bundle = await make(service, user)
    url = f"/v1/bundles/{bundle['id']}/items"
    added = await service.client.post(url, params={"name": sent}, content=b"1", headers=user)
    assert added.status_code == 201, added.text
    assert [item["name"] for item in added.json()["items"]] == [kept]


async def test_a_form_adds_all_of_its_files_or_none(service: Service, user: Headers) -> None:
    bundle = await make(service, user)
    await set_tier(service, user, max_object_bytes=10)
    url = f"/v1/bundles/{bundle['id']}/items"
    form = [("file", ("a", b"a")), ("file", ("b", b"b" * 11))]
    refused = await service.client.post(url, files=form, headers=user)
    assert_problem(refused, 413, "content-too-large")
    assert await names(service, user, bundle) == []
    assert await usage(service, user) == (0, 0)
    empty = await service.client.post(url, data={"x": "1"}, files={"y": b""}, headers=user)
    assert empty.status_code == 422


async def test_a_closed_bundle_takes_nothing_more(service: Service, user: Headers) -> None:
    bundle, file = await make(service, user), await send_file(service, user)
    url = f"/v1/bundles/{bundle['id']}"
    await add(service, user, bundle, ("a", b"a"))
    closed = await service.client.patch(url, json={"is_open": False}, headers=user)
    assert closed.json()["is_open"] is False
    for refused in (
        await service.client.post(f"{url}/items", files={"file": ("b", b"b")}, headers=user),
        await service.client.post(f"{url}/items?name=b", content=LARGE, headers=user),
        await point(service, user, bundle, "file", file["id"]),
        await create(service, user, 5, kind="file", name="b", bundle=bundle["id"]),
    ):
        assert_problem(refused, 409, "bundle-closed")
    assert await names(service, user, bundle) == ["a"]
    opened = await service.client.patch(url, json={"is_open": True}, headers=user)
    assert opened.json()["is_open"] is True
    await add(service, user, bundle, ("b", b"b"))


async def test_a_bundle_that_is_full_takes_nothing_more(
    service: Service, user: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filling, "MAX_MEMBERS", 2)
    bundle = await make(service, user)
    url = f"/v1/bundles/{bundle['id']}/items"
    three = [("file", (name, b"1")) for name in "abc"]
    refused = await service.client.post(url, files=three, headers=user)
    assert_problem(refused, 409, "bundle-closed")
    assert await names(service, user, bundle) == []
    await add(service, user, bundle, ("a", b"1"), ("b", b"2"))


async def test_a_resumed_upload_lands_in_its_bundle(service: Service, user: Headers) -> None:
    bundle = await make(service, user)
    about = {"kind": "file", "name": "d/large", "filetype": "a/b", "bundle": bundle["id"]}
    begun = await create(service, user, len(LARGE), **about)
    assert begun.status_code == 201, begun.text
    upload = begun.headers["location"]
    half = len(LARGE) // 2
    assert (await append(service, user, upload, 0, LARGE[:half])).status_code == 204
    assert await names(service, user, bundle) == []
    done = await append(service, user, upload, half, LARGE[half:])
    (item,) = (await get(service, user, bundle))["items"]
    assert done.headers["content-location"] == f"/v1/bundles/{bundle['id']}/items/{item['id']}"
    assert (item["name"], item["content_type"]) == ("d/large", "a/b")
    content = await service.client.get(done.headers["content-location"] + "/content", headers=user)
    assert content.content == LARGE
    assert await usage(service, user) == (len(LARGE), 1)
    lives_as_long = await create(service, user, 1, **(about | {"expires_in": "9"}))
    assert lives_as_long.status_code == 422


async def test_an_upload_ends_where_its_bundle_has_been_closed(
    service: Service, user: Headers
) -> None:
    bundle = await make(service, user)
    begun = await create(service, user, 5, kind="file", name="a", bundle=bundle["id"])
    url = f"/v1/bundles/{bundle['id']}"
    await service.client.patch(url, json={"is_open": False}, headers=user)
    refused = await append(service, user, begun.headers["location"], 0, b"hello")
    assert_problem(refused, 409, "bundle-closed")
    assert await names(service, user, bundle) == []
    await service.client.patch(url, json={"is_open": True}, headers=user)
    gone = await service.client.delete(
        begun.headers["location"], headers=user | {"Tus-Resumable": "1.0.0"}
    )
    assert gone.status_code == 204


@pytest.mark.ordinary
async def test_it_lives_as_long_as_its_link(service: Service, user: Headers) -> None:
    bundle = await make(service, user, expires_in=600)
    url, client = f"/v1/bundles/{bundle['id']}", service.client
    (link,) = (await client.get("/v1/timelinks", headers=user)).json()["items"]
    assert (link["kind"], link["target"]) == ("bundle", bundle["id"])
    assert link["expires_at"] == bundle["expires_at"]
    longer = (await client.patch(url, json={"expires_in": 6000}, headers=user)).json()
    (link,) = (await client.get("/v1/timelinks", headers=user)).json()["items"]
    assert link["expires_at"] == longer["expires_at"] > bundle["expires_at"]
    kept = (await client.patch(url, json={"expires_in": 0}, headers=user)).json()
    assert kept["expires_at"] is None
    assert kept["link"] == bundle["link"]


async def test_a_kept_bundle_gets_a_link_when_one_is_made(service: Service, user: Headers) -> None:
    bundle = await make(service, user, expires_in=0)
    assert (bundle["link"], bundle["expires_at"]) == (None, None)
    body = {"kind": "bundle", "id": bundle["id"], "time": 600}
    made = await service.client.post("/v1/timelinks", json=body, headers=user)
    assert made.status_code == 201, made.text
    assert (await get(service, user, bundle))["link"] == made.json()["url"]
    change = {"expires_in": 600}
    url = f"/v1/bundles/{bundle['id']}"
    expiring = await service.client.patch(url, json=change, headers=user)
    assert expiring.json()["link"] not in {None, made.json()["url"]}


async def test_a_kept_bundle_with_options_has_a_link_without_an_end(
    service: Service, user: Headers
) -> None:
    bundle = await make(service, user, expires_in=0, password="secret")
    assert (bundle["expires_at"], bundle["has_password"]) == (None, True)
    assert "/t/" in bundle["link"]
    plain = await make(service, user, expires_in=0)
    url = f"/v1/bundles/{plain['id']}"
    noted = await service.client.patch(url, json={"note": "For you"}, headers=user)
    assert noted.json()["note"] == "For you"
    assert "/t/" in noted.json()["link"]


async def test_tiers_bound_it(service: Service, user: Headers) -> None:
    await set_tier(service, user, max_lifetime=600, max_downloads=5)
    bundle = await make(service, user)
    assert bundle["max_downloads"] == 5
    url = f"/v1/bundles/{bundle['id']}"
    for options in ({"expires_in": 601}, {"expires_in": 0}, {"max_downloads": 6}):
        if options != {"expires_in": 0}:  # kept, it has no link that would be bound
            refused = await service.client.post("/v1/bundles", json=options, headers=user)
            assert refused.status_code == 422
            assert refused.json()["errors"][0]["loc"] == ["body", *options]
        refused = await service.client.patch(url, json=options, headers=user)
        assert refused.status_code == 422
    assert (await get(service, user, bundle))["expires_at"] == bundle["expires_at"]


@pytest.mark.ordinary
async def test_options_of_its_link_can_be_changed(service: Service, user: Headers) -> None:
    bundle = await make(service, user, max_downloads=3, password="secret")
    assert (bundle["max_downloads"], bundle["has_password"]) == (3, True)
    url = f"/v1/bundles/{bundle['id']}"
    changed = await service.client.patch(
        url,
        json={"max_downloads": None, "password": None, "name": "New", "note": None},
        headers=user,
    )
    body = changed.json()
    assert (body["max_downloads"], body["has_password"]) == (None, False)
    assert (body["name"], body["note"]) == ("New", None)
    changed = await service.client.patch(url, json={"password": "other"}, headers=user)
    assert (changed.json()["name"], changed.json()["has_password"]) == ("New", True)


async def test_against_the_number_of_files_it_counts_as_one_and_goes_whole(
    service: Service, user: Headers
) -> None:
    bundle = await make(service, user, expires_in=100)
    await add(service, user, bundle, *[("a", LARGE)] * 3)
    await send_file(service, user, "1", expires_in=200)
    await send_file(service, user, "2", expires_in=300)
    assert (await get(service, user, bundle))["count"] == 3
    refused = await service.client.post("/v1/bundles", json={"evict": "none"}, headers=user)
    assert_problem(refused, 409, "too-many-files")

    await send_file(service, user, "3")
    gone = await service.client.get(f"/v1/bundles/{bundle['id']}", headers=user)
    assert gone.status_code == 404
    assert await usage(service, user) == (15, 3)
    await make(service, user)
    listed = (await service.client.get("/v1/files", headers=user)).json()["items"]
    assert [file["name"] for file in listed] == ["3", "2"]
    agreed = await make(service, user, evict=listed[1]["id"])
    assert agreed["id"]
    listed = (await service.client.get("/v1/files", headers=user)).json()["items"]
    assert [file["name"] for file in listed] == ["3"]


async def test_a_bundle_that_is_kept_is_not_evicted(service: Service, user: Headers) -> None:
    kept = await make(service, user, expires_in=0)
    others = [await make(service, user) for _ in range(MAX_FILES)]
    url = f"/v1/bundles/{kept['id']}"
    expiring = await service.client.patch(url, json={"expires_in": 5}, headers=user)
    assert expiring.status_code == 200, "it takes the place of another, not its own"
    states = await service.client.get("/v1/bundles?state=expiring", headers=user)
    assert [bundle["id"] for bundle in states.json()["items"]] == [
        *(bundle["id"] for bundle in reversed(others[1:])),
        kept["id"],
    ]


@pytest.mark.ordinary
async def test_an_expired_bundle_goes_with_all_that_it_owns(
    service: Service, user: Headers
) -> None:
    bundle, kept = await make(service, user, expires_in=1000), await make(service, user)
    await add(service, user, bundle, *[("a", LARGE)] * 3)
    file = await send_file(service, user, expires_in=1000)
    await point(service, user, kept, "file", file["id"])

    def pass_time(connection: Connection) -> None:
        for table, uuid in ((bundles, bundle["id"]), (files, file["id"])):
            past = {"expires_at": clock.now() - 1}
            connection.execute(update(table).where(table.c.uuid == uuid).values(past))

    await service.runtime.parts.database.write(pass_time)
    gone = await service.client.get(f"/v1/bundles/{bundle['id']}", headers=user)
    assert gone.status_code == 404
    assert await names(service, user, kept) == []
    while await service.runtime.parts.expiry.run_once(clock.now()):
        pass
    assert await usage(service, user) == (0, 0)


@pytest.mark.ordinary
async def test_names_are_searched_and_lists_sorted(service: Service, user: Headers) -> None:
    for name, seconds in (("Holiday", 600), ("Tax", 60), ("holidays", 0)):
        await make(service, user, name=name, expires_in=seconds)

    async def listed(**query: str) -> list[str]:
        first = {"limit": "1"} | query
        answer = (await service.client.get("/v1/bundles", params=first, headers=user)).json()
        rest = query | {"cursor": answer["next_cursor"]}
        others = (await service.client.get("/v1/bundles", params=rest, headers=user)).json()
        assert others["next_cursor"] is None
        return [bundle["name"] for bundle in answer["items"] + others["items"]]

    assert await listed(q="HOLI") == ["holidays", "Holiday"]
    assert await listed(sort="name") == ["Holiday", "holidays", "Tax"]
    assert await listed(sort="ends") == ["Tax", "Holiday", "holidays"]
    assert await listed(sort="ends", state="expiring") == ["Tax", "Holiday"]
    assert await listed(sort="name", q="holi") == ["Holiday", "holidays"]


async def test_lists_are_paged(service: Service, user: Headers) -> None:
    made = [await make(service, user, expires_in=0) for _ in range(3)]
    await add(service, user, made[0], *[(f"{n}", b"1") for n in range(5)])
    for url, expected in (
        ("/v1/bundles", [bundle["id"] for bundle in reversed(made)]),
        (f"/v1/bundles/{made[0]['id']}/items", None),
    ):
        seen: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = await service.client.get(f"{url}?limit=2{cursor}", headers=user)
            assert page.status_code == 200, page.text
            assert len(page.json()["items"]) <= 2
            seen += [item["id" if expected else "name"] for item in page.json()["items"]]
            following = page.json()["next_cursor"]
            cursor = None if following is None else f"&cursor={following}"
        assert seen == (expected or ["0", "1", "2", "3", "4"])
        bad = await service.client.get(f"{url}?cursor=x", headers=user)
        assert bad.status_code == 400


async def test_a_key_for_files_is_one_for_bundles(service: Service, user: Headers) -> None:
    bundle = await make(service, user)
    await service.client.put("/v1/blobs/b/content", content=b"blob", headers=user)
    key = await make_key(service, user, "files:read", "files:write")
    headers = {"Authorization": f"Bearer {key}"}
    await add(service, headers, bundle, ("a", b"a"))
    assert_problem(await point(service, headers, bundle, "blob", "b"), 403, "forbidden")
    pointed = await point(service, user, bundle, "blob", "b")
    content = pointed.headers["location"] + "/content"
    assert_problem(await service.client.get(content, headers=headers), 403, "forbidden")
    reader = {
        "Authorization": f"Bearer {await make_key(service, user, 'blobs:read', 'blobs:write')}"
    }
    assert_problem(await service.client.get("/v1/bundles", headers=reader), 403, "forbidden")


async def test_no_link_to_pictures_no_pictures_in_bundles(service: Service, user: Headers) -> None:
    bundle = await make(service, user)
    picture = await service.client.post(
        "/v1/pictures", data={"name": "p"}, files={"img": encoded(quarters(), "png")}, headers=user
    )
    await set_tier(service, user, allow_links=False)
    refused = await point(service, user, bundle, "picture", picture.json()["id"])
    assert_problem(refused, 403, "forbidden")


@pytest.mark.ordinary
async def test_files_that_are_added_at_once_all_arrive(service: Service, user: Headers) -> None:
    bundle = await make(service, user)
    await asyncio.gather(*(add(service, user, bundle, ("a", b"%d" % n)) for n in range(10)))
    expected = ["a", *(f"a ({n})" for n in range(2, 11))]
    assert sorted(await names(service, user, bundle)) == sorted(expected)


async def test_its_qr_code_leads_to_its_link(service: Service, user: Headers) -> None:
    bundle, kept = await make(service, user), await make(service, user, expires_in=0)
    code = await service.client.get(f"/v1/bundles/{bundle['id']}/qr", headers=user)
    assert code.headers["content-type"] == "image/svg+xml"
    none = await service.client.get(f"/v1/bundles/{kept['id']}/qr", headers=user)
    assert none.status_code == 404
