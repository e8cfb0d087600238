"""What webhooks are told, and what becomes of that."""

import asyncio
import os
import re
import subprocess
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, update

from app import clock
from app.accounts.tables import accounts
from app.activity.trimming import TrimEvents
from app.webhooks import queue
from app.webhooks.queue import Busy
from app.webhooks.task import Deliveries
from tests.api.conftest import Service
from tests.api.shared import shared_fixtures, wipe
from tests.api.webhook_client import (
    DAY,
    MINUTE,
    Headers,
    deliver,
    log_of,
    make,
    send_file,
    state_of,
)
from tests.deadline import DEADLINE
from tests.receiver import Receiver, answer, hang, receiving

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

PROJECT = Path(__file__).parents[2]

settings, service = shared_fixtures(
    webhook_private_addresses="allow", public_url="https://files.example.org"
)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def user(service: Service) -> AsyncIterator[Headers]:
    """Headers of a new account; at last no webhook is there any more."""
    _, headers = await service.sign_up()
    yield headers
    await wipe(service)


@pytest.mark.ordinary
async def test_an_event_is_delivered(service: Service, user: Headers, receiver: Receiver) -> None:
    woken = service.runtime.parts.deliveries.woken
    woken.clear()
    await make(service, user, receiver.url, "picture.added")
    await send_file(service, user)
    assert not woken.is_set()
    webhook = await make(service, user, receiver.url, "file.received", description="Ours")
    file = await send_file(service, user)
    assert woken.is_set()
    await deliver(service)
    (request,) = receiver.take()
    assert request.line == "POST /hook?token=hidden HTTP/1.1"
    assert request.headers["content-type"] == "application/json"
    assert request.is_signed_by(webhook["secret"])
    (delivery,) = await log_of(service, user, webhook)
    account = (await service.client.get("/v1/accounts/me", headers=user)).json()
    told = request.json
    assert told.keys() == {"type", "timestamp", "data"}
    assert (told["type"], told["timestamp"]) == ("file.received", delivery["created_at"])
    data = told["data"]
    assert (data["id"], delivery["id"]) == (request.id, request.id)
    assert data["subject"] == {"kind": "file", "id": file["id"], "name": "notes.txt"}
    assert data["actor"]["username"] == account["username"]
    assert data["facts"] == {"size": 10}
    assert data["url"] == "https://files.example.org/file/load"
    assert (delivery["state"], delivery["attempts"], delivery["due_at"]) == ("delivered", 1, None)
    assert delivery["outcomes"][0]["status"] == 204
    state = await state_of(service, user, webhook)
    assert state["succeeded_at"] is not None
    assert state["failing_since"] is None


