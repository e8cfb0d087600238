"""What one form sends: a file by itself, or if it is several, one bundle of them."""

import io
import zipfile
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx
import pytest

from tests.api.conftest import Service
from tests.api.shared import shared_fixtures, store_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

LARGE = bytes(i % 251 for i in range(100_000))
MAX_FILES = 3
PAGE = {"Accept": "text/html"}
JSON = {"Accept": "application/json"}

Headers = dict[str, str]


settings, service = shared_fixtures(max_files=MAX_FILES)


@pytest.fixture
async def user(service: Service) -> AsyncIterator[Headers]:
    """Headers of a new account."""
    _, headers = await service.sign_up()
    yield headers
    store_of(service).heal()


async def send(
    service: Service, user: Headers, *sent: tuple[str, bytes], url: str = "/v1/send/", **fields: str
) -> httpx.Response:
    form = [("file", one) for one in sent]
    return await service.client.post(url, files=form, data=fields, headers=user)


def contents(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as read:
        return {name: read.read(name) for name in read.namelist()}


@pytest.mark.ordinary
async def test_several_files_get_one_link(service: Service, user: Headers) -> None:
    sent = await send(service, user, ("a", b"a"), ("b.bin", LARGE), ("a", b"2"))
    assert sent.status_code == 201, sent.text
    assert sent.headers["content-type"].startswith("text/plain")
    (link,) = sent.text.splitlines()
    everything = await service.client.get(link)
    assert contents(everything.content) == {"a": b"a", "b.bin": LARGE, "a (2)": b"2"}
    place = sent.headers["location"]
    assert sent.headers["x-url-delete"] == f"http://test{place}"
    bundle = (await service.client.get(place, headers=user)).json()
    assert (bundle["name"], bundle["is_open"]) == ("a and 2 more", False)
    assert bundle["link"] == link
    assert (await service.client.get("/v1/files", headers=user)).json()["items"] == []


@pytest.mark.parametrize("url", ["/v1/send", "/v1/send/"])
async def test_one_file_is_a_file(service: Service, user: Headers, url: str) -> None:
    sent = await send(service, user, ("a.txt", b"a"), url=url)
    assert sent.status_code == 201, sent.text
    assert (await service.client.get(sent.text.strip())).content == b"a"
    (file,) = (await service.client.get("/v1/files", headers=user)).json()["items"]
    assert sent.headers["location"] == f"/v1/files/{file['id']}"
    assert (await service.client.get("/v1/bundles", headers=user)).json()["items"] == []


@pytest.mark.parametrize("is_first", [True, False])
async def test_options_are_those_of_the_link_of_all(
    service: Service, user: Headers, is_first: bool
) -> None:
    files = [("file", ("a", b"a")), ("file", ("b", b"b"))]
    options: list[tuple[str, Any]] = [
        ("expires_in", (None, "600")),
        ("password", (None, "secret")),
        ("note", (None, "For you")),
    ]
    form: Any = options + files if is_first else files + options
    sent = await service.client.post(
        "/v1/send", files=form, headers=user | JSON | {"Max-Downloads": "7"}
    )
    assert sent.status_code == 201, sent.text
    bundle = sent.json()
    assert (bundle["max_downloads"], bundle["note"]) == (7, "For you")
    assert bundle["has_password"]
    times = (datetime.fromisoformat(bundle[at]) for at in ("created_at", "expires_at"))
    created, expires = times
    assert (expires - created).total_seconds() == 600
    assert (await service.client.get(bundle["link"])).status_code == 401


async def test_what_is_kept_has_no_link(service: Service, user: Headers) -> None:
    sent = await send(service, user, ("a", b"a"), ("b", b"b"), expires_in="0")
    assert sent.text.strip() == f"http://test{sent.headers['location']}"


async def test_all_or_nothing_is_sent(service: Service, user: Headers) -> None:
    for fields, status in (({"expires_in": "soon"}, 422), ({"evict": "nobody"}, 422)):
        refused = await send(service, user, ("a", LARGE), ("b", LARGE), **fields)
        assert refused.status_code == status
    none = await service.client.post("/v1/send", files={"other": b""}, headers=user)
    assert none.status_code == 422
    usage = (await service.client.get("/v1/accounts/me", headers=user)).json()["usage"]
    assert (usage["bytes"], usage["objects"]) == (0, 0)
    assert (await service.client.get("/v1/bundles", headers=user)).json()["items"] == []


async def test_it_takes_one_place_and_no_other_unless_it_may(
    service: Service, user: Headers
) -> None:
    for number in range(MAX_FILES):
        await send(service, user, (f"{number}", b"x"))
    full = await send(service, user, ("a", b"a"), ("b", b"b"), evict="none")
    assert full.status_code == 409
    sent = await send(service, user, ("a", b"a"), ("b", b"b"))
    assert sent.status_code == 201
    listed = (await service.client.get("/v1/files", headers=user)).json()["items"]
    assert [file["name"] for file in listed] == ["2", "1"]


async def test_the_page_without_scripts_sends_several(service: Service, user: Headers) -> None:
    sent = await service.client.post(
        "/file/load", files=[("file", ("a", b"a")), ("file", ("b", b"b"))], headers=user | PAGE
    )
    assert sent.status_code == 200, sent.text
    bundle = (await service.client.get("/v1/bundles", headers=user)).json()["items"][0]
    assert f'<a href="{bundle["link"]}">' in sent.text
    assert "<h1>a and 1 more</h1>" in sent.text
    assert "2 files, 2 bytes" in sent.text
    page = await service.client.get("/file/load", headers=user | PAGE)
    assert "a and 1 more" in page.text
    program = await service.client.post(
        "/file/load", files=[("file", ("a", b"a")), ("file", ("b", b"b"))], headers=user
    )
    assert program.json()["link"].endswith(program.json()["token"])
