"""storagetiers, as its document has it: requests and answers word for word."""

import ast
import base64
import itertools
import re
import uuid
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from sqlalchemy import Connection, select, update

from app import clock
from app.accounts.tables import accounts, sessions, tiers
from app.config import Settings
from app.errors import Unauthorized
from app.links.tables import timelinks
from app.security.rate_limits import LINK_MISSES, LOGIN
from routers.compat.storagetiers import routes as storagetiers
from storage.errors import StoreFull
from tests import pictures
from tests.api.conftest import PASSWORD, MakeSettings, Service, running
from tests.api.shared import store_of
from tests.compat.conftest import RunDocument, paths_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

Headers = dict[str, str]

LARGE = pictures.encoded(pictures.quarters(900, 600), "png")
NOISE = pictures.encoded(Image.effect_noise((200, 200), 90), "png")  # too large for a row
UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_names = itertools.count(1)
NOBODYS = "0363825a-cb79-45d3-8d93-fbf8118c701b"


@pytest.fixture
async def ada(service: Service) -> dict[str, Any]:
    """A new account of the tier Basic: its name, and its headers by a token of this contract."""
    return await someone(service)


@pytest.fixture
async def user(service: Service, ada: dict[str, Any]) -> Headers:
    """Headers of an account that may do everything."""
    await set_tier(service, ada, "Enterprise")
    headers: Headers = ada["headers"]
    return headers


async def someone(service: Service) -> dict[str, Any]:
    name = f"someone{next(_names)}"
    form = {"username": name, "password": PASSWORD}
    assert (await service.client.post("/v1/accounts", json=form)).status_code == 201
    tokens = await log_in(service, name)
    headers = {"Authorization": f"Bearer {tokens['access']}"}
    return {"name": name, "headers": headers, **tokens}


async def log_in(service: Service, username: str) -> dict[str, str]:
    form = {"username": username, "password": PASSWORD}
    answer = await service.client.post("/api/token/", json=form)
    assert answer.status_code == 200, answer.text
    tokens: dict[str, str] = answer.json()
    return tokens


async def set_tier(service: Service, account: dict[str, Any], name: str) -> None:
    def write(connection: Connection) -> None:
        tier = select(tiers.c.id).where(tiers.c.name == name).scalar_subquery()
        connection.execute(
            update(accounts).where(accounts.c.username == account["name"]).values(tier_id=tier)
        )

    await service.runtime.parts.database.write(write)


async def upload(service: Service, user: Headers, name: str = "harbour") -> dict[str, Any]:
    form = {"img": ("harbour.png", LARGE)}
    answer = await service.client.post(
        "/api/pictures", data={"name": name}, files=form, headers=user
    )
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def share(service: Service, user: Headers, path: str, time: object = 400) -> dict[str, Any]:
    answer = await service.client.post(path, json={"time": time}, headers=user)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def assert_answer(answer: httpx.Response, status: int, body: object) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == body


