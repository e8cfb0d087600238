"""Several processes at one store and database: they start together, and hold the same."""

import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import plain_http
from tests.deadline import DEADLINE
from tests.system.conftest import Inspect, MakeSettings, Settings, Start, StartFork
from tests.system.processes import Service, wait_for
from tests.system.uploads import Upload

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery"
BODY = bytes(range(256)) * 4096 * 11  # 11 MiB
HALF = len(BODY) // 2
WRITES = 40
DAY = 24 * 3600

PROFILES = pytest.mark.parametrize("storage", ["local", "scaled"])


def log_in(service: Service, username: str = "somebody") -> dict[str, str]:
    """Log in; returns the header that a request wants."""
    form = {"username": username, "password": PASSWORD}
    answer = plain_http.post(f"{service.url}/v1/auth/token", data=form)
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


@PROFILES
def test_processes_that_start_together_prepare_one_service(
    make_settings: MakeSettings, start_fork: StartFork, storage: str
) -> None:
    for _ in range(3):
        settings = make_settings(storage, ADMIN_USERNAME="somebody", ADMIN_PASSWORD=PASSWORD)
        services = [start_fork(settings, ready=False)[0] for _ in range(3)]
        for service in services:
            service.wait_until_ready()
        headers = log_in(services[0])
        for service in services:  # one signing key, one database
            answer = service.client.get("/v1/accounts", headers=headers)
            assert answer.status_code == 200, answer.text
            names = sorted(account["username"] for account in answer.json()["items"])
            assert names == ["service", "somebody"]
        tiers = services[0].client.get("/v1/tiers", headers=headers).json()["items"]
        assert len(tiers) == len({tier["name"] for tier in tiers}) >= 3
        for service in services:
            assert service.stop() == 0, service.log
            assert not [event for event in service.events if event["level"] == "error"]


@PROFILES
def test_both_write_at_once_and_hold_the_same(
    make_settings: MakeSettings, start: Start, inspect: Inspect, storage: str
) -> None:
    settings = make_settings(storage)
    services = [start(settings), start(settings)]

    def write(number: int) -> None:
        client = services[number % 2].client
        own = client.put(f"/v1/blobs/own{number}/content", content=b"o" * (10 + number))
        assert own.status_code == 201, own.text
        shared = client.put("/v1/blobs/shared/content", content=bytes([number]) * 30_000)
        assert shared.is_success, shared.text

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(WRITES)))
    lists = [service.client.get("/v1/blobs?limit=1000").json()["items"] for service in services]
    assert lists[0] == lists[1]
    assert len(lists[0]) == WRITES + 1
    contents = {service.client.get("/v1/blobs/shared/content").content for service in services}
    assert len(contents) == 1
    assert len(set(contents.pop())) == 1, "a mixture of two writes"
    usage = services[0].client.get("/v1/accounts/me").json()["usage"]
    assert usage["objects"] == WRITES + 1
    assert usage["bytes"] == sum(blob["size"] for blob in lists[0])
    assert inspect(settings).rows()[:2] == [WRITES + 1, WRITES]


@PROFILES
def test_what_is_revoked_in_one_is_refused_in_the_other_at_once(
    make_settings: MakeSettings, start: Start, storage: str
) -> None:
    settings = make_settings(storage, REGISTRATION="open")
    here, there = start(settings), start(settings)
    account = {"username": "somebody", "password": PASSWORD}
    assert here.client.post("/v1/accounts", json=account).status_code == 201
    for _ in range(5):
        headers = log_in(here)
        made = here.client.post(
            "/v1/accounts/me/keys", headers=headers, json={"name": "k", "scopes": ["blobs:read"]}
        )
        key = {"Authorization": f"Bearer {made.json()['key']}"}
        for credential in (headers, key):
            assert there.client.get("/v1/blobs", headers=credential).status_code == 200
        revoked = here.client.delete(f"/v1/accounts/me/keys/{made.json()['id']}", headers=headers)
        assert revoked.status_code == 204
        assert there.client.get("/v1/blobs", headers=key).status_code == 401
        assert here.client.post("/v1/auth/revoke", headers=headers).status_code == 204
        assert there.client.get("/v1/blobs", headers=headers).status_code == 401


@pytest.mark.parametrize("storage", ["local", "s3", "database"])
def test_an_upload_whose_lease_another_process_ended_is_not_acknowledged(
    make_settings: MakeSettings, start_fork: StartFork, inspect: Inspect, storage: str
) -> None:
    """As when a process was frozen for longer than a lease lasts."""
    settings = make_settings(storage)
    inside = inspect(settings)
    frozen, _ = start_fork(settings)
    with Upload(frozen, "late", len(BODY)) as upload:
        upload.send(BODY[:-1])
        wait_for(inside.store.contents)
        frozen.send_signal(signal.SIGSTOP)
        other, _ = start_fork(settings, ahead=DAY)
        wait_for(lambda: inside.rows() == [0, 0, 0])
        frozen.send_signal(signal.SIGCONT)
        upload.send(BODY[-1:])
        assert upload.status() >= 400
    assert other.client.get("/v1/blobs/late/content").status_code == 404
    wait_for(lambda: inside.rows() == [0, 0, 0])
    wait_for(lambda: not inside.store.contents())
    assert other.client.get("/v1/accounts/me").json()["usage"]["bytes"] == 0


def foreign(settings: Settings, others: Settings) -> Settings:
    """Return settings that keep their database and name another service's store."""
    names = ("S3_BUCKET_NAME",) if "S3_BUCKET_NAME" in settings else ("LOCAL_STORAGE_PATH",)
    where = others | {"LOCAL_STORAGE_PATH": str(Path(others["DATA_DIR"]) / "objects")}
    return settings | {name: where[name] for name in names}


@pytest.mark.parametrize("storage", ["local", "s3"])
@pytest.mark.parametrize("arguments", [(), ("fsck", "--repair")])
def test_a_store_of_another_database_stops_the_start(
    make_settings: MakeSettings, start_fork: StartFork, storage: str, arguments: tuple[str, ...]
) -> None:
    first, second = make_settings(storage), make_settings(storage)
    assert start_fork(first)[0].client.put("/v1/blobs/a/content", content=BODY).is_success
    refused, process = start_fork(foreign(second, first), *arguments, ready=False)
    assert process.wait(DEADLINE) not in {0, None}
    assert "ACTIVE_STORAGE: the store belongs to another database" in refused.log
    assert "Traceback" not in refused.log
    assert refused.printed == ""
