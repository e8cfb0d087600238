"""Pictures over HTTP: stored, listed, renamed, deleted; what a tier lets be seen of them."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from PIL import Image
from sqlalchemy import Connection, func, select, update

from app import clock
from app.accounts.tables import accounts, tiers
from app.objects.tables import objects
from app.pictures.tables import pictures
from tests.api.conftest import PASSWORD, MakeSettings, Service, running
from tests.api.problems import assert_problem
from tests.api.shared import shared_fixtures, store_of
from tests.deadline import DEADLINE
from tests.pictures import (
    FORMATS,
    QUARTERS,
    Colour,
    bomb,
    corners,
    decoded,
    encoded,
    exif,
    huge_webp,
    is_near,
    noise,
    pixel,
    quarters,
)
from tests.servers import PostgresServer

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

MIB = 1024 * 1024
SMALL = encoded(quarters(), "jpeg")
LARGE = encoded(noise(900, 600), "jpeg", quality=95)  # it does not fit into a row
WIDE = encoded(noise(3000, 450), "jpeg", quality=95)  # its thumbnails don't either
UNSEEN = encoded(noise(900, 600), "webp", quality=95)  # when it is cut off, at all

Headers = dict[str, str]


settings, service = shared_fixtures()


@pytest.fixture
async def account(service: Service) -> AsyncIterator[dict[str, Any]]:
    """A new account of the tier Premium; its charges are checked after the test."""
    account, headers = await service.sign_up()
    await set_tier(service, account["id"], "Premium")
    yield {**account, "headers": headers}
    store_of(service).heal()
    books = await service.runtime.parts.database.read(_books, account["id"])
    assert books["charged"] == books["kept"]
    assert books["pending"] == 0


@pytest.fixture
def user(account: dict[str, Any]) -> Headers:
    headers: Headers = account["headers"]
    return headers


def _books(connection: Connection, uuid: str) -> dict[str, Any]:
    """Return what an account is charged for and what its pictures take, thumbnails for nothing."""
    account = connection.execute(select(accounts).where(accounts.c.uuid == uuid)).one()
    own = objects.c.account_id == account.id
    kept = select(func.coalesce(func.sum(objects.c.size), 0), func.count()).select_from(
        objects.join(pictures, pictures.c.object_id == objects.c.id)
    )
    size, number = connection.execute(kept.where(own)).one()
    pending = select(func.count()).where(own, objects.c.state != "ready")
    return {
        "charged": (account.used_bytes, account.used_objects),
        "kept": (int(size), number),
        "pending": connection.execute(pending).scalar(),
        "objects": connection.execute(select(func.count()).where(own)).scalar(),
    }


async def set_tier(service: Service, uuid: str, name: str) -> None:
    def write(connection: Connection) -> None:
        tier = select(tiers.c.id).where(tiers.c.name == name).scalar_subquery()
        connection.execute(update(accounts).where(accounts.c.uuid == uuid).values(tier_id=tier))

    await service.runtime.parts.database.write(write)


async def post(
    service: Service, headers: Headers, data: bytes = SMALL, name: str = "A picture"
) -> httpx.Response:
    return await service.client.post(
        "/v1/pictures", data={"name": name}, files={"img": ("x.bin", data)}, headers=headers
    )


async def upload(
    service: Service, headers: Headers, data: bytes = SMALL, name: str = "A picture"
) -> dict[str, Any]:
    answer = await post(service, headers, data, name)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


@pytest.mark.parametrize("kind", FORMATS)
async def test_a_picture_says_what_it_is(service: Service, user: Headers, kind: str) -> None:
    data = encoded(quarters(640, 480), kind)
    picture = await upload(service, user, data, "Four colours")
    path = f"/v1/pictures/{picture['id']}"
    assert picture | {"created_at": ""} == {
        "id": picture["id"],
        "name": "Four colours",
        "width": 640,
        "height": 480,
        "format": kind,
        "size": len(data),
        "is_complete": True,
        "thumbhash": picture["thumbhash"],
        "exif": dict.fromkeys(picture["exif"]),
        "created_at": "",
        "urls": [f"{path}/thumbnails/200", f"{path}/thumbnails/400", f"{path}/original"],
    }
    assert len(base64.b64decode(picture["thumbhash"])) in range(18, 26)
    read = await service.client.get(path, headers=user)
    assert read.json() == picture
    original = await service.client.get(f"{path}/original", headers=user)
    assert original.content == data
    assert original.headers["content-type"] == f"image/{kind}"
    for url in picture["urls"]:
        assert (await service.client.get(url, headers=user)).status_code == 200


async def test_an_original_that_few_browsers_show_is_an_attachment(
    service: Service, user: Headers
) -> None:
    data = encoded(quarters(), "heic")
    for name, expected in {"IMG_1": "IMG_1.heic", "IMG_1.HEIC": "IMG_1.HEIC"}.items():
        picture = await upload(service, user, data, name)
        for query in ("", "?inline=1"):
            answer = await service.client.get(picture["urls"][-1] + query, headers=user)
            assert answer.content == data
            assert answer.headers["content-type"] == "image/heic"
            assert answer.headers["content-disposition"] == f'attachment; filename="{expected}"'


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
async def test_size_is_that_of_the_upright_picture(
    service: Service, user: Headers, data: bytes
) -> None:
    turned = encoded(decoded(data), "jpeg", exif=exif(6), quality=95)
    picture = await upload(service, user, turned)
    width, height = decoded(data).size
    assert (picture["width"], picture["height"]) == (height, width)


@pytest.mark.parametrize("first", ["name", "img"])
async def test_fields_come_in_any_order(service: Service, user: Headers, first: str) -> None:
    parts: list[Any] = [("name", (None, "Any order")), ("img", ("x.jpg", LARGE))]
    if first == "img":
        parts.reverse()
    answer = await service.client.post("/v1/pictures", files=parts, headers=user)
    assert answer.status_code == 201, answer.text
    assert answer.json()["name"] == "Any order"


@pytest.mark.parametrize(
    ("parts", "wrong"),
    [
        ([("img", ("x.jpg", LARGE))], ["body", "name"]),
        ([("name", (None, "")), ("img", ("x.jpg", LARGE))], ["body", "name"]),
        ([("img", ("x.jpg", LARGE)), ("name", (None, "a\0b"))], ["body", "name"]),
        ([("name", (None, "x" * 256)), ("img", ("x.jpg", LARGE))], ["body", "name"]),
        ([("name", (None, "Nothing"))], ["body", "img"]),
    ],
    ids=["no-name", "empty-name", "bad-name", "long-name", "no-picture"],
)
async def test_a_form_that_lacks_something_is_refused(
    service: Service, user: Headers, parts: list[Any], wrong: list[str]
) -> None:
    if len(parts) == 1 and parts[0][0] == "name":
        parts = [*parts, ("other", (None, "field"))]
    answer = await service.client.post("/v1/pictures", files=parts, headers=user)
    assert_problem(answer, 422)
    assert [error["loc"] for error in answer.json()["errors"]] == [wrong]


async def test_two_pictures_in_a_form_are_refused(service: Service, user: Headers) -> None:
    parts: list[Any] = [
        ("name", (None, "Two")),
        ("img", ("a.jpg", LARGE)),
        ("img", ("b.jpg", LARGE)),
    ]
    answer = await service.client.post("/v1/pictures", files=parts, headers=user)
    assert_problem(answer, 422, said="two pictures")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415),
        (b"\x00" * 100_000, 415),
        (b"", 415),
        (SMALL[:40], 422),
        (UNSEEN[: len(UNSEEN) // 2], 422),
        (bomb(50_000, 10), 413),
        (huge_webp(16_000, 16_000), 413),
    ],
    ids=["svg", "zeros", "empty", "cut", "cut-large", "bomb", "huge"],
)
async def test_what_is_no_good_picture_leaves_nothing(
    service: Service, account: dict[str, Any], data: bytes, status: int
) -> None:
    before = {info.key async for info in service.runtime.parts.store.list("pictures/")}
    assert_problem(await post(service, account["headers"], data), status)
    books = await service.runtime.parts.database.read(_books, account["id"])
    assert (books["charged"], books["objects"]) == ((0, 0), 0)
    await service.runtime.parts.sweep.run_once(clock.now())
    assert {info.key async for info in service.runtime.parts.store.list("pictures/")} <= before


@pytest.mark.parametrize("data", [SMALL[:-2], LARGE[: len(LARGE) // 2]], ids=["small", "large"])
async def test_a_picture_that_is_cut_off_is_kept_as_it_is(
    service: Service, user: Headers, data: bytes
) -> None:
    picture = await upload(service, user, data)
    path = f"/v1/pictures/{picture['id']}"
    assert picture["is_complete"] is False
    assert (await service.client.get(path, headers=user)).json() == picture
    listed = await service.client.get("/v1/pictures", headers=user)
    assert listed.json()["items"] == [picture]
    original = await service.client.get(f"{path}/original", headers=user)
    assert original.content == data
    accept = user | {"Accept": "image/webp"}
    small = await service.client.get(picture["urls"][0], headers=accept)
    assert decoded(small.content).size == (300, 200)
    for shown, expected in zip(top(small.content), top(whole(data)), strict=True):
        assert is_near(shown, expected, by=20)


def top(data: bytes) -> list[Colour]:
    """The colours of the upper quarter of a picture, a few."""
    image = decoded(data).convert("RGB").resize((30, 20), Image.Resampling.BOX)
    return [pixel(image, (x, y)) for y in range(5) for x in range(30)]


def whole(data: bytes) -> bytes:
    return SMALL if SMALL.startswith(data) else LARGE


async def test_what_is_no_picture_is_refused_as_soon_as_that_is_seen(
    service: Service, user: Headers
) -> None:
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'--x\r\nContent-Disposition: form-data; name="img"; filename="a.jpg"\r\n\r\n'
        while True:
            sent += 1
            yield bytes(64 * 1024)

    form = {"Content-Type": "multipart/form-data; boundary=x"}
    async with asyncio.timeout(DEADLINE):
        answer = await service.client.post("/v1/pictures", content=body(), headers=user | form)
    assert_problem(answer, 415)
    assert sent < 100


@pytest.mark.ordinary
async def test_a_full_account_has_no_room_for_pictures_but_for_thumbnails(
    service: Service, account: dict[str, Any]
) -> None:
    headers = account["headers"]
    picture = await upload(service, headers, WIDE)
    await service.runtime.parts.database.write(_use, account["id"], 1000 * 1024 * MIB)
    refused = await post(service, headers, SMALL)
    made = await service.client.get(picture["urls"][1], headers=headers)
    await service.runtime.parts.database.write(_use, account["id"], len(WIDE))
    assert_problem(refused, 413)
    assert refused.json()["type"] == "urn:holdall:problem:quota-exceeded"
    assert made.status_code == 200
    assert len(made.content) > 64 * 1024  # it was sent to the store


def _use(connection: Connection, uuid: str, size: int) -> None:
    own = accounts.c.uuid == uuid
    connection.execute(update(accounts).where(own).values(used_bytes=size))


async def test_pages_are_newest_first(service: Service, user: Headers) -> None:
    made = [await upload(service, user, name=f"number {number}") for number in range(5)]
    seen, cursor = [], None
    while True:
        query: dict[str, Any] = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await service.client.get("/v1/pictures", params=query, headers=user)).json()
        seen += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == made[::-1]


async def test_a_picture_is_renamed(service: Service, user: Headers) -> None:
    picture = await upload(service, user)
    path = f"/v1/pictures/{picture['id']}"
    changed = await service.client.patch(path, json={"name": "Another"}, headers=user)
    assert changed.json() == picture | {"name": "Another"}
    assert (await service.client.get(path, headers=user)).json() == changed.json()
    assert (await service.client.patch(path, json={}, headers=user)).json() == changed.json()
    assert_problem(await service.client.patch(path, json={"name": ""}, headers=user), 422)


@pytest.mark.ordinary
async def test_conditions_guard_changes(service: Service, user: Headers) -> None:
    picture = await upload(service, user)
    path = f"/v1/pictures/{picture['id']}"
    tag = (await service.client.head(f"{path}/original", headers=user)).headers["etag"]
    other, same = user | {"If-Match": '"other"'}, user | {"If-Match": tag}
    assert_problem(await service.client.patch(path, json={"name": "b"}, headers=other), 412)
    assert_problem(await service.client.delete(path, headers=other), 412)
    assert (await service.client.patch(path, json={"name": "b"}, headers=same)).is_success
    assert (await service.client.delete(path, headers=same)).status_code == 204


async def test_downloads_are_named_and_typed(service: Service, user: Headers) -> None:
    for name, expected in {
        "The harbour": "The harbour.jpg",
        "holiday.JPEG": "holiday.JPEG",
        "photo.png": "photo.png.jpg",
    }.items():
        picture = await upload(service, user, name=name)
        answer = await service.client.get(picture["urls"][-1], headers=user)
        assert answer.headers["content-disposition"] == f'attachment; filename="{expected}"'
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == "sandbox"
    shown = await service.client.get(picture["urls"][0] + "?inline=1", headers=user)
    assert shown.headers["content-disposition"].startswith("inline")


async def test_a_tier_says_what_can_be_seen(service: Service, account: dict[str, Any]) -> None:
    headers = account["headers"]
    path = f"/v1/pictures/{(await upload(service, headers))['id']}"
    seen = {"Premium": [200, 200, 200], "Basic": [200, 403, 403], "Enterprise": [200, 200, 200]}
    for tier, statuses in seen.items():  # at once, and whatever has been made before
        await set_tier(service, account["id"], tier)
        urls = [f"{path}/thumbnails/200", f"{path}/thumbnails/400", f"{path}/original"]
        for method in ("GET", "HEAD"):
            answers = [await service.client.request(method, url, headers=headers) for url in urls]
            assert [answer.status_code for answer in answers] == statuses
        listed = (await service.client.get(path, headers=headers)).json()["urls"]
        assert listed == [url for url, status in zip(urls, statuses, strict=True) if status == 200]


async def test_other_heights_are_forbidden(service: Service, user: Headers) -> None:
    path = f"/v1/pictures/{(await upload(service, user))['id']}/thumbnails"
    assert_problem(await service.client.get(f"{path}/201", headers=user), 403, said="201")
    for height in ("0", "-200", "1e2", "x", "99999999999"):
        assert_problem(await service.client.get(f"{path}/{height}", headers=user), 422)


async def test_another_accounts_picture_is_not_there(service: Service, user: Headers) -> None:
    picture = await upload(service, user)
    _, stranger = await service.sign_up()
    path = f"/v1/pictures/{picture['id']}"
    for method, url in [
        ("GET", path),
        ("PATCH", path),
        ("DELETE", path),
        ("GET", f"{path}/original"),
        ("GET", f"{path}/thumbnails/200"),
        ("GET", f"{path}/thumbnails/400"),
    ]:
        body = {"name": "mine"} if method == "PATCH" else None
        answer = await service.client.request(method, url, json=body, headers=stranger)
        assert_problem(answer, 404, said="No such picture")
    assert (await service.client.get("/v1/pictures", headers=stranger)).json()["items"] == []
    assert (await service.client.get(path)).status_code == 401


async def test_scopes_of_keys(service: Service, user: Headers) -> None:
    picture = await upload(service, user)
    keys = {}
    for verb in ("read", "write"):
        body = {"name": verb, "scopes": [f"pictures:{verb}"], "expires_in": 3600}
        answer = await service.client.post("/v1/accounts/me/keys", json=body, headers=user)
        keys[verb] = {"Authorization": f"Bearer {answer.json()['key']}"}
    assert_problem(await post(service, keys["read"]), 403)
    assert (await post(service, keys["write"])).status_code == 201
    for url in picture["urls"]:
        assert (await service.client.get(url, headers=keys["read"])).status_code == 200
        assert_problem(await service.client.get(url, headers=keys["write"]), 403)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "jpeg"),
        ("*/*", "jpeg"),
        ("image/*", "jpeg"),
        ("image/avif,image/webp,image/apng,*/*;q=0.8", "webp"),
        ("image/webp;q=0.3, image/jpeg;q=0.9", "jpeg"),
        ("image/webp;q=0", "jpeg"),
    ],
)
async def test_webp_for_whoever_names_it(
    service: Service, user: Headers, accept: str | None, kind: str
) -> None:
    picture = await upload(service, user)
    headers = user | ({"Accept": accept} if accept else {})
    for method in ("GET", "HEAD"):
        answer = await service.client.request(method, picture["urls"][0], headers=headers)
        assert answer.headers["content-type"] == f"image/{kind}"
        assert answer.headers["vary"] == "Accept"
    answer = await service.client.get(picture["urls"][0], headers=headers)
    small = decoded(answer.content)
    assert (small.format, small.size, corners(small)) == (kind.upper(), (300, 200), QUARTERS)
    tag = answer.headers["etag"]
    again = await service.client.get(picture["urls"][0], headers=headers | {"If-None-Match": tag})
    assert (again.status_code, again.headers["vary"]) == (304, "Accept")
    part = await service.client.get(picture["urls"][0], headers=headers | {"Range": "bytes=0-9"})
    assert (part.status_code, part.content) == (206, answer.content[:10])


@pytest.mark.ordinary
async def test_deleting_takes_everything_away(service: Service, account: dict[str, Any]) -> None:
    headers = account["headers"]
    picture = await upload(service, headers, WIDE)
    for url in picture["urls"][:2]:  # one lives in its row, the other in the store
        for accept in ("image/jpeg", "image/webp"):
            answer = await service.client.get(url, headers=headers | {"Accept": accept})
            assert answer.status_code == 200
    keys = await service.runtime.parts.database.read(_keys, account["id"])
    assert {key.partition("/")[0] for key in keys} == {"pictures", "thumbs"}
    path = f"/v1/pictures/{picture['id']}"
    assert (await service.client.delete(path, headers=headers)).status_code == 204
    for url in (path, *picture["urls"]):
        assert_problem(await service.client.get(url, headers=headers), 404)
    assert_problem(await service.client.delete(path, headers=headers), 404)
    while await service.runtime.parts.sweep.run_once(clock.now()):
        pass
    stored = {info.key async for info in service.runtime.parts.store.list()}
    assert stored.isdisjoint(keys)
    books = await service.runtime.parts.database.read(_books, account["id"])
    assert (books["charged"], books["objects"]) == ((0, 0), 0)


def _keys(connection: Connection, uuid: str) -> set[str]:
    own = select(objects.c.key).join(accounts).where(accounts.c.uuid == uuid)
    return {key for key in connection.execute(own).scalars() if key is not None}


async def test_an_account_takes_its_pictures_with_it(service: Service) -> None:
    account, headers = await service.sign_up()
    picture = await upload(service, headers, encoded(noise(3000, 250), "jpeg", quality=95))
    assert (await service.client.get(picture["urls"][0], headers=headers)).status_code == 200
    keys = await service.runtime.parts.database.read(_keys, account["id"])
    assert {key.partition("/")[0] for key in keys} == {"pictures", "thumbs"}
    answer = await service.client.post(
        "/v1/accounts/me/delete", json={"password": PASSWORD}, headers=headers
    )
    assert answer.status_code == 204
    while await service.runtime.parts.purge.run_once(clock.now()):
        pass
    while await service.runtime.parts.sweep.run_once(clock.now()):
        pass
    stored = {info.key async for info in service.runtime.parts.store.list()}
    assert stored.isdisjoint(keys)

    def left(connection: Connection) -> list[Any]:
        rows = select(pictures.c.id).where(pictures.c.uuid == picture["id"])
        return list(connection.execute(rows))

    assert await service.runtime.parts.database.read(left) == []


async def test_a_child_that_dies_of_a_picture_harms_nobody(make_settings: MakeSettings) -> None:
    async with running(make_settings(decoder_memory=80 * MIB)) as service:
        headers = service.service_token
        large = encoded(Image.new("RGB", (6000, 4000)), "png", compress_level=1)
        assert_problem(await post(service, headers, large), 422, said="memory")
        picture = await upload(service, headers, LARGE)
        answer = await service.client.get(picture["urls"][0], headers=headers)
        assert answer.status_code == 200
        listed = (await service.client.get("/v1/pictures", headers=headers)).json()["items"]
        assert listed == [picture]


@pytest.mark.ordinary
async def test_pictures_in_the_database(
    make_settings: MakeSettings, request: pytest.FixtureRequest
) -> None:
    settings = make_settings()
    if not settings.uses_postgres:
        pytest.skip("there is no PostgreSQL in this profile")
    fresh: PostgresServer = request.getfixturevalue("postgres_server")  # no store has its marks
    settings = make_settings(
        active_storage="database",
        database_url=fresh.create_database(),
        data_dir=settings.data_dir / "other",
    )
    async with running(settings) as service:
        picture = await upload(service, service.service_token, LARGE)
        for url in picture["urls"]:
            answer = await service.client.get(url, headers=service.service_token)
            assert answer.status_code == 200
        assert [path.name for path in (settings.data_dir / "tmp").glob("*/*")] == ["lock"]


async def test_the_local_file_itself_is_read(make_settings: MakeSettings) -> None:
    settings = make_settings()
    if settings.active_storage != "local":
        pytest.skip("there are no local files in this profile")
    async with running(settings) as service:
        (settings.data_dir / "tmp").rename(settings.data_dir / "away")  # no copy can be made
        picture = await upload(service, service.service_token, LARGE)
        answer = await service.client.get(picture["urls"][0], headers=service.service_token)
        assert answer.status_code == 200
        (settings.data_dir / "away").rename(settings.data_dir / "tmp")
