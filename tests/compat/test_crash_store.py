"""Crash Store, as its document has it: requests and answers word for word."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.config import Settings
from routers.compat.crash_store import routes as crash_store
from storage.errors import StoreFull, StoreUnavailable
from tests.api import raw
from tests.api.conftest import Service
from tests.api.dump_books import Headers, account_of
from tests.api.shared import store_of
from tests.compat.conftest import RunDocument, paths_of
from tests.deadline import DEADLINE

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

DATA = bytes(range(256)) * 100
URL = "/api/dumps/"


@pytest.fixture
async def user(service: Service) -> AsyncIterator[Headers]:
    """Headers of a new account, whose charges are checked after the test."""
    async with account_of(service) as headers:
        yield headers
        store_of(service).heal()


async def upload(
    service: Service, user: Headers, name: str = "a.dmp", data: bytes = DATA, **fields: str
) -> dict[str, Any]:
    answer = await service.client.post(URL, files={"file": (name, data)}, data=fields, headers=user)
    assert answer.status_code == 201, answer.text
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


@pytest.mark.ordinary
async def test_the_document_from_uploading_to_downloading(service: Service, user: Headers) -> None:
    client = service.client
    assert_answer(await client.get(URL, headers=user), 200, [])

    form = {"file": ("crash 1.dmp", DATA)}
    answer = await client.post(URL, files=form, data={"label": "acme/1.4"}, headers=user)
    dump = answer.json()
    assert_answer(
        answer,
        201,
        {
            "id": dump["id"],
            "original_name": "crash 1.dmp",
            "stored_name": dump["stored_name"],
            "time": dump["time"],
            "label": "acme/1.4",
            "archived": False,
            "description": "",
        },
    )
    assert list(dump) == [
        "id", "original_name", "stored_name", "time", "label", "archived", "description"
    ]  # fmt: skip
    assert type(dump["id"]) is int
    assert re.fullmatch(r"[0-9a-f]{32}", dump["stored_name"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", dump["time"])
    age = datetime.now(UTC) - datetime.fromisoformat(dump["time"])
    assert timedelta(0) <= age < timedelta(minutes=1)

    url = f"{URL}{dump['id']}/"
    assert_answer(await client.get(url, headers=user), 200, dump)
    other = await upload(service, user)
    assert other["label"] is None
    assert other["id"] > dump["id"]
    assert_answer(await client.get(URL, headers=user), 200, [other, dump])
    for label in ("acme/1.4", "acme%2F1.4"):
        labelled = await client.get(f"{URL}by-label/{label}/", headers=user)
        assert_answer(labelled, 200, [dump])

    got = await client.get(f"{url}download/", headers=user)
    assert (got.status_code, got.content) == (200, DATA)
    assert got.headers["content-disposition"] == 'attachment; filename="crash 1.dmp"'
    assert got.headers["content-type"] == "application/octet-stream"
    assert got.headers["content-length"] == str(len(DATA))
    head = await client.head(f"{url}download/", headers=user)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == got.headers["etag"]
    part = await client.get(f"{url}download/", headers=user | {"Range": "bytes=1-2"})
    assert (part.status_code, part.content) == (206, DATA[1:3])


async def test_the_document_from_replacing_to_deleting(service: Service, user: Headers) -> None:
    client = service.client
    dump, other = await upload(service, user, label="acme 1.4"), await upload(service, user)
    url = f"{URL}{dump['id']}/"
    old_name = dump["stored_name"]
    form = {"file": ("b.dmp", DATA[:7])}
    replaced = await client.put(url, files=form, data={"label": "acme 1.5"}, headers=user)
    changed = {"original_name": "b.dmp", "label": "acme 1.5"}
    new_name = replaced.json()["stored_name"]
    assert new_name != old_name
    dump |= {"stored_name": new_name, **changed}
    assert_answer(replaced, 200, dump)
    assert (await client.get(f"{url}download/", headers=user)).content == DATA[:7]

    labelled = await client.patch(url, files={"label": (None, "acme 1.6")}, headers=user)
    dump["label"] = "acme 1.6"
    assert_answer(labelled, 200, dump)
    patched = await client.patch(url, files={"file": ("c.dmp", DATA[:5])}, headers=user)
    dump |= {"original_name": "c.dmp", "stored_name": patched.json()["stored_name"]}
    assert dump["stored_name"] != new_name
    assert_answer(patched, 200, dump)
    assert (await client.get(f"{url}download/", headers=user)).content == DATA[:5]

    assert_answer(await client.delete(url, headers=user), 200, dump)
    for path in (url, f"{url}download/"):
        assert_detail(await client.get(path, headers=user), 404)
    assert_answer(await client.get(URL, headers=user), 200, [other])
    # an id is never given again
    await client.delete(f"{URL}{other['id']}/", headers=user)
    assert (await upload(service, user))["id"] > other["id"]


_FORM = {"Content-Type": "multipart/form-data; boundary=x"}
# what a browser makes of a field for a file that nobody has chosen one for
_EMPTY_FIELD = (
    b'--x\r\nContent-Disposition: form-data; name="file"; filename=""\r\n'
    b"Content-Type: application/octet-stream\r\n\r\n\r\n--x--\r\n"
)


async def test_what_a_form_may_lack(service: Service, user: Headers) -> None:
    client = service.client
    dump = await upload(service, user, label="a")
    url = f"{URL}{dump['id']}/"
    no_file = {"error": "No file provided"}
    no_file_put = {"error": "File is required for PUT requests."}
    lacking: list[dict[str, Any]] = [
        {"files": {"label": (None, "x")}},
        {"content": _EMPTY_FIELD, "headers": user | _FORM},
        {"data": {"label": "x"}},
        {"json": {"label": "x"}},
        {},
    ]
    for sent in lacking:
        request = {"headers": user} | sent
        assert_answer(await client.post(URL, **request), 400, no_file)
        assert_answer(await client.put(url, **request), 400, no_file_put)
    assert_answer(await client.get(URL, headers=user), 200, [dump])
    # an empty label is none, and a replacement without one has none
    assert (await upload(service, user, label=""))["label"] is None
    bare = await client.put(url, files={"file": ("a.dmp", DATA)}, headers=user)
    assert bare.json()["label"] is None


async def test_a_form_that_is_not_valid_stores_nothing(service: Service, user: Headers) -> None:
    form = {"file": ("a.dmp", DATA)}
    for label in ("x" * 256, "a\0b"):
        refused = await service.client.post(URL, files=form, data={"label": label}, headers=user)
        assert assert_detail(refused, 400).startswith("label: ")
    refused = await service.client.post(URL, content=b"--x\r\nabc", headers=user | _FORM)
    assert_detail(refused, 400)
    assert_answer(await service.client.get(URL, headers=user), 200, [])


@pytest.mark.ordinary
async def test_description_and_archived_are_shown_as_they_are_set(
    service: Service, user: Headers
) -> None:
    dump = await upload(service, user)
    changes = {"description": "It crashed.", "archived": True}
    url = f"{URL}{dump['id']}/"
    assert_answer(await service.client.patch(url, json=changes, headers=user), 200, dump | changes)
    (listed,) = (await service.client.get("/v1/dumps", headers=user)).json()["items"]
    assert (listed["description"], listed["archived"]) == ("It crashed.", True)


async def test_labels_that_look_like_something_else(service: Service, user: Headers) -> None:
    paths = {"download": "download", "1": "1", "é ?": "%C3%A9%20%3F", "a/download": "a/download"}
    for label, path in paths.items():
        dump = await upload(service, user, label=label)
        for url in (f"{URL}by-label/{path}/", f"{URL}by-label/{path}"):
            assert_answer(await service.client.get(url, headers=user), 200, [dump])
    assert_answer(await service.client.get(f"{URL}by-label/none/", headers=user), 200, [])
    assert_detail(await service.client.get(f"{URL}by-label/%00/", headers=user), 400)


@pytest.mark.parametrize("path", ["0/", f"{10**18}/", f"{2**63}/", "9" * 5000 + "/download/"])
async def test_an_id_that_is_nobodys(service: Service, user: Headers, path: str) -> None:
    assert_detail(await service.client.get(URL + path, headers=user), 404)


@pytest.mark.parametrize("path", ["x/", "1.5/", "-1/", "1/none/"])
async def test_a_path_that_is_none(service: Service, user: Headers, path: str) -> None:
    answer = await service.client.get(URL + path, headers=user)
    assert answer.status_code == 404
    assert answer.json()["detail"]


async def test_dumps_are_their_accounts_own(service: Service, user: Headers) -> None:
    dump = await upload(service, user, label="mine")
    async with account_of(service) as other:
        url = f"{URL}{dump['id']}/"
        form = {"file": ("a.dmp", DATA)}
        for answer in (
            await service.client.get(url, headers=other),
            await service.client.get(f"{url}download/", headers=other),
            await service.client.put(url, files=form, headers=other),
            await service.client.patch(url, files=form, headers=other),
            await service.client.delete(url, headers=other),
        ):
            assert_detail(answer, 404)
        for path in ("", "by-label/mine/"):
            assert_answer(await service.client.get(URL + path, headers=other), 200, [])
    assert_answer(await service.client.get(URL, headers=user), 200, [dump])


async def test_every_path_needs_a_login(service: Service) -> None:
    paths = [("GET", ""), ("POST", ""), ("GET", "by-label/a/"), ("GET", "1/download/")]
    paths += [(method, "1/") for method in ("GET", "PUT", "PATCH", "DELETE")]
    for method, path in paths:
        answer = await service.client.request(method, URL + path)
        assert_answer(answer, 401, {"detail": "Authentication credentials were not provided."})
        assert answer.headers["www-authenticate"] == "Bearer"
        bad = await service.client.request(
            method, URL + path, headers={"Authorization": "Bearer x"}
        )
        assert_detail(bad, 401)
        assert bad.json()["detail"] != answer.json()["detail"]


async def test_a_key_may_do_what_its_scopes_name(service: Service, user: Headers) -> None:
    async def key(scope: str) -> Headers:
        wanted = {"name": scope, "scopes": [scope]}
        made = await service.client.post("/v1/accounts/me/keys", json=wanted, headers=user)
        return {"Authorization": f"Bearer {made.json()['key']}"}

    reader, submitter = await key("dumps:read"), await key("dumps:submit")
    form = {"file": ("a.dmp", DATA)}
    assert (await service.client.get(URL, headers=reader)).status_code == 200
    assert_detail(await service.client.post(URL, files=form, headers=reader), 403)
    assert_detail(await service.client.post(URL, files=form, headers=submitter), 403)
    assert_detail(await service.client.get(URL, headers=submitter), 403)


@pytest.mark.parametrize(("error", "status"), [(StoreFull, 507), (StoreUnavailable, 503)])
async def test_limits_have_the_same_form(
    service: Service, user: Headers, error: type[Exception], status: int
) -> None:
    store_of(service).fail("put", error=error())
    answer = await service.client.post(URL, files={"file": ("a.dmp", DATA)}, headers=user)
    assert_detail(answer, status)
    assert ("retry-after" in answer.headers) == (status == 503)


async def test_a_dump_over_the_quota_is_refused(service: Service, user: Headers) -> None:
    headers = user | _FORM | {"Content-Length": str(2**50)}
    begin = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nabc'
    answer = await raw.request(service, "POST", URL, headers, [raw.part(begin)])
    assert answer.status == 413
    assert json.loads(answer.body).keys() == {"detail"}


async def test_a_slash_more_or_less_is_the_same_path(service: Service, user: Headers) -> None:
    answer = await service.client.post("/api/dumps", files={"file": ("a.dmp", DATA)}, headers=user)
    dump = answer.json()
    assert_answer(answer, 201, dump)
    assert_answer(await service.client.get("/api/dumps", headers=user), 200, [dump])
    got = await service.client.get(f"{URL}{dump['id']}/download", headers=user)
    assert got.content == DATA


async def test_other_methods_are_not_allowed(service: Service, user: Headers) -> None:
    answer = await service.client.put(URL, headers=user)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, POST"
    assert answer.json()["detail"]


async def _many(service: Service, user: Headers, number: int) -> list[int]:
    """Upload dumps; returns their ids, the newest first."""
    return [(await upload(service, user, data=b"x"))["id"] for _ in range(number)][::-1]


async def test_a_long_list_comes_in_batches(
    service: Service, user: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crash_store, "BATCH", 3)
    for number in (3, 1, 3):  # whole batches, and a part of one
        await _many(service, user, number)
    parts: list[int] = []

    async def count(answer: raw.Answer) -> None:
        parts.append(answer.body.count(b'"id"'))

    answer = await raw.request(service, "GET", URL, user, [], on_send=count)
    listed = json.loads(answer.body)
    assert len(listed) == 7
    assert [dump["id"] for dump in listed] == sorted((d["id"] for d in listed), reverse=True)
    sizes = {more - less for less, more in pairwise(parts)}
    assert max(sizes) == 3


async def test_slow_clients_hold_nothing_that_others_need(
    service: Service, user: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crash_store, "BATCH", 2)
    newest, *_, oldest = await _many(service, user, 5)
    slow, go, stalled = 40, asyncio.Event(), asyncio.Semaphore(0)

    async def stall(answer: raw.Answer) -> None:
        if answer.body and not go.is_set():
            stalled.release()
            await go.wait()

    async with asyncio.timeout(DEADLINE), asyncio.TaskGroup() as group:
        lists = [
            group.create_task(raw.request(service, "GET", URL, user, [], on_send=stall))
            for _ in range(slow)
        ]
        for _ in range(slow):
            await stalled.acquire()
        # neither a connection nor a view of what was there then
        assert (await service.client.delete(f"{URL}{oldest}/", headers=user)).status_code == 200
        go.set()
    for task in lists:
        ids = [dump["id"] for dump in json.loads(task.result().body)]
        assert ids[0] == newest
        assert len(ids) == 4
        assert oldest not in ids


async def test_a_list_whose_session_ends_breaks_off(
    service: Service, user: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crash_store, "BATCH", 2)
    await _many(service, user, 3)
    ended = False

    async def end(answer: raw.Answer) -> None:
        nonlocal ended
        if answer.body and not ended:
            ended = True
            assert (await service.client.post("/v1/auth/revoke", headers=user)).is_success

    answer = await raw.request(service, "GET", URL, user, [], on_send=end)
    assert answer.body.count(b'"id"') == 2
    assert not answer.ended


@pytest.mark.ordinary
async def test_the_file_is_where_its_name_says(service: Service, user: Headers) -> None:
    if service.settings.active_storage != "local":
        pytest.skip("there are no files")
    folder, name = service.settings.dumps_base_dir, (await upload(service, user))["stored_name"]
    assert folder is not None
    assert (folder / name[0] / name[1] / name).read_bytes() == DATA


def test_it_can_be_turned_off(tmp_path: Path) -> None:
    def paths(*compat: str) -> set[str]:
        changed = Settings(_env_file=None, data_dir=tmp_path, compat=compat)
        return {path for path in paths_of(changed) if path.startswith(URL)}

    assert paths() == paths("storagetiers") == set()
    assert paths("crash-store") == {
        "/api/dumps/", "/api/dumps/by-label/{label}/", "/api/dumps/{id}/",
        "/api/dumps/{id}/download/",
    }  # fmt: skip


def test_what_our_document_says_to_type_works(run_document: RunDocument) -> None:
    printed = run_document("crash-store.md", {"crash.dmp": DATA})
    assert '"label":"acme 1.6"' in printed