def assert_detail(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.json().keys() == {"detail"}
    detail: str = answer.json()["detail"]
    assert detail
    return detail


def assert_fields(answer: httpx.Response, *fields: str) -> None:
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.json().keys() == set(fields)
    for complaints in answer.json().values():
        assert complaints
        assert all(isinstance(complaint, str) and complaint for complaint in complaints)


@pytest.mark.parametrize("kind", ["json", "data", "files"])
async def test_a_login_and_its_tokens(service: Service, kind: str) -> None:
    account, _ = await service.sign_up()
    form: Any = {"username": account["username"], "password": PASSWORD}
    if kind == "files":
        form = {name: (None, value) for name, value in form.items()}
    answer = await service.client.post("/api/token/", **{kind: form})
    tokens = answer.json()
    assert_answer(answer, 200, {"refresh": tokens["refresh"], "access": tokens["access"]})
    assert answer.headers["cache-control"] == "no-store"

    for _ in range(3):  # it stays valid
        body: Any = {"refresh": tokens["refresh"]}
        if kind == "files":
            body = {"refresh": (None, tokens["refresh"])}
        renewed = await service.client.post("/api/token/refresh/", **{kind: body})
        assert_answer(renewed, 200, {"access": renewed.json()["access"]})
        assert renewed.headers["cache-control"] == "no-store"
        headers = {"Authorization": f"Bearer {renewed.json()['access']}"}
        assert_answer(await service.client.get("/api/pictures", headers=headers), 200, [])


async def test_credentials_that_are_not_good(service: Service) -> None:
    account, _ = await service.sign_up()
    for username in (account["username"], "nobody"):
        form = {"username": username, "password": "wrong"}
        refused = await service.client.post("/api/token/", json=form)
        assert_detail(refused, 401)
        assert refused.headers["www-authenticate"].startswith("Bearer")
    for body, fields in (({}, ("username", "password")), ({"username": "x"}, ("password",))):
        assert_fields(await service.client.post("/api/token/", json=body), *fields)
    for content in (b"[1]", b"{", b"[" * 50_000):
        assert_detail(await service.client.post("/api/token/", content=content), 400)
    assert_detail(await service.client.post("/api/token/", content=b" " * 70_000), 413)


async def test_refresh_tokens_that_are_not_good(service: Service, ada: dict[str, Any]) -> None:
    async def refused(token: str) -> None:
        body = {"refresh": token}
        answer = await service.client.post("/api/token/refresh/", json=body)
        assert_answer(answer, 401, {"detail": "Token is invalid or expired"})
        assert answer.headers["www-authenticate"].startswith("Bearer")

    for token in ("", "x", ada["access"], ada["refresh"][:-1] + "_"):
        await refused(token)
    assert_fields(await service.client.post("/api/token/refresh/", json={}), "refresh")
    # a token works with the contract that it was made for
    login = {"username": ada["name"], "password": PASSWORD}
    others = (await service.client.post("/v1/auth/token", data=login)).json()["refresh_token"]
    await refused(others)
    own = {"refresh_token": ada["refresh"]}
    assert (await service.client.post("/v1/auth/refresh", json=own)).status_code == 401
    body = {"refresh": ada["refresh"]}
    assert (await service.client.post("/api/token/refresh/", json=body)).status_code == 200
    # until its session ends
    await service.client.post("/v1/auth/revoke", headers=ada["headers"])
    await refused(ada["refresh"])


async def test_a_refresh_token_that_was_traded_in_renews_nothing(service: Service) -> None:
    """Where tokens are traded in, as by `/v1`, the old one is no good."""
    account, _ = await service.sign_up()
    login = {"username": account["username"], "password": PASSWORD}
    old = (await service.client.post("/v1/auth/token", data=login)).json()["refresh_token"]
    logins = service.runtime.logins
    assert await logins.renew(old, client="v1")
    await service.client.post("/v1/auth/refresh", json={"refresh_token": old})
    with pytest.raises(Unauthorized):
        await logins.renew(old, client="v1")


@pytest.mark.ordinary
async def test_a_refresh_token_expires(service: Service, ada: dict[str, Any]) -> None:
    def expire(connection: Connection) -> None:
        own = select(accounts.c.id).where(accounts.c.username == ada["name"]).scalar_subquery()
        connection.execute(
            update(sessions).where(sessions.c.account_id == own).values(expires_at=clock.now())
        )

    await service.runtime.parts.database.write(expire)
    body = {"refresh": ada["refresh"]}
    assert_detail(await service.client.post("/api/token/refresh/", json=body), 401)


async def test_failed_logins_are_limited(make_settings: MakeSettings) -> None:
    async with running(make_settings(rate_limits="on")) as service:
        form = {"username": "ada", "password": "wrong"}
        for _ in range(LOGIN.limit):
            assert_detail(await service.client.post("/api/token/", json=form), 401)
        limited = await service.client.post("/api/token/", json=form)
        assert_detail(limited, 429)
        assert int(limited.headers["retry-after"]) > 0


async def test_the_document_about_pictures(service: Service, ada: dict[str, Any]) -> None:
    user, name = ada["headers"], ada["name"]
    await set_tier(service, ada, "Premium")
    form = {"img": ("image.png", LARGE)}
    answer = await service.client.post(
        "/api/pictures", data={"name": "honda hrc poster"}, files=form, headers=user
    )
    img = answer.json()["img"]
    assert re.fullmatch(f"/api/picture/{UUID}", img)
    picture = {
        "owner": name,
        "name": "honda hrc poster",
        "urls": f"['{img}/200', '{img}/400', '{img}']",
    }
    assert_answer(answer, 201, picture | {"img": img})
    assert_answer(await service.client.get("/api/pictures", headers=user), 200, [picture])
    other = await upload(service, user)
    del other["img"]
    assert_answer(await service.client.get("/api/pictures/", headers=user), 200, [other, picture])

    *thumbnails, original = ast.literal_eval(picture["urls"])
    for path, height in zip(thumbnails, (200, 400), strict=True):
        got = await service.client.get(path, headers=user)
        assert (got.status_code, got.headers["content-type"]) == (200, "image/jpeg")
        assert pictures.decoded(got.content).height == height
        assert got.headers["content-disposition"].startswith("inline;")
        head = await service.client.head(path, headers=user)
        assert (head.status_code, head.headers["etag"]) == (200, got.headers["etag"])
    got = await service.client.get(original, headers=user)
    assert (got.status_code, got.content) == (200, LARGE)
    assert got.headers["content-type"] == "image/png"
    assert got.headers["content-disposition"] == 'inline; filename="honda hrc poster.png"'
    head = await service.client.head(original, headers=user)
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(LARGE)))
    part = await service.client.get(original, headers=user | {"Range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, LARGE[1:4])


async def test_a_tier_says_what_can_be_seen(service: Service, ada: dict[str, Any]) -> None:
    user = ada["headers"]
    img = (await upload(service, user))["img"]
    seen = {
        "Basic": ([f"{img}/200"], [200, 403, 403, 403]),
        "Premium": ([f"{img}/200", f"{img}/400", img], [200, 200, 200, 403]),
        "Enterprise": ([f"{img}/200", f"{img}/400", img], [200, 200, 200, 200]),
    }
    for tier, (urls, statuses) in seen.items():
        await set_tier(service, ada, tier)
        (listed,) = (await service.client.get("/api/pictures", headers=user)).json()
        assert listed["urls"] == str(urls)
        answers = [
            await service.client.get(path, headers=user)
            for path in (f"{img}/200", f"{img}/400", img)
        ]
        answers.append(await service.client.post(img, json={"time": 300}, headers=user))
        assert [answer.status_code for answer in answers] == statuses
        for answer in answers:
            if answer.status_code == 403:
                assert_detail(answer, 403)
    for height in ("0", "201", str(10**17), "9" * 5000):
        assert_detail(await service.client.get(f"{img}/{height}", headers=user), 403)


async def test_uploads_that_are_not_good(service: Service, user: Headers) -> None:
    def post(**sent: Any) -> Any:  # noqa: ANN401 - whatever httpx takes, and an answer
        return service.client.post("/api/pictures", headers=user, **sent)

    good, name = {"img": ("a.png", LARGE)}, {"name": "a"}
    assert_fields(await post(files={"name": (None, "a")}), "img")
    assert_fields(await post(files={"other": (None, "a")}), "img", "name")
    assert_fields(await post(files=good), "name")
    for bad in ("", "x" * 256, "a\0"):
        assert_fields(await post(files=good, data={"name": bad}), "name")
    for data in (b"", b"no picture", LARGE[:40]):
        assert_fields(await post(files={"img": ("a.png", data)}, data=name), "img")
    assert_fields(await post(json={"name": "a", "img": "image.jpg"}), "img")
    assert_fields(await post(), "img")
    store_of(service).fail("put", error=StoreFull())
    assert_detail(await post(files={"img": ("a.bmp", NOISE)}, data=name), 507)
    assert_answer(await service.client.get("/api/pictures", headers=user), 200, [])


async def test_too_many_pixels_have_the_same_form(make_settings: MakeSettings) -> None:
    async with running(make_settings(max_pixels=1000)) as service:
        user = (await someone(service))["headers"]
        form = {"img": ("a.png", LARGE)}
        refused = await service.client.post(
            "/api/pictures", data={"name": "a"}, files=form, headers=user
        )
        assert_detail(refused, 413)


@pytest.mark.parametrize("kind", ["json", "data", "files"])
async def test_the_document_about_links(
    service: Service, ada: dict[str, Any], user: Headers, kind: str
) -> None:
    picture = await upload(service, user)
    img = picture.pop("img")
    body: Any = {"time": (None, "400")} if kind == "files" else {"time": "400"}
    answer = await service.client.post(img, headers=user, **{kind: body})
    link = answer.json()
    assert re.fullmatch(f"/api/timelink/{UUID}", link["url"])
    assert_answer(answer, 200, {"url": link["url"], "picture": picture, "time": 400})

    listed = await service.client.get("/api/pictures/shared/", headers=user)
    time_left = listed.json()[0]["time_left"]
    assert time_left in range(390, 401)
    assert_answer(listed, 200, [link | {"time_left": time_left}])

    got = await service.client.get(link["url"])  # by anybody
    assert (got.status_code, got.content) == (200, LARGE)
    assert got.headers["content-type"] == "image/png"
    assert got.headers["cache-control"] == "no-store"
    assert got.headers["content-disposition"] == 'inline; filename="harbour.png"'
    head = await service.client.head(link["url"])
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(LARGE)))


