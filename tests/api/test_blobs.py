"""Blobs over HTTP, as the contract has them: in JSON, in lists, under ids of every kind."""

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from app import clock
from tests.api import raw
from tests.api.books import stored_keys, used
from tests.api.conftest import Service
from tests.api.problems import assert_problem
from tests.api.shared import audited, shared_fixtures

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

LARGE = 100_000  # bytes that do not fit into a row


settings, service = shared_fixtures(max_json_blob=150_000)


@pytest.fixture(autouse=True)
async def _the_books_agree(service: Service) -> AsyncIterator[None]:
    async with audited(service):
        yield


def url_of(blob_id: str) -> str:
    return f"/v1/blobs/{quote(blob_id, safe='')}"


def in_json(blob_id: str, data: bytes) -> dict[str, str]:
    return {"id": blob_id, "data": base64.b64encode(data).decode()}


@pytest.mark.parametrize("size", [0, 5, LARGE])
async def test_a_blob_travels_in_json(service: Service, size: int) -> None:
    headers = service.service_token
    body = in_json("a", bytes(i % 251 for i in range(size)))
    stored = await service.client.post("/v1/blobs", json=body, headers=headers)
    assert (stored.status_code, stored.json()) == (201, {"message": "Blob stored successfully"})

    got = await service.client.get("/v1/blobs/a", headers=headers)

    assert got.status_code == 200
    assert got.json().keys() == {"id", "data", "size", "created_at"}
    assert got.json() | body | {"size": size} == got.json()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", got.json()["created_at"])
    assert await used(service) == (size, 1)


LEGAL_IDS = [
    "a", "content", "a/content", "a/", "/", "//", "a//b", "/a", "content/content", "...", "..a",
    "a/..", "../../etc/passwd", "./.", "a b", " ", "+", "a+b", "a%20b", "%", "%zz", "%2F", "%252F",
    "a%2Fb", "a/b", "?", "a?b=c", "#", "&=;,", "\\", "'\";--", "<b>", "~", "é", "e\u0301", "😀",
    "ﬁ", "K", "\u212a", "\u200b", "\ufeff", "\uffff", "\ufffd", "\U0010ffff",
    "x" * 255, "😀" * 255,
]  # fmt: skip


@pytest.mark.ordinary
async def test_every_id_is_its_own_blob(service: Service) -> None:
    headers = service.service_token
    for number, blob_id in enumerate(LEGAL_IDS):
        body = in_json(blob_id, b"%d" % number)
        stored = await service.client.post("/v1/blobs", json=body, headers=headers)
        assert stored.status_code == 201, (blob_id, stored.text)
    for number, blob_id in enumerate(LEGAL_IDS):
        got = await service.client.get(url_of(blob_id), headers=headers)
        assert got.json() | in_json(blob_id, b"%d" % number) == got.json()
        raw_bytes = await service.client.get(url_of(blob_id) + "/content", headers=headers)
        assert raw_bytes.content == b"%d" % number
    listed = await service.client.get("/v1/blobs?limit=1000", headers=headers)
    assert [blob["id"] for blob in listed.json()["items"]] == LEGAL_IDS[::-1]
    by_id = await service.client.get("/v1/blobs?prefix=", headers=headers)
    assert [blob["id"] for blob in by_id.json()["items"]] == sorted(LEGAL_IDS)
    for blob_id in LEGAL_IDS[::2]:
        gone = await service.client.delete(url_of(blob_id), headers=headers)
        assert (gone.status_code, gone.content) == (204, b"")
    for blob_id in LEGAL_IDS:
        there = await service.client.head(url_of(blob_id) + "/content", headers=headers)
        assert there.status_code == (404 if blob_id in LEGAL_IDS[::2] else 200)


async def test_an_encoded_slash_is_part_of_the_id(service: Service) -> None:
    headers = service.service_token
    await service.client.put("/v1/blobs/a/content", content=b"of a", headers=headers)
    missing = await service.client.get("/v1/blobs/a%2Fcontent", headers=headers)
    problem = assert_problem(missing, 404, "not-found")
    assert problem["detail"] == "Blob not found"
    await service.client.put("/v1/blobs/a%2fcontent/content", content=b"other", headers=headers)
    for path, data in [("a/content", b"of a"), ("a%2Fcontent/content", b"other")]:
        assert (await service.client.get(f"/v1/blobs/{path}", headers=headers)).content == data
    for path in ("/v1/blobs/a/b", "/v1/blobs/a/b/content", "/v1/blobs//content"):
        assert_problem(await service.client.get(path, headers=headers), 404)


