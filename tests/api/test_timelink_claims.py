"""Downloads of limited links: claimed exactly, named by a lease, given back when nobody comes."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import Connection, func, select, update

from app import clock
from app.accounts.tables import accounts
from app.errors import NotFound
from app.events.entities import Actor
from app.features import TARGETS
from app.links import public as public_links
from app.links.tables import timelink_leases
from app.links.targets import Targets
from app.links.tokens import new_lease
from tests.api.conftest import Service
from tests.api.shared import shared_fixtures, store_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

LARGE = bytes(i % 251 for i in range(100_000))  # does not fit into a row
DATA = b"hello"

Headers = dict[str, str]
Json = dict[str, Any]


settings, service = shared_fixtures()


@pytest.fixture
async def user(service: Service) -> AsyncIterator[Headers]:
    """Headers of a new account."""
    _, headers = await service.sign_up()
    yield headers
    store_of(service).heal()


async def make_link(
    service: Service,
    user: Headers,
    data: bytes = DATA,
    name: str = "a.txt",
    **options: Any,  # noqa: ANN401 - of the body
) -> Json:
    """Make a link to a blob, good for one download unless ``options`` say otherwise."""
    headers = user | {"Content-Type": "text/plain"}
    url = f"/v1/blobs/{quote(name, safe='')}/content"
    put = await service.client.put(url, content=data, headers=headers)
    assert put.is_success, put.text
    body = {"kind": "blob", "id": name, "time": 600, "max_downloads": 1} | options
    made = await service.client.post("/v1/timelinks", json=body, headers=user)
    assert made.status_code == 201, made.text
    link: Json = made.json()
    return link


async def claim(service: Service, link: Json, **headers: str) -> str:
    """Claim a download; returns the URL of its lease."""
    answer = await service.client.get(f"{link['url']}?download=1", headers=headers)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


async def seen(service: Service, user: Headers, link: Json) -> tuple[str, int]:
    """Return the state and the downloads of a link, as its owner sees them."""
    items = (await service.client.get("/v1/timelinks", headers=user)).json()["items"]
    (found,) = [item for item in items if item["id"] == link["id"]]
    return found["state"], found["downloads"]


async def let_claims_end(service: Service, user: Headers) -> None:
    """Let every claim of an account be so much older that it ends, if it can."""
    account = (await service.client.get("/v1/accounts/me", headers=user)).json()["id"]

    def shift(connection: Connection) -> None:
        of_account = select(accounts.c.id).where(accounts.c.uuid == account).scalar_subquery()
        connection.execute(
            update(timelink_leases)
            .where(timelink_leases.c.account_id == of_account)
            .values(expires_at=timelink_leases.c.expires_at - public_links.CLAIM_TIME)
        )

    await service.runtime.parts.database.write(shift)


async def test_a_claim_leads_to_its_lease(service: Service, user: Headers) -> None:
    link = await make_link(service, user, LARGE, name="folder/a b?.txt")
    answer = await service.client.get(f"{link['url']}?download=1")
    assert answer.status_code == 303
    lease = answer.headers["location"]
    token = link["url"].rpartition("/")[2]
    assert lease.startswith(f"/t/{token}/a%20b%3F.txt?lease=")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert f"http://test{lease}\n" in answer.text
    assert answer.headers["cache-control"] == "no-store"
    cookie = answer.headers["set-cookie"]
    assert f"Path=/t/{token}" in cookie
    assert "HttpOnly" in cookie
    followed = await service.client.get(lease)
    assert (followed.status_code, followed.content) == (200, LARGE)


async def test_what_nobody_began_is_given_back(service: Service, user: Headers) -> None:
    link = await make_link(service, user)
    lease = await claim(service, link)
    assert await seen(service, user, link) == ("expired", 1)
    assert (await service.client.get(link["url"])).status_code == 404

    await let_claims_end(service, user)

    assert await seen(service, user, link) == ("active", 0)
    assert (await service.client.get(link["url"])).json()["downloads_left"] == 1
    for method in ("GET", "HEAD"):
        assert (await service.client.request(method, lease)).status_code == 404
    other = await claim(service, link)
    assert (await service.client.get(lease)).status_code == 404
    assert (await service.client.get(other)).content == DATA
    assert await seen(service, user, link) == ("expired", 1)


async def test_what_was_begun_stays_taken(service: Service, user: Headers) -> None:
    link = await make_link(service, user, LARGE)
    lease = await claim(service, link)
    part = await service.client.get(lease, headers={"Range": "bytes=7-7"})
    assert (part.status_code, part.content) == (206, LARGE[7:8])
    await let_claims_end(service, user)
    assert await seen(service, user, link) == ("expired", 1)
    assert (await service.client.get(f"{link['url']}?download=1")).status_code == 404
    assert (await service.client.get(lease)).content == LARGE


async def test_what_gives_no_bytes_begins_nothing(service: Service, user: Headers) -> None:
    link = await make_link(service, user, LARGE)
    lease = await claim(service, link)
    head = await service.client.head(lease)
    assert head.headers["content-length"] == str(len(LARGE))
    for headers, status in (
        ({"Range": f"bytes={len(LARGE)}-"}, 416),
        ({"If-None-Match": head.headers["etag"]}, 304),
        ({"If-Match": '"0"'}, 412),
    ):
        assert (await service.client.get(lease, headers=headers)).status_code == status
    store_of(service).fail("open")
    assert (await service.client.get(lease)).status_code == 503
    store_of(service).heal()
    await let_claims_end(service, user)
    assert await seen(service, user, link) == ("active", 0)
    assert (await service.client.get(lease)).status_code == 404


@pytest.mark.ordinary
async def test_an_empty_object_is_taken_whole(service: Service, user: Headers) -> None:
    link = await make_link(service, user, b"")
    lease = await claim(service, link)
    assert (await service.client.get(lease)).content == b""
    await let_claims_end(service, user)
    assert await seen(service, user, link) == ("expired", 1)


@pytest.mark.ordinary
async def test_parallel_connections_count_once(service: Service, user: Headers) -> None:
    link = await make_link(service, user, LARGE, max_downloads=5)
    lease = await claim(service, link)
    ranges = [{"Range": f"bytes={i * 1000}-{i * 1000 + 999}"} for i in range(20)]
    parts = await asyncio.gather(*[service.client.get(lease, headers=r) for r in ranges])
    assert b"".join(part.content for part in parts) == LARGE[:20_000]
    assert await seen(service, user, link) == ("active", 1)


@pytest.mark.ordinary
async def test_a_download_begins_or_is_given_back_and_never_both(
    service: Service, user: Headers
) -> None:
    """Also when the clocks of two processes differ: one begins in time, for the other it ended."""
    write, targets = service.runtime.parts.database.write, Targets(TARGETS)
    for attempt in range(20):
        link = await make_link(service, user)
        token, now = link["url"].rpartition("/")[2], clock.now()
        first, second = new_lease(), new_lease()
        claimed = await write(public_links.claim, targets, token, first, now)
        in_time, late = now + public_links.CLAIM_TIME - 1, now + public_links.CLAIM_TIME
        begin = write(public_links.begin, claimed, first, Actor(in_time))
        take = write(public_links.claim, targets, token, second, late)
        both = (begin, take) if attempt % 2 else (take, begin)
        if attempt < 2:  # the one well before the other
            await both[0]
            with pytest.raises(NotFound):
                await both[1]
        else:
            results = await asyncio.gather(*both, return_exceptions=True)
            assert sorted(isinstance(result, NotFound) for result in results) == [False, True]


async def test_claims_that_ended_are_removed(service: Service, user: Headers) -> None:
    link = await make_link(service, user, max_downloads=2)
    begun, waiting = await claim(service, link), await claim(service, link)
    assert (await service.client.get(begun)).content == DATA
    due = await service.runtime.parts.expiry.next_due(clock.now())
    assert due is not None
    assert due <= clock.now() + public_links.CLAIM_TIME
    await let_claims_end(service, user)
    while await service.runtime.parts.expiry.run_once(clock.now()):
        pass

    def count(connection: Connection, lease: str) -> int:
        digest = hashlib.sha256(lease.partition("lease=")[2].encode()).digest()
        rows = select(func.count()).where(timelink_leases.c.hash == digest)
        return connection.execute(rows).scalar_one()

    counts = [await service.runtime.parts.database.read(count, lease) for lease in (begun, waiting)]
    assert counts == [1, 0]
    assert await seen(service, user, link) == ("active", 1)


@pytest.mark.ordinary
async def test_the_button_pressed_again_takes_no_further_download(
    service: Service, user: Headers
) -> None:
    link = await make_link(service, user, max_downloads=2)
    form = {"lease": "A" * 10 + new_lease()[:12]}
    pressed = [service.client.post(link["url"], data=form) for _ in range(10)]
    answers = await asyncio.gather(*pressed)
    assert {answer.status_code for answer in answers} == {303}
    (where,) = {answer.headers["location"] for answer in answers}
    assert where.endswith(f"?lease={form['lease']}")
    assert await seen(service, user, link) == ("active", 1)
    assert (await service.client.get(where)).content == DATA
    await claim(service, link)
    again = await service.client.post(link["url"], data=form)
    assert (again.status_code, again.headers["location"]) == (303, where)
    assert await seen(service, user, link) == ("expired", 2)

    other = await make_link(service, user)
    assert (await service.client.post(other["url"], data=form)).status_code == 404
    for bad in ("", "short", "x" * 23, "é" * 22, "/" * 22):
        answer = await service.client.post(other["url"], data={"lease": bad})
        assert answer.status_code == 422
    assert (await service.client.get(other["url"])).json()["downloads_left"] == 1


async def test_further_parts_of_a_download_are_no_new_one(service: Service, user: Headers) -> None:
    """Some programs ask the link's own URL for each part, and send the cookie that they were given.

    Whoever asks for the beginning takes a download, cookie or not.
    """
    link = await make_link(service, user, LARGE, max_downloads=2)
    url = f"{link['url']}?download=1"
    lease = await claim(service, link)
    for part in ("bytes=1000-1999", "bytes=5000-", "bytes=-7", "bytes=01-"):
        answer = await service.client.get(url, headers={"Range": part})
        assert (answer.status_code, answer.headers["location"]) == (303, lease)
    assert await seen(service, user, link) == ("active", 1)
    for part in ("bytes=0-", "bytes=0-9"):
        answer = await service.client.get(url, headers={"Range": part})
        if answer.status_code == 303:
            assert answer.headers["location"] != lease
    assert answer.status_code == 404
    assert await seen(service, user, link) == ("expired", 2)

    service.client.cookies.clear()
    assert (await service.client.get(url, headers={"Range": "bytes=9-"})).status_code == 404
    wrong = {"Range": "bytes=9-", "Cookie": f"holdall_lease={'A' * 22}"}
    assert (await service.client.get(url, headers=wrong)).status_code == 404


async def test_a_name_after_the_token_changes_nothing(service: Service, user: Headers) -> None:
    link = await make_link(service, user, max_downloads=4)
    plain = await make_link(service, user, max_downloads=None)
    for name in ("a.txt", "anything%20else", "%C3%A9", "a.txt/"):
        url = f"{link['url']}/{name}"
        facts = (await service.client.get(url)).json()
        assert facts == (await service.client.get(link["url"])).json() | {
            "time_left": facts["time_left"]
        }
        assert (await service.client.head(f"{url}?download=1")).headers["content-length"] == "5"
        got = await service.client.get(f"{plain['url']}/{name}")
        assert (got.status_code, got.content) == (200, DATA)
        assert 'filename="a.txt"' in got.headers["content-disposition"]
    for method in ("GET", "POST"):
        taken = await service.client.request(method, f"{link['url']}/x?download=1")
        assert taken.status_code == 303
        lease = taken.headers["location"]
        assert lease.startswith(f"/t/{link['url'].rpartition('/')[2]}/a.txt?lease=")
        assert (await service.client.get(lease)).content == DATA
    assert (await service.client.get(f"{link['url']}/a/b")).status_code == 404
    assert (await service.client.get(f"/t/{'A' * 22}/a.txt")).status_code == 404


async def test_a_name_that_no_url_can_hold_is_left_out(service: Service, user: Headers) -> None:
    """Clients take such a segment away before they ask."""
    link = await make_link(service, user, name="folder/..")
    lease = await claim(service, link)
    assert lease.startswith(f"/t/{link['url'].rpartition('/')[2]}?lease=")
    assert (await service.client.get(lease)).content == DATA
