"""What strangers get of a picture: nothing of what its camera wrote, unless its owner wants it."""

import base64
import io
import re
import zipfile
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from tests.api.conftest import Service
from tests.api.shared import shared_fixtures
from tests.odd_pictures import png_with
from tests.pictures import chunk, decoded, encoded, exif, noise, quarters

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

PAGE = {"Accept": "text/html"}
TELLING = (b"GPS-north", b"Camera-maker")
SMALL = encoded(quarters(), "jpeg", exif=exif(6))  # in the database
LARGE = encoded(noise(900, 600), "jpeg", exif=exif(6), quality=95)  # in the store
Headers = dict[str, str]

settings, service = shared_fixtures(default_tier="Enterprise")


@pytest.fixture
async def user(service: Service) -> AsyncIterator[Headers]:
    _, headers = await service.sign_up()
    yield headers
    service.client.cookies.clear()


async def store(service: Service, user: Headers, name: str, data: bytes) -> str:
    form: Any = {"data": {"name": name}, "files": {"img": data}}
    made = await service.client.post("/v1/pictures", **form, headers=user)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


async def post(service: Service, user: Headers, path: str, **body: Any) -> Any:  # noqa: ANN401 - JSON
    made = await service.client.post(path, json=body, headers=user)
    assert made.status_code == 201, made.text
    return made.json()


async def get(service: Service, path: str, headers: Headers | None = None) -> bytes:
    """Get what a stranger gets, which tells nothing; in whole and in part."""
    answer = await service.client.get(path, headers=headers, follow_redirects=True)
    assert answer.status_code == 200, answer.text
    assert not [word for word in TELLING if word in answer.content]
    size = len(answer.content)
    if answer.headers["content-type"] == "image/jpeg" and "thumbnail" not in path:
        assert "repr-digest" not in answer.headers
        head = await service.client.head(path)
        assert (head.headers["content-length"], head.headers["etag"]) == (
            str(size),
            answer.headers["etag"],
        )
        for first, last in (
            (0, 30),
            (18, 70),
            (40, size - 1),
        ):  # before, in, after what was left out
            part = await service.client.get(path, headers={"Range": f"bytes={first}-{last}"})
            assert part.status_code == 206
            assert part.content == answer.content[first : last + 1]
    return answer.content


