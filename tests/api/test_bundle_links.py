"""Links to bundles: listed, downloaded one by one or all at once, counted, protected."""

import asyncio
import base64
import io
import re
import zipfile
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import Connection, update

from app.accounts.tables import tiers
from tests.api.conftest import Service
from tests.api.shared import shared_fixtures, store_of
from tests.pictures import encoded, quarters

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

LARGE = bytes(i % 251 for i in range(100_000))
PAGE = {"Accept": "text/html"}
JSON = {"Accept": "application/json"}

Headers = dict[str, str]
Json = dict[str, Any]


settings, service = shared_fixtures(default_tier="Enterprise")


@pytest.fixture
async def user(service: Service) -> AsyncIterator[Headers]:
    """Headers of a new account."""
    _, headers = await service.sign_up()
    yield headers
    store_of(service).heal()
    service.client.cookies.clear()


MEMBERS = (("a.txt", b"first"), ("a.txt", b"second"), ("d/large", LARGE))


async def make(service: Service, user: Headers, **options: object) -> Json:
    """Make a bundle of three files, of which one is in a folder."""
    made = await service.client.post(
        "/v1/bundles", json={"name": "Holiday"} | options, headers=user
    )
    assert made.status_code == 201, made.text
    bundle: Json = made.json()
    items = f"/v1/bundles/{bundle['id']}/items"
    sent = [("file", member) for member in MEMBERS]
    added = await service.client.post(items, files=sent, headers=user)
    assert added.status_code == 201, added.text
    return bundle


def contents(answer: httpx.Response) -> list[tuple[str, bytes]]:
    """Return what is in an archive, which is checked as it is read."""
    assert answer.status_code == 200, answer.text
    assert int(answer.headers["content-length"]) == len(answer.content)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


ALL = [("a.txt", b"first"), ("a (2).txt", b"second"), ("d/large", LARGE)]


async def downloads(service: Service, user: Headers, bundle: Json) -> int | None:
    """Return how many downloads were taken; None: with the last of them the bundle has gone."""
    found = await service.client.get(f"/v1/bundles/{bundle['id']}", headers=user)
    if found.status_code == 404:
        return None
    count: int = found.json()["downloads"]
    return count


async def follow(service: Service, url: str, **headers: str) -> httpx.Response:
    service.client.cookies.clear()  # each is another visitor
    return await service.client.get(url, headers=headers, follow_redirects=True)


@pytest.mark.ordinary
async def test_all_members_come_as_one_archive(service: Service, user: Headers) -> None:
    link = (await make(service, user))["link"]
    for url in (link, f"{link}?download=1", f"{link}/"):
        answer = await service.client.get(url)
        assert contents(answer) == ALL
        assert answer.headers["content-type"] == "application/zip"
        assert 'filename="Holiday.zip"' in answer.headers["content-disposition"]
        assert answer.headers["cache-control"] == "no-store"
        assert "repr-digest" not in answer.headers
    head = await service.client.head(link)
    assert head.headers["content-length"] == answer.headers["content-length"]
    assert head.headers["etag"] == answer.headers["etag"]
    middle = {"Range": "bytes=50-90049", "If-Range": answer.headers["etag"]}
    part = await service.client.get(link, headers=middle)
    assert (part.status_code, part.content) == (206, answer.content[50:90050])


async def test_the_archive_is_another_when_its_members_are(service: Service, user: Headers) -> None:
    bundle = await make(service, user)
    before = await service.client.get(bundle["link"])
    items = f"/v1/bundles/{bundle['id']}/items"
    await service.client.post(items, files={"file": ("new", b"new")}, headers=user)
    resumed = {"Range": "bytes=50-", "If-Range": before.headers["etag"]}
    after = await service.client.get(bundle["link"], headers=resumed)
    assert contents(after) == [*ALL, ("new", b"new")]


async def test_each_member_has_an_address_of_its_own(service: Service, user: Headers) -> None:
    link = (await make(service, user))["link"]
    for name, data in ALL:
        for query in ("", "?download=1"):
            answer = await service.client.get(f"{link}/{name}{query}")
            assert (answer.status_code, answer.content) == (200, data)
        part = await service.client.get(f"{link}/{name}", headers={"Range": "bytes=1-3"})
        assert (part.status_code, part.content) == (206, data[1:4])
    text = await service.client.get(f"{link}/a.txt?inline=1")
    assert text.headers["content-disposition"].startswith("inline")
    for wrong in ("b.txt", "d", "large", "d/large/x"):
        for headers in ({}, PAGE):
            missing = await service.client.get(f"{link}/{wrong}", headers=headers)
            assert missing.status_code == 404