REFUSED_IN_PATH = [
    ".", "..", "%2E", "%2e%2E", ".%2e", "%00", "a%00b", "%0A", "a%0D%0Ab", "%1F", "%7F", "%C2%85",
    "%FF", "%C3", "%C0%AF", "%ED%A0%80", "%F4%90%80%80", "x" * 256, "%F0%9F%98%80" * 256,
]  # fmt: skip


async def test_ids_that_no_blob_may_have_are_refused(service: Service) -> None:
    headers = service.service_token
    for blob_id in REFUSED_IN_PATH:
        for method, rest in [("GET", ""), ("DELETE", ""), ("GET", "/content"), ("PUT", "/content")]:
            path = f"/v1/blobs/{blob_id}{rest}"
            body = [raw.part(b"x", more=False)]
            answer = await raw.request(service, method, path, headers, body)
            assert answer.status == 422, path
            problem = json.loads(answer.body)
            assert problem["instance"] == path
            assert [error["loc"] for error in problem["errors"]] == [["path", "id"]]
    for text in ['""', '"."', '".."', r'"\u0000"', r'"a\nb"', r'"\u0085"', r'"\ud800"',
                 r'"\udc00\ud800"', f'"{"x" * 256}"', "7", "null"]:  # fmt: skip
        sent = await service.client.post(
            "/v1/blobs", content=f'{{"id": {text}, "data": ""}}', headers=headers
        )
        assert assert_problem(sent, 422, "invalid-request")["errors"]
    assert await used(service) == (0, 0)


BAD_JSON = [
    (b"", "json"), (b"{", "json"), (b"[]", "body"), (b"null", "body"), (b'"a"', "body"),
    (b"{}", "id"), (b'{"id": "a"}', "data"), (b'{"data": ""}', "id"),
    (b'{"id": "a", "data": null}', "data"), (b'{"id": "a", "data": ["YQ=="]}', "data"),
    (b'{"id": "a", "data": ""} x', "json"), (b'{"id": "\xff", "data": ""}', "json"),
    (b'{"id": "a", "data": "\xc3"}', "json"), (b"[" * 200_000, "json"), (b'{"id":' * 9000, "json"),
    (b"id=a&data=YQ==", "json"), (b'{"id": "a", "data": "Y"}', "data"),
    (b'{"id": "a", "data": "YQ"}', "data"), (b'{"id": "a", "data": "YQ="}', "data"),
    (b'{"id": "a", "data": "YWJj="}', "data"), (b'{"id": "a", "data": "YWJj===="}', "data"),
    (b'{"id": "a", "data": "=="}', "data"), (b'{"id": "a", "data": "YQ==YQ=="}', "data"),
    (b'{"id": "a", "data": "Y Q="}', "data"), (b'{"id": "a", "data": "YW\\nJj"}', "data"),
    (b'{"id": "a", "data": "_-=="}', "data"), ('{"id": "a", "data": "éé=="}'.encode(), "data"),
]  # fmt: skip


async def test_a_bad_body_is_a_problem_that_says_where(service: Service) -> None:
    for body, where in BAD_JSON:
        answer = await service.client.post("/v1/blobs", content=body, headers=service.service_token)
        problem = assert_problem(answer, 422, "invalid-request")
        assert problem["errors"], body[:40]
        for error in problem["errors"]:
            assert error["loc"][0] == "body"
            assert isinstance(error["msg"], str)
        if where in {"id", "data"}:
            assert ["body", where] in [error["loc"] for error in problem["errors"]], body
    assert await used(service) == (0, 0)


async def test_an_id_in_use_stays_as_it_is(service: Service) -> None:
    headers = service.service_token
    for blob_id, first in (("a", b"first"), ("b", bytes(LARGE))):
        await service.client.put(url_of(blob_id) + "/content", content=first, headers=headers)
        for second in (b"second", b"2" * LARGE):
            again = await service.client.post(
                "/v1/blobs", json=in_json(blob_id, second), headers=headers
            )
            assert_problem(again, 409, "conflict")
        got = await service.client.get(url_of(blob_id) + "/content", headers=headers)
        assert got.content == first


