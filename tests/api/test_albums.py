"""Albums: bundles that point to pictures, made on their page, and shown by thumbnails."""

import io
import re
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from PIL import Image

from tests.api.conftest import PASSWORD, Service
from tests.api.shared import shared_fixtures, store_of
from tests.pictures import encoded, quarters

pytestmark = pytest.mark.anyio

PAGE = {"Accept": "text/html"}
Headers = dict[str, str]


settings, service = shared_fixtures(default_tier="Enterprise")


@pytest.fixture
async def user(service: Service) -> AsyncIterator[Headers]:
    """The headers of somebody who has signed in on the pages, too."""
    account, headers = await service.sign_up()
    form = {"username": account["username"], "password": PASSWORD}
    assert (await service.client.post("/account/login", data=form)).status_code == 200
    yield headers
    store_of(service).heal()
    service.client.cookies.clear()


async def make_pictures(service: Service, user: Headers, *names: str) -> list[str]:
    ids = []
    for name in names:
        image = encoded(quarters(), "jpeg")
        made = await service.client.post(
            "/v1/pictures", data={"name": name}, files={"img": image}, headers=user
        )
        assert made.status_code == 201, made.text
        ids.append(made.json()["id"])
    return ids


async def share(service: Service, ids: list[str]) -> httpx.Response:
    form: Any = {"id": ids}
    return await service.client.post(
        "/pictures/albums", data=form, headers=PAGE, follow_redirects=True
    )


async def make_album(service: Service, user: Headers, *names: str) -> str:
    """Make an album; returns its link."""
    shown = await share(service, await make_pictures(service, user, *names))
    assert shown.status_code == 200, shown.text
    bundle = (await service.client.get("/v1/bundles", headers=user)).json()["items"][0]
    assert f'href="{bundle["link"]}"' in shown.text
    assert (bundle["name"], bundle["count"], bundle["is_open"]) == ("Album", len(names), False)
    link: str = bundle["link"]
    return link


async def post(service: Service, path: str, **form: Any) -> httpx.Response:  # noqa: ANN401 - its fields
    return await service.client.post(path, data=form, headers=PAGE, follow_redirects=True)


def names_in(page: httpx.Response) -> list[str]:
    return re.findall(r'class="tile".* data-name="([^"]+)"', page.text)


async def test_an_album_is_listed_filled_changed_and_ended(service: Service, user: Headers) -> None:
    sea, hill, lake = await make_pictures(service, user, "sea", "hill", "lake")
    other = await service.client.post("/v1/bundles", json={"name": "Papers"}, headers=user)
    items = f"/v1/bundles/{other.json()['id']}/items"
    for part in ({"files": {"file": ("a.txt", b"text")}}, {"json": {"kind": "picture", "id": sea}}):
        assert (await service.client.post(items, headers=user, **part)).status_code == 201
    shown = await post(service, "/pictures/albums", id=[sea], name="Sun & sea", expires_in="86400")
    album = str(shown.url.path)
    assert (names_in(shown), "Sun &amp; sea" in shown.text) == (["sea"], True)
    listed = await service.client.get("/pictures/albums", headers=PAGE)
    (only,) = re.findall('class="name" href="([^"]+)"', listed.text)  # what has a file is none
    assert only == album
    assert f"/v1/pictures/{sea}/thumbnails/400" in listed.text
    home = await service.client.get("/", headers=PAGE)
    assert [f'href="{album}"' in home.text, "1 picture<" in home.text] == [True, True]
    for _ in range(2):  # what is there already isn't added again
        filled = await post(service, "/pictures/albums", id=[sea, hill], album=album[-36:])
    assert names_in(filled) == ["sea", "hill"]
    (path,) = re.findall(
        r'value="([^"]+)" data-delete="[^"]+" aria-label="Select sea"', filled.text
    )
    assert names_in(await post(service, f"{album}/remove", id=[path])) == ["hill"]
    wrong = await post(service, "/pictures/albums", id=[lake, str(uuid4())], album=album[-36:])
    assert wrong.status_code == 404
    change = {"name": "Hills", "note": "For you", "originals": "true", "password": "secret"}
    assert names_in(await post(service, album, **change)) == ["hill"]
    kept = (await service.client.get(f"/v1/bundles/{album[-36:]}", headers=user)).json()
    assert (kept["name"], kept["note"], kept["originals"]) == ("Hills", "For you", True)
    assert (kept["has_password"], kept["count"], kept["is_open"]) == (True, 1, False)
    await post(service, album, name="Hills", unprotected="true")
    kept = (await service.client.get(f"/v1/bundles/{album[-36:]}", headers=user)).json()
    assert (kept["has_password"], kept["note"], kept["originals"]) == (False, None, False)
    assert "No albums yet" in (await post(service, f"{album}/end")).text
    assert (await service.client.get(kept["link"])).status_code == 404
    assert (await service.client.get(f"/v1/pictures/{hill}", headers=user)).status_code == 200


