"""Albums: bundles that point to pictures, made on their page, and shown by thumbnails."""

import io
import re
from collections.abc import AsyncIterator
from typing import Any

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
    assert f'<a href="{bundle["link"]}">' in shown.text
    assert (bundle["name"], bundle["count"], bundle["is_open"]) == ("Album", len(names), False)
    link: str = bundle["link"]
    return link


@pytest.mark.slow("scaled")
async def test_selected_pictures_become_an_album(service: Service, user: Headers) -> None:
    grid = await service.client.get("/pictures", headers=PAGE)
    link = await make_album(service, user, "sea", "sea", "hill.JPG")
    service.client.cookies.clear()
    page = await service.client.get(link, headers=PAGE)
    names = re.findall(r'class="tile".* data-name="([^"]+)"', page.text)
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