async def test_names_that_no_member_can_have(service: Service, user: Headers) -> None:
    bundle = await make(service, user)
    for name in ("%00", "%FF", "%ED%A0%80", "a" * 2000, "..%2Fa.txt"):
        for query in ("", "?download=1", "?lease=AAAAAAAAAAAAAAAAAAAAAA", "?thumbnail=1"):
            answer = await service.client.get(f"{bundle['link']}/{name}{query}")
            assert answer.status_code == 404, (name, query, answer.text)
        items = f"/v1/bundles/{bundle['id']}/items?name={name[:1000]}"
        listed = await service.client.get(items, headers=user)
        assert listed.status_code in {200, 422}, (name, listed.text)


async def test_programs_get_the_list_that_the_page_shows(service: Service, user: Headers) -> None:
    bundle = await make(service, user, note="<For you>\nAda")
    link, path = bundle["link"], httpx.URL(bundle["link"]).path
    listed = (await service.client.get(link, headers=JSON)).json()
    assert [(item["name"], item["size"]) for item in listed["items"]] == [
        (name, len(data)) for name, data in ALL
    ]
    assert listed["items"][1]["download"] == f"{path}/a%20%282%29.txt?download=1"
    assert listed["note"] == "<For you>\nAda"
    assert (listed["count"], listed["size"]) == (3, sum(len(data) for _, data in ALL))
    for item in listed["items"]:
        got = await service.client.get(item["download"])
        assert got.content == dict(ALL)[item["name"]]

    page = (await service.client.get(link, headers=PAGE)).text
    assert "&lt;For you&gt;\nAda" in page
    assert re.findall(r'<a href="([^"]+)">', page) == [
        item["download"].removesuffix("?download=1") for item in listed["items"]
    ]
    assert f'href="{path}?download=1"' in page
    assert "3 files, 97.7 KiB" in page
    one = await service.client.get(f"{link}/a.txt", headers=PAGE)
    assert "first" in one.text
    assert f'<a href="{path}">All of Holiday</a>' in one.text