async def test_a_link_is_one_of_the_timelinks(service: Service, user: Headers) -> None:
    img = (await upload(service, user))["img"]
    link = await share(service, user, img)
    (known,) = (await service.client.get("/v1/timelinks", headers=user)).json()["items"]
    assert (known["kind"], known["target"], known["time"]) == ("picture", img[-36:], 400)
    revoked = await service.client.delete(f"/v1/timelinks/{known['id']}", headers=user)
    assert revoked.status_code == 204
    assert_detail(await service.client.get(link["url"]), 404)


async def test_a_time_may_be_a_number_or_a_text(service: Service, user: Headers) -> None:
    img = (await upload(service, user))["img"]
    times = {300: 300, 30_000: 30_000, "300": 300, "30000": 30_000, 400.0: 400}
    for sent, meant in times.items():
        assert (await share(service, user, img, sent))["time"] == meant


async def test_times_that_are_not_good(service: Service, user: Headers) -> None:
    img = (await upload(service, user))["img"]
    times = [299, 30_001, "299", "30001", "", "x", None, True, 400.5, [400], "9" * 5000]
    for body in [{"time": time} for time in times] + [{}]:
        assert_fields(await service.client.post(img, json=body, headers=user), "time")
    assert_fields(await service.client.post(img, headers=user), "time")
    assert_answer(await service.client.get("/api/pictures/shared/", headers=user), 200, [])


