"""What the home page shows of an account: only what is still there, counted up to a bound."""

import pytest

from app import clock, subjects
from app import overview as service_module
from app.accounts.identity import Access
from app.events.entities import Subject
from app.overview import Overview, overview
from app.security.credentials import ServiceToken
from tests.api.conftest import Service

pytestmark = pytest.mark.anyio


async def seen(service: Service, *, hours: int = 0) -> Overview:
    """Look at the built-in account, so many hours from now."""
    access = Access(service.runtime.parts.database, ServiceToken(), "metrics:read")
    return await access.read(overview, clock.now() + hours * 60 * clock.MINUTE)


@pytest.mark.slow("scaled")
async def test_what_has_ended_is_not_seen(service: Service) -> None:
    client, headers = service.client, service.service_token
    for name, seconds in (("kept", 0), ("short", 3600), ("long", 7200)):
        path = f"/v1/send/{name}?expires_in={seconds}"
        assert (await client.put(path, content=b"x", headers=headers)).status_code == 201
    text = headers | {"X-Data-Type": "text"}
    assert (await client.put("/v1/buffer", content=b"text", headers=text)).status_code == 201
    dump = {"file": ("a.dmp", b"x")}
    stored = await client.post("/v1/dumps", files=dump, data={"retention": "3600"}, headers=headers)
    assert stored.status_code == 201

    now = await seen(service)
    assert now.counts == {
        "files": 3,
        "pictures": 0,
        "dumps": 1,
        "timelinks": 2,
        "blobs": 0,
        "inboxes": 0,
    }
    assert [file.name for file in now.files] == ["long", "short", "kept"]
    assert now.buffer is not None
    assert now.account.used_objects == 5

    later = await seen(service, hours=1)
    assert later.counts == {
        "files": 2,
        "pictures": 0,
        "dumps": 0,
        "timelinks": 1,
        "blobs": 0,
        "inboxes": 0,
    }
    assert [file.name for file in later.files] == ["long", "kept"]
    assert (await seen(service, hours=3)).buffer is None


async def test_counting_stops_where_there_is_much(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_module, "MANY", 3)
    for number in range(5):
        path = f"/v1/blobs/{number}/content"
        stored = await service.client.put(path, content=b"x", headers=service.service_token)
        assert stored.status_code == 201
    assert (await seen(service)).counts["blobs"] == 3


async def test_subjects_of_events_are_there_until_they_end(service: Service) -> None:
    client, headers = service.client, service.service_token
    access = Access(service.runtime.parts.database, ServiceToken(), "metrics:read")
    _, other = await service.sign_up()
    sent = {"file": ("a.txt", b"x")}
    file = (await client.post("/v1/files", files=sent, headers=headers)).json()
    foreign = (await client.post("/v1/files", files=sent, headers=other)).json()
    link, ended = [
        (await client.post("/v1/timelinks", json=body, headers=headers)).json()
        for body in 2 * [{"kind": "file", "id": file["id"], "time": 600}]
    ]
    inbox = (await client.post("/v1/inboxes", json={"title": "x"}, headers=headers)).json()
    await client.delete(f"/v1/timelinks/{ended['id']}", headers=headers)
    nowhere = [
        Subject("file", foreign["id"]),
        Subject("file", link["id"]),
        Subject("link", ended["id"]),
        Subject("session", file["id"]),
    ]
    there = [("file", file["id"]), ("link", link["id"]), ("inbox", inbox["id"])]
    nowhere += [Subject(kind, foreign["id"]) for kind in subjects.TABLES]
    asked = [*nowhere, *(Subject(kind, uuid) for kind, uuid in there)]
    assert await subjects.still_there(access, asked) == set(there)
    assert await subjects.still_there(access, [Subject("tier", "x")]) == set()