async def test_an_album_tells_nothing_of_where_it_was_taken(
    service: Service, user: Headers
) -> None:
    album = await post(service, user, "/v1/bundles", name="Album")
    items = f"/v1/bundles/{album['id']}/items"
    for name, data in (("small", SMALL), ("large", LARGE)):
        await post(service, user, items, kind="picture", id=await store(service, user, name, data))
    link = album["link"]
    assert b"small.jpg" in await get(service, link, PAGE)
    given = {}
    for name in ("small.jpg", "large.jpg"):
        await get(service, f"{link}/{name}", PAGE)
        await get(service, f"{link}/{name}?thumbnail=1")
        given[name] = await get(service, f"{link}/{name}?download=1")
        assert given[name] == await get(service, f"{link}/{name}?inline=1")
    with zipfile.ZipFile(io.BytesIO(await get(service, f"{link}?download=1"))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == given
    listed = (await service.client.get(link, headers={"Accept": "application/json"})).json()
    assert [item["size"] for item in listed["items"]] == [len(data) for data in given.values()]
    changed = await service.client.patch(
        f"/v1/bundles/{album['id']}", json={"originals": True}, headers=user
    )
    assert changed.json()["originals"]
    for name, data in (("small.jpg", SMALL), ("large.jpg", LARGE)):
        assert (await service.client.get(f"{link}/{name}?download=1")).content == data


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
async def test_a_link_to_a_picture_tells_nothing(
    service: Service, user: Headers, data: bytes
) -> None:
    picture = {"kind": "picture", "id": await store(service, user, "sea", data), "time": 900}
    link = await post(service, user, "/v1/timelinks", **picture)
    assert link["originals"] is False
    assert b"SHA-256" not in await get(service, link["url"], PAGE)
    given = await get(service, f"{link['url']}/sea.jpg?inline=1")
    limited = await post(service, user, "/v1/timelinks", **picture, max_downloads=1)
    taken = await service.client.get(f"{limited['url']}?download=1", follow_redirects=True)
    assert taken.content == given
    whole = await post(service, user, "/v1/timelinks", **picture, originals=True)
    assert whole["originals"]
    answer = await service.client.get(f"{whole['url']}?download=1")
    assert (answer.content, "repr-digest" in answer.headers) == (data, True)
    own = await service.client.get(f"/v1/pictures/{picture['id']}/original", headers=user)
    assert own.content == data


async def test_an_upstream_link_gives_the_original_and_no_other_does_so_there(
    service: Service, user: Headers
) -> None:
    picture = await store(service, user, "sea", LARGE)
    made = await service.client.post(f"/api/picture/{picture}", json={"time": 900}, headers=user)
    path = next(value for value in made.json().values() if "/api/timelink/" in str(value))
    assert (await service.client.get(path)).content == LARGE
    link = await post(service, user, "/v1/timelinks", kind="picture", id=picture, time=900)
    token = base64.urlsafe_b64decode(link["url"][-22:] + "==")
    await get(service, f"/api/timelink/{UUID(bytes=token)}")


async def test_what_has_nothing_beside_it_is_as_it_was(service: Service, user: Headers) -> None:
    data = encoded(quarters(), "png")
    picture = await store(service, user, "sea", data)
    link = await post(service, user, "/v1/timelinks", kind="picture", id=picture, time=900)
    answer = await service.client.get(f"{link['url']}?download=1")
    assert (answer.content, "repr-digest" in answer.headers) == (data, True)


async def test_what_can_not_be_taken_apart_stays_with_its_owner(
    service: Service, user: Headers
) -> None:
    pairs = (chunk(b"pHYs", bytes(9)) + chunk(b"tEXt", b"GPS-north") for _ in range(300))
    data = png_with(*pairs)
    picture = await store(service, user, "sea", data)
    link = await post(service, user, "/v1/timelinks", kind="picture", id=picture, time=900)
    for headers in ({}, PAGE):
        refused = await service.client.get(f"{link['url']}?download=1", headers=headers)
        assert refused.status_code == 403
        assert b"GPS-north" not in refused.content
    album = await post(service, user, "/v1/bundles", name="Album")
    await post(service, user, f"/v1/bundles/{album['id']}/items", kind="picture", id=picture)
    with zipfile.ZipFile(io.BytesIO(await get(service, f"{album['link']}?download=1"))) as archive:
        assert archive.namelist() == []


async def test_what_browsers_do_not_show_is_seen_as_a_thumbnail(
    service: Service, user: Headers
) -> None:
    picture = await store(service, user, "sea", encoded(quarters(900, 600), "heic"))
    link = await post(service, user, "/v1/timelinks", kind="picture", id=picture, time=900)
    page = (await get(service, link["url"], PAGE)).decode()
    (path,) = re.findall('<img class="preview" src="([^"]+)"', page)
    shown = decoded(await get(service, path.replace("&amp;", "&")))
    assert (shown.size, "data-is-original" in page) == ((600, 400), False)  # of 200 and 400 px
    album = await post(service, user, "/v1/bundles", name="Album")
    await post(service, user, f"/v1/bundles/{album['id']}/items", kind="picture", id=picture)
    page = (await get(service, album["link"], PAGE)).decode()
    (path,) = re.findall('data-large="([^"]+)" data-width="600" data-height="400"', page)
    assert decoded(await get(service, path.replace("&amp;", "&"))).size == (600, 400)
    assert "data-is-original" not in page
    limited = await post(
        service, user, "/v1/timelinks", kind="picture", id=picture, time=900, max_downloads=1
    )
    for url in (limited["url"], (await make_file(service, user))):
        shown_at = await service.client.get(f"{url}?thumbnail=1")
        assert "image" not in shown_at.headers["content-type"]


async def make_file(service: Service, user: Headers) -> str:
    """Send a file; returns its link."""
    made = await service.client.post("/v1/files", files={"file": ("a", b"text")}, headers=user)
    return str(made.json()["link"])
