"""The log of events: what is in it, who reads it, and how it is listened to."""

from typing import Any

import pytest
from sqlalchemy import Connection, func, select, update

from app import clock
from app.activity import rows
from app.activity.trimming import TrimEvents
from app.events.tables import events
from app.tasks.daily import DAY
from tests.api import inbox_client
from tests.api.conftest import MakeSettings, Service, running
from tests.api.crash_forms import make_key
from tests.api.listening import listening
from tests.api.problems import assert_problem
from tests.api.shared import shared_fixtures
from tests.pictures import encoded, quarters

pytestmark = pytest.mark.anyio

ADMIN = {"admin_username": "root", "admin_password": "a root password"}
ADDRESS = "127.0.0.1"
WRONG = "never-the-right-one"

settings, service = shared_fixtures()

Headers = dict[str, str]


async def log_of(service: Service, headers: Headers, query: str = "") -> list[dict[str, Any]]:
    answer = await service.client.get(f"/v1/events{query}", headers=headers)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def types(items: list[dict[str, Any]]) -> list[str]:
    return [item["type"] for item in items]


async def fail_to_log_in(service: Service, username: str) -> None:
    form = {"username": username, "password": WRONG}
    assert (await service.client.post("/v1/auth/token", data=form)).status_code == 401


async def test_what_an_account_does_is_in_its_log(service: Service) -> None:
    account, headers = await service.sign_up("ada")
    client = service.client
    key = await make_key(service, headers, "files:write", "events:read")
    of_key = {"Authorization": f"Bearer {key}"}
    form = {"file": ("notes.txt", b"fourteen bytes")}
    file = (await client.post("/v1/files", files=form, headers=of_key)).json()
    picture = {"img": encoded(quarters(), "png")}
    await client.post("/v1/pictures", data={"name": "P"}, files=picture, headers=headers)
    body = {"kind": "file", "id": file["id"], "time": 600, "max_downloads": 1}
    link = (await client.post("/v1/timelinks", json=body, headers=headers)).json()
    taken = await client.get(f"{link['url']}?download=1", follow_redirects=True)
    assert taken.content == b"fourteen bytes"
    await client.delete(f"/v1/timelinks/{link['id']}", headers=headers)

    listed = await log_of(service, of_key)
    assert types(listed) == [
        "link.deleted", "link.used_up", "link.created", "picture.added", "file.received",
        "key.created", "session.begun", "account.created",
    ]  # fmt: skip
    by_type = {item["type"]: item for item in listed}
    assert {item["account"] for item in listed} == {account["id"]}
    received = by_type["file.received"]
    assert received["subject"] == {"kind": "file", "id": file["id"], "name": "notes.txt"}
    assert received["facts"] == {"size": 14}
    assert (received["actor"]["username"], received["actor"]["address"]) == ("ada", ADDRESS)
    assert received["actor"]["key_name"] == by_type["key.created"]["subject"]["name"]
    used_up = by_type["link.used_up"]
    assert used_up["subject"] == {"kind": "link", "id": link["id"], "name": "notes.txt"}
    assert used_up["facts"] == {"kind": "file", "downloads": 1}
    assert (used_up["actor"]["account"], used_up["actor"]["address"]) == (None, ADDRESS)
    assert by_type["session.begun"]["actor"]["session"] == by_type["session.begun"]["subject"]["id"]

    some = await log_of(service, headers, "?type=key.created&type=link.created")
    assert types(some) == ["link.created", "key.created"]
    first = (await client.get("/v1/events?limit=3", headers=headers)).json()
    second = f"?limit=3&cursor={first['next_cursor']}"
    assert types(first["items"] + await log_of(service, headers, second)) == types(listed)[:6]


async def test_what_comes_by_an_inbox_names_it(service: Service) -> None:
    _, headers = await service.sign_up()
    inbox = await inbox_client.make(service, headers, title="Holiday pictures")
    await inbox_client.put(service, inbox)
    form = [("file", (f"{n}", b"x")) for n in range(3)]
    await service.client.post(inbox["path"], files=form)
    bundle, file, made, *_ = await log_of(service, headers)
    assert (made["type"], made["subject"]["name"]) == ("link.created", "Holiday pictures")
    assert (file["type"], file["facts"]["inbox"]) == ("file.received", "Holiday pictures")
    assert file["actor"] == bundle["actor"]
    assert (file["actor"]["account"], file["actor"]["address"]) == (None, ADDRESS)
    assert bundle["type"] == "bundle.received"
    assert bundle["facts"] == {"files": 3, "inbox": "Holiday pictures"}