@pytest.mark.ordinary
@pytest.mark.parametrize("size", [10, LARGE])
async def test_of_many_that_create_one_wins(service: Service, size: int) -> None:
    headers = service.service_token
    bodies = [in_json("a", bytes([n]) * size) for n in range(8)]
    answers = await asyncio.gather(
        *(service.client.post("/v1/blobs", json=body, headers=headers) for body in bodies)
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    winner = next(body for body, answer in zip(bodies, answers, strict=True) if answer.is_success)
    got = await service.client.get("/v1/blobs/a", headers=headers)
    assert got.json()["data"] == winner["data"]
    assert await used(service) == (size, 1)


async def test_json_carries_up_to_its_limit(service: Service) -> None:
    limit = service.settings.max_json_blob
    headers, client = service.service_token, service.client
    # the slashes that 0xff becomes are written "\/" by some encoders
    for blob_id, data in (("a", bytes(limit)), ("😀" * 255, bytes(limit - 9000) + b"\xff" * 9000)):
        body = json.dumps(in_json(blob_id, data)).replace("/", "\\/")
        stored = await client.post("/v1/blobs", content=body, headers=headers)
        assert stored.status_code == 201, stored.text
        got = await client.get(url_of(blob_id), headers=headers)
        assert base64.b64decode(got.json()["data"]) == data
    over = await client.post("/v1/blobs", json=in_json("b", bytes(limit + 1)), headers=headers)
    assert_problem(over, 413, "content-too-large")

    length = {"content-length": str(10 * limit)}
    announced = await raw.request(service, "POST", "/v1/blobs", headers | length, [])
    assert (announced.status, announced.receives) == (413, 0)
    endless = _each(raw.part(b" " * 1000) for _ in iter(int, 1))
    streamed = await raw.request(service, "POST", "/v1/blobs", headers, endless)
    assert streamed.status == 413
    assert streamed.receives <= 2 * limit // 1000

    await client.put("/v1/blobs/c%2Fd/content", content=bytes(limit + 1), headers=headers)
    large = await client.get("/v1/blobs/c%2Fd", headers=headers)
    assert "/v1/blobs/c%2Fd/content" in assert_problem(large, 413)["detail"]


async def _each(messages: Any) -> AsyncIterator[raw.Message]:  # noqa: ANN401 - any iterable
    for message in messages:
        yield message


async def test_a_json_body_is_checked_against_its_digest(service: Service) -> None:
    body = json.dumps(in_json("a", b"hello")).encode()
    digest = "sha-256=:" + base64.b64encode(bytes(32)).decode() + ":"
    headers = service.service_token | {"Content-Digest": digest}
    wrong = await service.client.post("/v1/blobs", content=body, headers=headers)
    assert_problem(wrong, 400, "digest-mismatch")
    assert await used(service) == (0, 0)


async def test_a_stranger_takes_no_room_for_large_bodies(service: Service) -> None:
    _, headers = await service.sign_up()
    await service.client.post("/v1/auth/revoke", headers=headers)
    length = {"content-length": str(LARGE)}
    answer = await raw.request(service, "POST", "/v1/blobs", headers | length, [])
    assert (answer.status, answer.receives) == (401, 0)


async def test_accounts_do_not_see_each_other(service: Service) -> None:
    (_, ada), (_, bob) = await service.sign_up(), await service.sign_up()
    client = service.client
    for owner, data in ((ada, b"ada's"), (service.service_token, b"the service's")):
        await client.put("/v1/blobs/a/content", content=data, headers=owner)
    etag = (await client.head("/v1/blobs/a/content", headers=ada)).headers["etag"]
    for method, path in [
        ("GET", "/v1/blobs/a"), ("GET", "/v1/blobs/a/content"), ("HEAD", "/v1/blobs/a/content"),
        ("DELETE", "/v1/blobs/a"),
    ]:  # fmt: skip
        answer = await client.request(method, path, headers=bob | {"If-None-Match": '"x"'})
        assert answer.status_code == 404
    guarded = await client.put("/v1/blobs/a/content", content=b"", headers=bob | {"If-Match": etag})
    assert guarded.status_code == 412
    for query in ("", "?prefix=a"):
        listed = await client.get(f"/v1/blobs{query}", headers=bob)
        assert listed.json() == {"items": [], "next_cursor": None}
    own = await client.put("/v1/blobs/a/content", content=b"bob's", headers=bob)
    assert own.status_code == 201
    for owner, data in (
        (ada, b"ada's"),
        (bob, b"bob's"),
        (service.service_token, b"the service's"),
    ):
        assert (await client.get("/v1/blobs/a/content", headers=owner)).content == data


ROUTES = [
    ("GET", "/v1/blobs", "read"), ("GET", "/v1/blobs/a", "read"),
    ("GET", "/v1/blobs/a/content", "read"), ("HEAD", "/v1/blobs/a/content", "read"),
    ("POST", "/v1/blobs", "write"), ("PUT", "/v1/blobs/a/content", "write"),
    ("DELETE", "/v1/blobs/a", "write"),
]  # fmt: skip


async def test_who_may_not_is_told_so(service: Service) -> None:
    account, session = await service.sign_up()
    keys = {}
    for name, scopes in {"read": ["blobs:read"], "write": ["blobs:write"],
                         "other": ["files:read", "files:write"]}.items():  # fmt: skip
        made = await service.client.post(
            "/v1/accounts/me/keys", json={"name": name, "scopes": scopes}, headers=session
        )
        keys[name] = made.json()["key"]
    token = session["Authorization"].removeprefix("Bearer ")
    session_id = json.loads(base64.b64decode(token.split(".")[1] + "=="))["sid"]
    hour_ago = clock.now() - 3600 * clock.SECOND
    expired = service.runtime.keyring.issue_access_token(session_id, account["id"], hour_ago)
    ended = keys["read"][:-1] + ("A" if keys["read"][-1] != "A" else "B")
    nobody = [None, "", "Bearer", "Bearer ", "Basic Zm9vOmJhcg==", f"Token {token}", "Bearer x",
              f"Bearer {token[:-2]}", f"Bearer {token}x", f"Bearer {expired}", f"Bearer {ended}",
              "Bearer hk_", "Bearer a.b.c", f"Bearer {'é' * 2000}"]  # fmt: skip
    await service.client.put("/v1/blobs/a/content", content=b"stays", headers=session)
    for method, path, needed in ROUTES:
        body = json.dumps(in_json("b", b"")) if method == "POST" else None
        for header in nobody:
            sent = [] if header is None else [(b"authorization", header.encode("latin-1"))]
            answer = await service.client.request(method, path, content=body, headers=sent)
            assert answer.status_code == 401, (method, path, header)
            assert answer.headers["www-authenticate"].startswith("Bearer")
            if method != "HEAD":
                assert_problem(answer, 401, "unauthorized")
        for scope, key in keys.items():
            if scope != needed:
                headers = {"Authorization": f"Bearer {key}"}
                answer = await service.client.request(method, path, content=body, headers=headers)
                assert answer.status_code == 403, (method, path, scope)
    got = await service.client.get("/v1/blobs/a/content", headers=session)
    assert got.content == b"stays"
    assert await used(service) == (5, 1)
    headers = {"Authorization": f"bearer {keys['read']}"}  # the scheme has no case
    assert (await service.client.get("/v1/blobs/a", headers=headers)).status_code == 200


async def put_empty(service: Service, blob_id: str) -> None:
    answer = await service.client.put(
        url_of(blob_id) + "/content", content=b"", headers=service.service_token
    )
    assert answer.is_success


async def pages(service: Service, query: str) -> AsyncIterator[list[str]]:
    cursor = None
    while True:
        params = httpx.QueryParams(query)
        answer = await service.client.get(
            "/v1/blobs",
            params=params if cursor is None else params.set("cursor", cursor),
            headers=service.service_token,
        )
        assert answer.status_code == 200, answer.text
        yield [blob["id"] for blob in answer.json()["items"]]
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return


async def test_lists_go_on_while_blobs_come_and_go(service: Service) -> None:
    for number in range(9):
        await put_empty(service, f"b{number}")
    await service.client.put(
        "/v1/blobs/b0/content", content=b"new bytes, same place", headers=service.service_token
    )
    assert [page async for page in pages(service, "limit=9")] == [[f"b{8 - n}" for n in range(9)]]
    assert [len(page) async for page in pages(service, "limit=4")] == [4, 4, 1]

    seen = []
    async for page in pages(service, "limit=2"):
        seen.append(page)
        if len(seen) == 2:  # b8 b7, b6 b5 are out; the last of them goes, and others come
            for gone in ("b5", "b3"):
                await service.client.delete(f"/v1/blobs/{gone}", headers=service.service_token)
            await put_empty(service, "b9")
    assert seen == [["b8", "b7"], ["b6", "b5"], ["b4", "b2"], ["b1", "b0"]]

    seen = []
    async for page in pages(service, "limit=2&prefix=b"):
        seen.append(page)
        if len(seen) == 1:  # b0 b1 are out
            await service.client.delete("/v1/blobs/b1", headers=service.service_token)
            await put_empty(service, "b1a")
            await put_empty(service, "b00")
    assert seen == [["b0", "b1"], ["b1a", "b2"], ["b4", "b6"], ["b7", "b8"], ["b9"]]


async def test_a_list_shows_what_a_blob_is(service: Service) -> None:
    put = await service.client.put(
        "/v1/blobs/a/content",
        content=b"hello",
        headers=service.service_token | {"Content-Type": "text/plain"},
    )
    listed = await service.client.get("/v1/blobs", headers=service.service_token)
    (item,) = listed.json()["items"]
    assert item == put.json()
    assert item | {
        "id": "a", "size": 5, "content_type": "text/plain",
        "sha256": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
    } == item  # fmt: skip


@pytest.mark.ordinary
async def test_a_prefix_means_its_very_code_points(service: Service) -> None:
    ids = ["a", "a%", "a%b", "a/b", "aB", "a_b", "ab", "a\U0010ffff", "A", "é", "e\u0301", "b"]
    for blob_id in ids:
        await put_empty(service, blob_id)
    for prefix in ["", "a", "a%", "a_", "A", "é", "e", "a\U0010ffff", "zz", "b", "ab", "abc"]:
        got = [page async for page in pages(service, f"limit=1000&prefix={quote(prefix)}")]
        assert got == [sorted(i for i in ids if i.startswith(prefix))], prefix


@pytest.mark.ordinary
async def test_lists_are_sorted(service: Service) -> None:
    for blob_id, size in (("b/2", 2), ("a", 3), ("b/1", 5), ("b/3", 1)):
        url = f"{url_of(blob_id)}/content"
        put = await service.client.put(url, content=b"x" * size, headers=service.service_token)
        assert put.status_code == 201
    for query, expected in (
        ("sort=size", ["b/1", "a", "b/2", "b/3"]),
        ("sort=size&prefix=b/", ["b/1", "b/2", "b/3"]),
        ("sort=id", ["a", "b/1", "b/2", "b/3"]),
        ("sort=newest&prefix=b/", ["b/3", "b/1", "b/2"]),
    ):
        got = [page async for page in pages(service, f"limit=2&{query}")]
        assert [blob_id for page in got for blob_id in page] == expected, query
        assert [len(page) for page in got] == [2, len(expected) - 2]


async def test_list_parameters_are_checked(service: Service) -> None:
    for number in range(3):
        await put_empty(service, f"a{number}")
    headers, client = service.service_token, service.client
    newest = (await client.get("/v1/blobs?limit=1", headers=headers)).json()["next_cursor"]
    by_id = (await client.get("/v1/blobs?limit=1&prefix=a", headers=headers)).json()["next_cursor"]
    forged = [
        base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
        for text in (
            '["blobs", "1"]',
            '["blobs", true]', '["blobs", 9223372036854775808]', '["blobs"]', "[]",
            "1", '["x", 1]', "null", '["blobs", 1.5]', '["blobs", NaN]',
        )
    ]  # fmt: skip
    for cursor in ["", "x", "%00", "😀", newest + "x", by_id, "W" * 4000, *forged]:
        answer = await client.get("/v1/blobs", params={"cursor": cursor}, headers=headers)
        assert_problem(answer, 400, "invalid-cursor")
    nul = base64.urlsafe_b64encode(b'["blobs by id","\\u0000"]').decode()
    for cursor in (newest, nul):
        answer = await client.get(
            "/v1/blobs", params={"cursor": cursor, "prefix": ""}, headers=headers
        )
        assert_problem(answer, 400, "invalid-cursor")
    for query in ["limit=0", "limit=1001", "limit=-1", "limit=", "limit=x", "limit=1.5",
                  "limit=" + "9" * 30, "cursor=" + "x" * 5000, "prefix=" + "x" * 256,
                  "prefix=%00", "prefix=a%0A"]:  # fmt: skip
        problem = assert_problem(await client.get(f"/v1/blobs?{query}", headers=headers), 422)
        assert problem["errors"][0]["loc"] == ["query", query.partition("=")[0]]
    for query in ("limit=1", "limit=1000", "prefix=.", f"prefix={'😀' * 255}"):
        assert (await client.get(f"/v1/blobs?{query}", headers=headers)).status_code == 200


async def test_delete_takes_bytes_and_charge_away(service: Service) -> None:
    headers, client = service.service_token, service.client
    for size in (3, LARGE):
        before = await stored_keys(service)
        put = await client.put("/v1/blobs/a/content", content=bytes(size), headers=headers)
        for condition in ({"If-Match": '"x"'}, {"If-None-Match": put.headers["etag"]}):
            kept = await client.delete("/v1/blobs/a", headers=headers | condition)
            assert_problem(kept, 412, "precondition-failed")
        condition = {"If-Match": put.headers["etag"]}
        assert (await client.delete("/v1/blobs/a", headers=headers | condition)).status_code == 204
        assert_problem(await client.delete("/v1/blobs/a", headers=headers), 404, "not-found")
        assert await used(service) == (0, 0)
        await service.runtime.parts.sweep.run_once(clock.now())
        assert await stored_keys(service) == before