@pytest.mark.ordinary
async def test_a_link_that_has_ended(service: Service, ada: dict[str, Any], user: Headers) -> None:
    img = (await upload(service, user))["img"]
    link = await share(service, user, img)

    async def shown() -> object:
        (one,) = (await service.client.get("/api/pictures/shared/", headers=user)).json()
        return one["time_left"]

    # the tier takes it away, and gives it back
    await set_tier(service, ada, "Premium")
    assert await shown() == "Expired"
    assert_detail(await service.client.get(link["url"]), 404)
    await set_tier(service, ada, "Enterprise")
    assert isinstance(await shown(), int)

    def expire(connection: Connection) -> None:
        connection.execute(update(timelinks).values(expires_at=clock.now()))

    await service.runtime.parts.database.write(expire)
    assert await shown() == "Expired"
    assert_detail(await service.client.get(link["url"]), 404)
    # with its picture it is gone
    deleted = await service.client.delete(f"/v1/pictures/{img[-36:]}", headers=user)
    assert deleted.status_code == 204
    assert_answer(await service.client.get("/api/pictures/shared/", headers=user), 200, [])


async def test_links_that_ask_for_more_have_no_place_here(service: Service, user: Headers) -> None:
    """Those of a file, with a count or a password: `/t/` knows them, this contract doesn't."""
    picture = (await upload(service, user))["img"][-36:]
    form = {"file": ("a.txt", b"hello")}
    file = (await service.client.post("/v1/files", files=form, headers=user)).json()["id"]
    for wanted in (
        {"kind": "picture", "id": picture, "max_downloads": 9},
        {"kind": "picture", "id": picture, "password": "secret"},
        {"kind": "file", "id": file},
    ):
        made = await service.client.post("/v1/timelinks", json=wanted | {"time": 400}, headers=user)
        assert made.status_code == 201, made.text
        token = made.json()["url"].rpartition("/")[2]
        assert_detail(await service.client.get(f"/api/timelink/{uuid_of(token)}"), 404)
    assert_answer(await service.client.get("/api/pictures/shared/", headers=user), 200, [])
    # the same way round for one that has neither
    wanted = {"kind": "picture", "id": picture, "time": 400}
    made = await service.client.post("/v1/timelinks", json=wanted, headers=user)
    token = made.json()["url"].rpartition("/")[2]
    got = await service.client.get(f"/api/timelink/{uuid_of(token)}")
    assert (got.status_code, got.content) == (200, LARGE)