async def test_failures_of_an_hour_are_one_event(make_settings: MakeSettings) -> None:
    async with running(make_settings(**ADMIN, rate_limits="off")) as service:
        _, headers = await service.sign_up("ada")
        for _ in range(3):
            await fail_to_log_in(service, "ADA")
            await fail_to_log_in(service, "hunter2 typed into the wrong field")
        failed, *_ = await log_of(service, headers)
        assert (failed["type"], failed["count"]) == ("login.failed", 3)
        assert failed["facts"] == {"username": "ada"}
        assert failed["last_at"] > failed["created_at"]

        # names that nobody has are not kept: some are passwords
        root = await service.log_in("root", ADMIN["admin_password"])
        answer = await service.client.get("/v1/events?all=true&type=login.failed", headers=root)
        assert "hunter2" not in answer.text
        of_ada, of_nobody = answer.json()["items"]
        if of_ada["username"] == "service":
            of_ada, of_nobody = of_nobody, of_ada
        assert (of_ada["username"], of_nobody["username"]) == ("ada", "service")
        assert (of_nobody["count"], of_nobody["facts"]) == (3, {})


async def test_administrators_alone_see_all(make_settings: MakeSettings) -> None:
    async with running(make_settings(**ADMIN)) as service:
        ada, headers = await service.sign_up("ada")
        root = await service.log_in("root", ADMIN["admin_password"])
        change = {"tier": "Enterprise"}
        path = f"/v1/accounts/{ada['id']}"
        assert (await service.client.patch(path, json=change, headers=root)).status_code == 200

        changed, *_ = await log_of(service, headers)  # whoever is concerned sees it, and by whom
        assert (changed["type"], changed["facts"]) == ("account.changed", change)
        assert changed["actor"]["username"] == "root"
        of_ada = await log_of(service, root, f"?account={ada['id']}")
        assert types(of_ada) == ["account.changed", "session.begun", "account.created"]
        of_all = await log_of(service, root, "?all=true")
        assert {item["username"] for item in of_all} == {"ada", "root"}
        assert {item["username"] for item in await log_of(service, root)} == {"root"}

        for query in ("?all=true", f"?account={ada['id']}"):
            refused = await service.client.get(f"/v1/events{query}", headers=headers)
            assert_problem(refused, 403)
            key = await make_key(service, root, "events:read")
            of_key = {"Authorization": f"Bearer {key}"}
            assert_problem(await service.client.get(f"/v1/events{query}", headers=of_key), 403)
        nobody = "?account=0199a8b0-7f6e-7b1c-9a55-3d2f6c1e8a90"
        assert_problem(await service.client.get(f"/v1/events{nobody}", headers=root), 404)

        assert (await service.client.delete(path, headers=root)).status_code == 204
        deleted, *_ = await log_of(service, root)  # the account's own log goes with it
        assert (deleted["type"], deleted["subject"]["name"]) == ("account.deleted", "ada")


async def test_a_key_needs_the_scope(service: Service) -> None:
    _, headers = await service.sign_up()
    key = await make_key(service, headers, "files:read")
    of_key = {"Authorization": f"Bearer {key}"}
    assert_problem(await service.client.get("/v1/events", headers=of_key), 403)
    assert_problem(await service.client.get("/v1/events/stream", headers=of_key), 403)
    assert_problem(await service.client.get("/v1/events?type=nothing", headers=headers), 422)


async def test_events_are_told_as_they_happen(service: Service) -> None:
    _, headers = await service.sign_up()
    _, other = await service.sign_up()
    path, query = "/v1/events/stream", b"type=key.created&type=key.deleted"
    async with (
        listening(service, headers, path, query=query) as stream,
        listening(service, other, path, query=query) as elsewhere,
    ):
        await stream.next_comment()  # it has seen what was there
        await make_key(service, headers, "files:read")
        event = await stream.next()
        assert (event.name, event.data["type"]) == ("message", "key.created")
        assert elsewhere.waiting == 0
    # one that comes back gets what it missed, in order
    await service.client.post(
        "/v1/auth/revoke", headers=await service.log_in(event.data["username"])
    )
    await make_key(service, headers, "blobs:read")
    await make_key(service, headers, "blobs:write")
    again = headers | {"Last-Event-ID": event.data["id"]}
    async with listening(service, again, path, query=query) as stream:
        scopes = [(await stream.next()).data["facts"]["scopes"] for _ in range(2)]
        assert scopes == [["blobs:read"], ["blobs:write"]]
    wrong = headers | {"Last-Event-ID": "7"}
    assert_problem(await service.client.get("/v1/events/stream", headers=wrong), 422)


async def test_the_log_ends_where_it_is_too_old_or_too_long(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    account, headers = await service.sign_up()
    _, other = await service.sign_up()
    for scope in ("blobs:read", "blobs:write", "files:read"):
        await make_key(service, headers, scope)
    database, now = service.runtime.parts.database, clock.now()

    def make_older(connection: Connection) -> None:
        own = events.c.subject_id == account["id"]
        oldest = select(func.min(events.c.id)).where(own).scalar_subquery()
        values = {"created_at": now - 3 * DAY}
        connection.execute(update(events).where(events.c.id == oldest).values(values))

    await database.write(make_older)
    trim = TrimEvents(database, kept_for=2)
    await trim.run_today(now)
    kept = await log_of(service, headers)
    assert types(kept) == ["key.created"] * 3 + ["session.begun"]  # without account.created
    monkeypatch.setattr(rows, "MAX_ENTRIES", 3)
    await trim.run_today(now)
    assert await log_of(service, headers) == kept[:3]
    assert types(await log_of(service, other)) == ["session.begun", "account.created"]