@pytest.mark.slow("scaled")
async def test_albums_of_others_are_not_there(service: Service, user: Headers) -> None:
    album = (await share(service, await make_pictures(service, user, "sea"))).url.path
    service.client.cookies.clear()
    account, headers = await service.sign_up()
    form = {"username": account["username"], "password": PASSWORD}
    assert (await service.client.post("/account/login", data=form)).status_code == 200
    (own,) = await make_pictures(service, headers, "hill")
    assert (await service.client.get(album, headers=PAGE)).status_code == 404
    for path, fields in (
        (album, {"name": "Mine"}),
        (f"{album}/remove", {"id": [own]}),
        ("/pictures/albums", {"id": [own], "album": album[-36:]}),
    ):
        assert (await post(service, path, **fields)).status_code == 404
    await post(service, f"{album}/end")
    assert (await service.client.get(f"/v1/bundles/{album[-36:]}", headers=user)).status_code == 200


@pytest.mark.slow("scaled")
async def test_selected_pictures_become_an_album(service: Service, user: Headers) -> None:
    grid = await service.client.get("/pictures", headers=PAGE)
    link = await make_album(service, user, "sea", "sea", "hill.JPG")
    service.client.cookies.clear()
    page = await service.client.get(link, headers=PAGE)
    names = names_in(page)
    shown = zip(re.findall(r'<img src="([^"]+thumbnail[^"]+)"', page.text), names, strict=True)
    assert names == ["sea.jpg", "sea (2).jpg", "hill.JPG"]
    for path, _ in shown:
        image = await service.client.get(path.replace("&amp;", "&"))
        assert image.status_code == 200, image.text
        assert image.headers["cache-control"] == "no-store"
        with Image.open(io.BytesIO(image.content)) as opened:
            assert (opened.format, opened.height) == ("JPEG", min(200, quarters().height))
    assert "Make an album" in grid.text


async def test_thumbnails_are_shown_as_the_pictures_are(service: Service, user: Headers) -> None:
    link = await make_album(service, user, "sea")
    bundle = (await service.client.get("/v1/bundles", headers=user)).json()["items"][0]
    url, thumbnail = f"/v1/bundles/{bundle['id']}", f"{link}/sea.jpg?thumbnail=1"
    items = f"{url}/items"
    await service.client.patch(url, json={"is_open": True}, headers=user)
    await service.client.post(items, files={"file": ("own.jpg", b"no picture")}, headers=user)
    service.client.cookies.clear()
    assert (await service.client.get(f"{link}/own.jpg?thumbnail=1")).status_code == 404
    assert (await service.client.get(f"{link}/nothing?thumbnail=1")).status_code == 404
    assert (await service.client.get(thumbnail)).status_code == 200
    for options in ({"password": "secret"}, {"password": None, "max_downloads": 1}):
        await service.client.patch(url, json=options, headers=user)
        hidden = await service.client.get(thumbnail)
        assert hidden.status_code in {401, 200}  # of a limited link, its facts
        assert "image" not in hidden.headers["content-type"]
    found = (await service.client.get(url, headers=user)).json()
    assert found["downloads"] <= 1


async def test_all_of_the_selected_or_none(service: Service, user: Headers) -> None:
    (own,) = await make_pictures(service, user, "sea")
    _, other = await service.sign_up()
    (theirs,) = await make_pictures(service, other, "hill")
    for wrong in ([], ["\0"], [own, "x"]):
        assert (await share(service, wrong)).status_code == 422
    assert (await share(service, [own, theirs])).status_code == 404
    assert (await service.client.get("/v1/bundles", headers=user)).json()["items"] == []