@pytest.mark.ordinary
async def test_a_list_of_many_is_paged(
    service: Service, user: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("routers.pages.public.bundle._ON_PAGE", 2)
    link = (await make(service, user))["link"]
    first = await service.client.get(link, headers=PAGE)
    more = re.search(r'id="more"[^>]*href="([^"]+)"', first.text)
    assert more is not None
    second = await service.client.get(more[1], headers=PAGE)
    assert "d/large" not in first.text
    assert "d/large" in second.text
    assert 'id="more"' not in second.text


async def test_a_limit_counts_the_whole_as_one_and_each_member_as_one(
    service: Service, user: Headers
) -> None:
    bundle = await make(service, user, max_downloads=3)
    link = bundle["link"]
    for quiet in (PAGE, JSON, {}):
        assert (await service.client.get(link, headers=quiet)).status_code == 200
        assert (await service.client.get(f"{link}/a.txt", headers=quiet)).status_code == 200
    assert (await service.client.head(f"{link}?download=1")).status_code == 200
    assert await downloads(service, user, bundle) == 0

    assert contents(await follow(service, f"{link}?download=1")) == ALL
    assert await downloads(service, user, bundle) == 1
    for name, data in ALL[:2]:
        assert (await follow(service, f"{link}/{name}?download=1")).content == data
    assert await downloads(service, user, bundle) is None
    assert (await service.client.get("/v1/accounts/me", headers=user)).json()["usage"]["bytes"] == 0
    for url in (link, f"{link}/a.txt", f"{link}?download=1", f"{link}/a.txt?download=1"):
        assert (await follow(service, url)).status_code == 404


async def test_what_is_not_there_takes_no_download(service: Service, user: Headers) -> None:
    bundle = await make(service, user, max_downloads=1)
    assert (await follow(service, f"{bundle['link']}/b?download=1")).status_code == 404
    assert (await service.client.post(f"{bundle['link']}/b")).status_code == 404
    assert await downloads(service, user, bundle) == 0


async def test_ranges_and_retries_of_a_lease_count_no_further(
    service: Service, user: Headers
) -> None:
    bundle = await make(service, user, max_downloads=3)
    for url, data in ((f"{bundle['link']}/d/large", LARGE), (bundle["link"], None)):
        service.client.cookies.clear()
        claimed = await service.client.get(f"{url}?download=1")
        assert claimed.status_code == 303
        lease = claimed.headers["location"]
        whole = await service.client.get(lease)
        assert data is None or whole.content == data
        for start in (0, 10, 90_000):
            part = await service.client.get(lease, headers={"Range": f"bytes={start}-"})
            assert (part.status_code, part.content) == (206, whole.content[start:])
        # with its cookie, a download manager asks the link's own URL for each further part
        further = await service.client.get(
            f"{url}?download=1", headers={"Range": "bytes=10-"}, follow_redirects=True
        )
        assert further.content == whole.content[10:]
    assert await downloads(service, user, bundle) == 2


async def test_the_lease_of_one_member_opens_no_other(service: Service, user: Headers) -> None:
    bundle = await make(service, user, max_downloads=2)
    link = bundle["link"]
    claimed = await service.client.get(f"{link}/a.txt?download=1")
    lease = httpx.URL(claimed.headers["location"]).query.decode()
    service.client.cookies.clear()
    assert (await service.client.get(f"{link}/a.txt?{lease}")).content == b"first"
    for other in (f"{link}/d/large?{lease}", f"{link}?{lease}"):
        assert (await service.client.get(other)).status_code == 404
    assert await downloads(service, user, bundle) == 1


@pytest.mark.ordinary
async def test_the_lease_of_all_opens_each_member(service: Service, user: Headers) -> None:
    bundle = await make(service, user, max_downloads=1)
    link = bundle["link"]
    claimed = await service.client.get(f"{link}?download=1")
    lease = httpx.URL(claimed.headers["location"]).query.decode()
    for name, data in ALL:
        assert (await service.client.get(f"{link}/{name}?{lease}")).content == data
    assert await downloads(service, user, bundle) == 1, "there is still what was claimed: all"
    assert contents(await service.client.get(f"{link}?{lease}")) == ALL
    assert await downloads(service, user, bundle) is None


@pytest.mark.ordinary
async def test_of_fifty_people_exactly_ten_get_it(service: Service, user: Headers) -> None:
    bundle = await make(service, user, max_downloads=10)
    link = bundle["link"]
    urls = [f"{link}?download=1", f"{link}/d/large?download=1"] * 25

    async def person(url: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=service.client._transport) as client:
            return await client.get(url, follow_redirects=True)

    answers = await asyncio.gather(*map(person, urls))
    got = [answer for answer in answers if answer.status_code == 200]
    assert len(got) == 10
    assert {answer.status_code for answer in answers} == {200, 404}
    for answer in got:
        assert answer.content == LARGE or contents(answer) == ALL
    assert await downloads(service, user, bundle) is None


async def test_the_buttons_work_without_scripts(service: Service, user: Headers) -> None:
    bundle = await make(service, user, max_downloads=3)
    page = await service.client.get(bundle["link"], headers=PAGE)
    forms = re.findall(r'<form method="post" action="([^"]+)">', page.text)
    (lease,) = set(re.findall(r'name="lease" value="([^"]+)"', page.text))
    assert len(forms) == 1 + len(ALL)
    for _ in range(2):  # pressed twice, it is claimed once
        got = await service.client.post(
            forms[1], data={"lease": lease}, headers=PAGE, follow_redirects=True
        )
        assert got.content == b"first"
    assert await downloads(service, user, bundle) == 1
    everything = await service.client.post(
        forms[0], data={"lease": lease}, headers=PAGE, follow_redirects=True
    )
    assert contents(everything) == ALL
    assert await downloads(service, user, bundle) == 2


@pytest.mark.parametrize("limit", [None, 5])
async def test_a_password_opens_the_page_and_all_that_is_on_it(
    service: Service, user: Headers, limit: int | None
) -> None:
    bundle = await make(service, user, password="secret", max_downloads=limit)
    link = bundle["link"]
    for url in (link, f"{link}/a.txt"):
        asked = await service.client.get(url, headers=PAGE)
        assert asked.status_code == 200
        assert "a.txt" not in asked.text.replace(httpx.URL(url).path, "")
        assert "Holiday" not in asked.text
        assert (await service.client.get(url)).status_code == 401
        assert (await service.client.get(f"{url}?download=1")).status_code == 401
        assert (await service.client.get(url, headers=JSON)).status_code == 401
    wrong = await service.client.post(link, data={"password": "wrong"}, headers=PAGE)
    assert wrong.status_code == 403
    assert "This password is wrong" in wrong.text

    opened = await service.client.post(link, data={"password": "secret"}, headers=PAGE)
    assert opened.status_code == 303
    assert opened.headers["location"] == httpx.URL(link).path
    assert "secret" not in str(opened.headers)
    page = await service.client.get(link, headers=PAGE)
    assert "a (2).txt" in page.text
    if limit is None:
        got = await service.client.get(f"{link}/d/large?download=1")
    else:
        lease = re.findall(r'name="lease" value="([^"]+)"', page.text)[0]
        got = await service.client.post(
            f"{link}/d/large", data={"lease": lease}, headers=PAGE, follow_redirects=True
        )
    assert got.content == LARGE

    url = f"/v1/bundles/{bundle['id']}"
    await service.client.patch(url, json={"password": "other"}, headers=user)
    again = await service.client.get(link, headers=PAGE)
    assert "a (2).txt" not in again.text, "what was unlocked is locked by another password"


async def test_programs_give_the_password_as_basic_credentials(
    service: Service, user: Headers
) -> None:
    bundle = await make(service, user, password="secret", max_downloads=2)
    basic = base64.b64encode(b"x:secret").decode()
    headers = {"Authorization": f"Basic {basic}"}
    everything = await follow(service, f"{bundle['link']}?download=1", **headers)
    assert contents(everything) == ALL
    one = await follow(service, f"{bundle['link']}/a.txt?download=1", **headers)
    assert one.content == b"first"


async def test_a_link_that_has_ended_opens_no_member(service: Service, user: Headers) -> None:
    bundle = await make(service, user)
    await service.client.delete(f"/v1/bundles/{bundle['id']}", headers=user)
    for url in (bundle["link"], f"{bundle['link']}/a.txt"):
        for headers in ({}, PAGE, JSON):
            assert (await service.client.get(url, headers=headers)).status_code == 404


@pytest.mark.ordinary
async def test_pictures_show_while_their_owner_may_link_to_them(
    service: Service, user: Headers
) -> None:
    bundle = await make(service, user)
    data = encoded(quarters(), "png")
    picture = await service.client.post(
        "/v1/pictures", data={"name": "p.png"}, files={"img": data}, headers=user
    )
    body = {"kind": "picture", "id": picture.json()["id"]}
    items = f"/v1/bundles/{bundle['id']}/items"
    await service.client.post(items, json=body, headers=user)
    assert contents(await service.client.get(bundle["link"]))[-1] == ("p.png", data)
    assert (await service.client.get(f"{bundle['link']}/p.png")).content == data

    def allow(connection: Connection, *, links: bool) -> None:
        connection.execute(
            update(tiers).where(tiers.c.name == "Enterprise").values(allow_links=links)
        )

    database = service.runtime.parts.database
    await database.write(allow, links=False)
    try:
        assert contents(await service.client.get(bundle["link"])) == ALL
        hidden = await service.client.get(f"{bundle['link']}/p.png")
        assert hidden.status_code == 404
        listed = (await service.client.get(bundle["link"], headers=JSON)).json()
        assert listed["count"] == len(listed["items"]) == 3
    finally:
        await database.write(allow, links=True)


async def test_other_contracts_get_the_archive_or_nothing(service: Service, user: Headers) -> None:
    bundle = await make(service, user)
    token = bundle["link"].rpartition("/")[2]
    assert contents(await service.client.get(f"/file/get?token={token}")) == ALL
    number = UUID(bytes=base64.urlsafe_b64decode(f"{token}=="))
    assert (await service.client.get(f"/api/timelink/{number}")).status_code == 404


async def test_a_bundle_without_members_says_so(service: Service, user: Headers) -> None:
    made = await service.client.post("/v1/bundles", json={"max_downloads": 1}, headers=user)
    page = await service.client.get(made.json()["link"], headers=PAGE)
    assert "Nothing here yet" in page.text