async def test_what_the_document_tells_receivers(
    service: Service, user: Headers, receiver: Receiver, tmp_path: Path
) -> None:
    webhook = await make(service, user, receiver.url, "file.received")
    await send_file(service, user)
    await deliver(service)
    (request,) = receiver.take()
    document = (PROJECT / "docs" / "events.md").read_text()
    python, shell = (
        next(
            block
            for block in re.findall(f"```{language}\n(.*?)```", document, re.S)
            if word in block
        )
        for language, word in (("python", "hmac"), ("sh", "openssl"))
    )
    told: dict[str, Any] = {}
    exec(python, told)  # noqa: S102 - the document's own
    is_genuine = told["is_genuine"]
    assert is_genuine(request.headers, request.body, webhook["secret"])
    assert not is_genuine(request.headers, request.body + b" ", webhook["secret"])
    late = request.headers | {"webhook-timestamp": "1600000000"}
    assert not is_genuine(late, request.body, webhook["secret"])
    for body, verdict in ((request.body, "genuine\n"), (request.body + b" ", "forged\n")):
        (tmp_path / "body.json").write_bytes(body)
        names = {"ID": "id", "TIMESTAMP": "timestamp", "SIGNATURE": "signature"}
        given = {name: request.headers[f"webhook-{header}"] for name, header in names.items()}
        environment = {"PATH": os.environ["PATH"], "SECRET": webhook["secret"]} | given
        ran = await asyncio.to_thread(
            subprocess.run,
            ["sh", "-c", shell],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert ran.stdout == verdict


@pytest.mark.ordinary
async def test_what_fails_is_tried_again(
    service: Service, user: Headers, receiver: Receiver
) -> None:
    webhook = await make(service, user, receiver.url, "file.received")
    await send_file(service, user)
    receiver.answers += [answer(500, b"<out of order>"), answer(302, location="http://127.0.0.1/")]
    await deliver(service)
    (failed,) = await log_of(service, user, webhook)
    assert (failed["state"], failed["attempts"]) == ("waiting", 1)
    assert failed["outcomes"][0]["answer"] == "<out of order>"
    assert (await state_of(service, user, webhook))["failing_since"] is not None
    await deliver(service, after=4 * clock.SECOND)
    assert len(receiver.requests) == 1
    await deliver(service, after=6 * clock.SECOND)
    await deliver(service, after=6 * MINUTE)
    requests = receiver.take()
    assert len({request.id for request in requests}) == 1
    assert len(requests) == 3
    (delivered,) = await log_of(service, user, webhook)
    assert [outcome["status"] for outcome in delivered["outcomes"]] == [500, 302, 204]
    assert delivered["state"] == "delivered"
    assert (await state_of(service, user, webhook))["failing_since"] is None


@pytest.mark.ordinary
async def test_a_busy_receiver_is_left_alone(
    service: Service, user: Headers, receiver: Receiver
) -> None:
    await make(service, user, receiver.url, "file.received")
    for _ in range(4):
        await send_file(service, user)
    receiver.answers += [answer(429, retry_after="60")] * 2
    await deliver(service)
    await deliver(service, after=30 * clock.SECOND)
    assert len(receiver.take()) == 2  # at once
    await deliver(service, after=70 * clock.SECOND)
    assert len(receiver.take()) == 4


@pytest.mark.ordinary
async def test_a_receiver_that_is_gone_pauses_its_webhook(
    service: Service, user: Headers, receiver: Receiver
) -> None:
    webhook = await make(service, user, receiver.url, "file.received")
    async with receiving() as other:
        await make(service, user, other.url, "webhook.paused")
        await send_file(service, user)
        await send_file(service, user)
        receiver.answers += [answer(410), answer(410)]
        await deliver(service)
        (told,) = other.take()
        assert told.json["type"] == "webhook.paused"
        assert told.json["data"]["subject"]["id"] == webhook["id"]
        assert told.json["data"]["facts"] == {"reason": "gone"}
    receiver.take()
    state = await state_of(service, user, webhook)
    assert (state["is_active"], state["paused_for"]) == (False, "gone")
    await send_file(service, user)
    await deliver(service, after=DAY)
    assert receiver.take() == []
    url = f"/v1/webhooks/{webhook['id']}"
    changed = await service.client.patch(url, json={"is_active": True}, headers=user)
    assert (changed.json()["is_active"], changed.json()["paused_for"]) == (True, None)
    await deliver(service)
    assert len(receiver.take()) == 2


async def test_how_long_failures_are_borne(
    service: Service, user: Headers, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = await make(service, user, f"{receiver.url}&never", "file.received")
    for _ in range(20):
        await send_file(service, user)
    receiver.answers += [answer(500)] * 20
    await deliver(service)
    assert (await state_of(service, user, never))["paused_for"] == "never_worked"

    account, other = await service.sign_up()
    worked = await make(service, other, receiver.url, "file.received")
    await send_file(service, other)
    await deliver(service)
    for _ in range(21):
        await send_file(service, other)
    receiver.answers += [answer(500)] * 99
    await deliver(service)
    assert (await state_of(service, other, worked))["is_active"]
    later = clock.now() + 3 * DAY
    monkeypatch.setattr(clock, "now", lambda: later)
    await deliver(service)
    other = await service.log_in(account["username"])
    assert (await state_of(service, other, worked))["paused_for"] == "failing"


async def test_what_hangs_holds_up_nobody_else(
    service: Service, user: Headers, receiver: Receiver
) -> None:
    released = asyncio.Event()

    async def hang_on(*_: object) -> None:
        await released.wait()

    task = service.runtime.parts.deliveries
    hanging = [
        await make(service, user, f"{receiver.url}&n={number}", "file.received")
        for number in range(3)
    ]
    receiver.answers += [hang_on] * 9
    for _ in range(3):
        await send_file(service, user)
    async with receiving() as other:
        _, others = await service.sign_up()
        await make(service, others, other.url, "file.received")
        for _ in range(5):
            await send_file(service, others)
        async with asyncio.timeout(DEADLINE):
            while len(other.requests) < 5:
                task.woken.clear()
                if not await task.run_once(clock.now()):
                    await task.woken.wait()  # for the end of an attempt
    began = Counter(request.line for request in receiver.take())
    assert max(began.values()) == 2  # of a webhook
    assert began.total() == 4  # of an account
    released.set()
    await task.settle()
    logs = [await log_of(service, user, webhook) for webhook in hanging]
    errors = [outcome["error"] for log in logs for one in log for outcome in one["outcomes"]]
    assert errors == ["The connection broke before there was an answer"] * 4


@pytest.mark.ordinary
async def test_a_test_and_what_is_sent_again(
    service: Service, user: Headers, receiver: Receiver
) -> None:
    webhook = await make(service, user, receiver.url, is_active=False)
    url = f"/v1/webhooks/{webhook['id']}"
    receiver.answers.append(answer(500))
    tested = await service.client.post(f"{url}/test", headers=user)
    assert (tested.status_code, tested.json()["state"]) == (202, "waiting")
    await deliver(service, after=DAY)
    (request,) = receiver.take()
    assert request.json["type"] == "webhook.test"
    (failed,) = await log_of(service, user, webhook)
    assert (failed["id"], failed["state"]) == (tested.json()["id"], "failed")
    again = f"{url}/deliveries/{failed['id']}/retry"
    for number in (2, 3):
        assert (await service.client.post(again, headers=user)).status_code == 202
        await deliver(service)
        (delivered,) = await log_of(service, user, webhook)
        assert (delivered["state"], delivered["attempts"]) == ("delivered", number)
    assert {sent.id for sent in receiver.take()} == {request.id}
    assert (await service.client.delete(url, headers=user)).status_code == 204


async def test_what_slack_gets(service: Service, user: Headers, receiver: Receiver) -> None:
    await make(service, user, receiver.url, "file.received", format="slack")
    await send_file(service, user, "<!channel> & <a|b>.txt")
    await deliver(service)
    (request,) = receiver.take()
    name = (await service.client.get("/v1/accounts/me", headers=user)).json()["username"]
    escaped = "&lt;!channel&gt; &amp; &lt;a|b&gt;.txt"
    assert request.json == {
        "text": f"{name} sent {escaped} (10 bytes) <https://files.example.org/file/load|Open>"
    }


async def test_what_strangers_repeat_is_told_once(
    service: Service, user: Headers, receiver: Receiver
) -> None:
    await make(service, user, receiver.url, "link.password_failed")
    file = await send_file(service, user)
    body = {"kind": "file", "id": file["id"], "time": 600, "password": "right"}
    link = (await service.client.post("/v1/timelinks", json=body, headers=user)).json()
    for _ in range(3):
        refused = await service.client.get(link["url"], auth=("", "wrong"))
        assert refused.status_code == 401
    await deliver(service)
    (request,) = receiver.take()
    assert request.json["type"] == "link.password_failed"
    assert link["url"].rpartition("/")[2] not in request.body.decode()


@pytest.mark.ordinary
async def test_what_a_process_leaves_when_it_dies(
    service: Service, user: Headers, receiver: Receiver
) -> None:
    await make(service, user, receiver.url, "file.received")
    await send_file(service, user)
    database, now = service.runtime.parts.database, clock.now()
    (due,) = await database.read(queue.due, now, Busy(frozenset(), frozenset()))
    assert len(await database.write(queue.claim, [due.id], now)) == 1
    assert await database.write(queue.claim, [due.id], now) == []
    await deliver(service, after=59 * clock.SECOND)
    assert receiver.take() == []
    await deliver(service, after=61 * clock.SECOND)
    assert len(receiver.take()) == 1


@pytest.mark.ordinary
async def test_what_a_stop_breaks_off(service: Service, user: Headers, receiver: Receiver) -> None:
    webhook = await make(service, user, receiver.url, "file.received")
    await send_file(service, user)
    receiver.answers.append(hang)
    stopping = Deliveries(service.runtime.parts.database, [b"k"], private=True, public_url=None)
    assert await stopping.run_once(clock.now()) == 1
    async with asyncio.timeout(DEADLINE):
        await receiver.came.wait()
    await stopping.aclose()
    await deliver(service)
    broken_off, sent = receiver.take()
    assert broken_off.id == sent.id
    (delivery,) = await log_of(service, user, webhook)
    assert (delivery["state"], delivery["attempts"]) == ("delivered", 1)


@pytest.mark.ordinary
async def test_one_that_was_told_much_is_deleted(
    service: Service, user: Headers, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.webhooks.rows._BATCH", 2)
    webhook = await make(service, user, receiver.url, "file.received")
    other = await make(service, user, receiver.url, "file.received")
    for _ in range(5):
        await send_file(service, user)
    url = f"/v1/webhooks/{webhook['id']}"
    assert (await service.client.delete(url, headers=user)).status_code == 204
    assert (await service.client.get(url, headers=user)).status_code == 404
    await deliver(service)
    assert len(receiver.take()) == 5
    assert len(await log_of(service, user, other)) == 5


async def test_old_deliveries_go(service: Service, user: Headers, receiver: Receiver) -> None:
    webhook = await make(service, user, receiver.url, "file.received")
    await send_file(service, user)
    await deliver(service)
    name = (await service.client.get("/v1/accounts/me", headers=user)).json()["username"]
    for days, left in ((29, 1), (31, 0)):
        await service.runtime.parts.expiry.run_once(clock.now() + days * DAY)
        assert len(await log_of(service, await service.log_in(name), webhook)) == left


async def test_too_many_deliveries_go(
    service: Service, user: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = await make(service, user, "https://example.org", "file.received")
    files = [await send_file(service, user) for _ in range(5)]
    monkeypatch.setattr("app.activity.rows.MAX_ENTRIES", 3)
    await TrimEvents(service.runtime.parts.database, kept_for=2).run_today(clock.now())
    kept = [one["data"]["subject"]["id"] for one in await log_of(service, user, webhook)]
    assert kept == [file["id"] for file in files[:1:-1]]


async def test_an_account_that_is_locked_tells_nothing(
    service: Service, user: Headers, receiver: Receiver
) -> None:
    await make(service, user, receiver.url, "file.received")
    await send_file(service, user)
    account = (await service.client.get("/v1/accounts/me", headers=user)).json()["id"]
    named = update(accounts).where(accounts.c.uuid == account)

    def lock(connection: Connection, *, is_active: bool) -> None:
        connection.execute(named.values(is_active=is_active))

    await service.runtime.parts.database.write(lock, is_active=False)
    await deliver(service)
    assert receiver.take() == []
    await service.runtime.parts.database.write(lock, is_active=True)
    await deliver(service)
    assert len(receiver.take()) == 1


@pytest.mark.ordinary
async def test_a_new_secret_and_the_old_one(
    service: Service, user: Headers, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = await make(service, user, receiver.url, "file.received")
    url = f"/v1/webhooks/{old['id']}"
    new = (await service.client.post(f"{url}/secret", headers=user)).json()
    assert new["secret"] != old["secret"]
    assert "secret" not in (await service.client.get(url, headers=user)).json()
    receiver.answers.append(answer(500))
    await send_file(service, user)
    await deliver(service)
    later = clock.now() + DAY
    monkeypatch.setattr(clock, "now", lambda: later)
    await deliver(service)
    first, second = receiver.take()
    assert first.is_signed_by(new["secret"])
    assert first.is_signed_by(old["secret"])
    assert second.is_signed_by(new["secret"])
    assert not second.is_signed_by(old["secret"])