def uuid_of(token: str) -> str:
    return str(uuid.UUID(bytes=base64.urlsafe_b64decode(token + "==")))


async def test_pictures_are_their_owners_alone(service: Service, user: Headers) -> None:
    img = (await upload(service, user))["img"]
    other = (await someone(service))["headers"]
    for path in (img, f"{img}/200", f"/api/picture/{NOBODYS}", f"/api/picture/{NOBODYS}/200"):
        assert_detail(await service.client.get(path, headers=other), 404)
        assert_detail(await service.client.get(path), 401)
    assert_answer(await service.client.get("/api/pictures", headers=other), 200, [])


async def test_nobody_shares_what_is_anothers(service: Service, user: Headers) -> None:
    img = (await upload(service, user))["img"]
    other = await someone(service)
    await set_tier(service, other, "Enterprise")
    for path in (img, f"/api/picture/{NOBODYS}"):
        answer = await service.client.post(path, json={"time": 400}, headers=other["headers"])
        assert_detail(answer, 404)
    assert_detail(await service.client.get(f"/api/timelink/{NOBODYS}"), 404)


async def test_most_paths_need_a_login(service: Service) -> None:
    paths = [("GET", "pictures"), ("POST", "pictures"), ("GET", "pictures/shared/")]
    for method, path in [*paths, ("POST", f"picture/{NOBODYS}")]:
        for headers, error in (({}, "Bearer"), ({"Authorization": "Bearer x"}, 'Bearer error="')):
            answer = await service.client.request(method, f"/api/{path}", headers=headers)
            assert_detail(answer, 401)
            none = answer.json()["detail"] == "Authentication credentials were not provided."
            assert none == (headers == {})
            assert answer.headers["www-authenticate"].startswith(error)


async def test_paths_that_are_none(service: Service) -> None:
    for path in ("picture/x", "timelink/x", f"picture/{NOBODYS}/x", "pictures/x"):
        answer = await service.client.get(f"/api/{path}")
        assert answer.status_code == 404
        assert answer.json()["detail"]


async def test_guesses_of_links_are_limited(make_settings: MakeSettings) -> None:
    async with running(make_settings(rate_limits="on")) as service:
        for _ in range(LINK_MISSES.limit - 1):
            await service.runtime.parts.rate_limits.count(LINK_MISSES, "127.0.0.1")
        for status in (404, 429):
            answer = await service.client.get(f"/api/timelink/{NOBODYS}")
            assert_detail(answer, status)
        assert int(answer.headers["retry-after"]) > 0


@pytest.mark.ordinary
async def test_a_long_list_comes_in_batches(
    service: Service, user: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storagetiers, "BATCH", 2)
    made = [await upload(service, user, f"picture {n}") for n in range(5)]
    links = [await share(service, user, picture["img"]) for picture in made]
    listed = (await service.client.get("/api/pictures", headers=user)).json()
    assert [item["name"] for item in listed] == [picture["name"] for picture in made[::-1]]
    shared = (await service.client.get("/api/pictures/shared/", headers=user)).json()
    assert [item["url"] for item in shared] == [link["url"] for link in links[::-1]]


def test_it_can_be_turned_off(tmp_path: Path) -> None:
    def paths(*compat: str) -> set[str]:
        changed = Settings(_env_file=None, data_dir=tmp_path, compat=compat)
        return {path for path in paths_of(changed) if path.startswith("/api/")}

    assert not paths()
    assert paths("storagetiers") == {
        "/api/token/", "/api/token/refresh/", "/api/pictures", "/api/pictures/shared/",
        "/api/picture/{id}", "/api/picture/{id}/{height}", "/api/timelink/{uuid}",
    }  # fmt: skip


def test_what_our_document_says_to_type_works(run_document: RunDocument) -> None:
    printed = run_document("storagetiers.md", {"harbour.jpg": LARGE})
    assert '"time_left":' in printed
