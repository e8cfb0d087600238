"""What workers have in common: events, limits, metrics, background work."""

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.changes import PER_ACCOUNT
from app.security.rate_limits import LOGIN
from tests import plain_http, sharing
from tests.system import processes
from tests.system.conftest import Settings
from tests.system.crew import children, only, workers
from tests.system.processes import SERVICE_TOKEN, Service, wait_for

TOKEN = {"Authorization": f"Bearer {SERVICE_TOKEN}"}
PASSWORD = "correct horse battery"
REQUESTS = (
    r"http_server_request_duration_seconds_count\{"
    r'http_request_method="GET",http_response_status_code="404",http_route="([^"]*)"\} (\S+)'
)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Those of the one service here."""
    folder = tmp_path_factory.mktemp("together") / "data"
    settings = {"DATA_DIR": str(folder), "WORKERS": "2", "REGISTRATION": "open"}
    return settings | {"ADMIN_USERNAME": "boss", "ADMIN_PASSWORD": PASSWORD}


@pytest.fixture(scope="module")
def service(settings: Settings) -> Iterator[Service]:
    """A service of two workers, where listeners hear of changes only what others tell them."""
    processes.furnish(settings)
    output = Path(settings["DATA_DIR"]).with_name("service")
    service = Service(sharing.nursery().fork(settings, output, interval=24 * 3600), output)
    try:
        workers(service)
        yield service
    finally:
        service.kill()


@pytest.fixture
def crew(service: Service) -> list[int]:
    """The workers, now that both serve."""
    wait_for(lambda: "worker" in metrics(service) and len(children(service.pid)) == 2)
    return children(service.pid)


def ask(service: Service, method: str, path: str, **options: object) -> httpx.Response:
    """Send a request on a connection of its own, as the built-in account unless told otherwise."""
    given: dict[str, object] = {"headers": TOKEN, **options}
    return plain_http.request(method, f"{service.url}{path}", **given)  # type: ignore[arg-type]


def metrics(service: Service) -> str:
    return ask(service, "GET", "/metrics").text


def sign_up(service: Service, name: str) -> dict[str, str]:
    """Make an account; returns the header that its requests want."""
    account = {"username": name, "password": PASSWORD}
    ask(service, "POST", "/v1/accounts", json=account, headers={}).raise_for_status()
    return log_in(service, name)


def log_in(service: Service, name: str) -> dict[str, str]:
    form = {"username": name, "password": PASSWORD}
    answer = ask(service, "POST", "/v1/auth/token", data=form, headers={})
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def test_a_change_reaches_the_listeners_of_the_other_worker(
    service: Service, settings: Settings, crew: list[int]
) -> None:
    one, other = crew
    stream = plain_http.Client(base_url=service.url, headers=TOKEN)
    with only(one, crew, settings):
        listening = stream.send(stream.build_request("GET", "/v1/buffer/events"), stream=True)
        lines = listening.iter_lines()
        versions = (json.loads(line[6:])["version"] for line in lines if line.startswith("data: "))
        before = next(versions)
    with only(other, crew, settings):
        text = {**TOKEN, "X-Data-Type": "text"}
        answer = ask(service, "PUT", "/v1/buffer", headers=text, content=b"hello")
        assert answer.json()["version"] == before + 1
    assert next(versions) == before + 1
    listening.close()
    stream.close()


def test_failed_logins_count_for_all_workers(
    service: Service, settings: Settings, crew: list[int]
) -> None:
    form = {"username": "nobody", "password": "wrong"}
    statuses = []
    for n in range(LOGIN.limit + 2):
        with only(crew[n % 2], crew, settings):
            answer = ask(service, "POST", "/v1/auth/token", data=form, headers={})
            statuses.append(answer.status_code)
    assert statuses == [401] * LOGIN.limit + [429] * 2


def test_streams_of_an_account_count_for_all_workers_and_no_longer_than_these_live(
    service: Service, settings: Settings, crew: list[int]
) -> None:
    headers = sign_up(service, "listener")
    clients = plain_http.Client(base_url=service.url, headers=headers)
    opened = []

    def listen() -> int:
        request = clients.build_request("GET", "/v1/buffer/events")
        opened.append(clients.send(request, stream=True))
        return opened[-1].status_code

    for number, worker in enumerate(crew):
        with only(worker, crew, settings):
            for _ in range(PER_ACCOUNT // 2):
                assert listen() == 200, number
    assert listen() == 429
    os.kill(crew[0], signal.SIGKILL)
    wait_for(lambda: listen() == 200)
    for stream in opened:
        stream.close()
    clients.close()
    wait_for(lambda: set(children(service.pid)).isdisjoint(crew[:1]))
    wait_for(lambda: len(children(service.pid)) == 2)


def not_found(service: Service) -> float:
    """Return how many requests for blobs that are not there have been counted."""
    found = dict(re.findall(REQUESTS, metrics(service)))
    return float(found.get("/v1/blobs/{id}/content", 0))


def test_one_scrape_is_of_all_workers_and_counters_never_go_back(
    service: Service, settings: Settings, crew: list[int]
) -> None:
    before = not_found(service)
    for worker in crew:
        with only(worker, crew, settings):
            for _ in range(3):
                assert ask(service, "GET", "/v1/blobs/none/content").status_code == 404
    assert not_found(service) == before + 6
    text = metrics(service)
    for name in ("process_resident_memory_bytes", "process_open_fds"):
        assert re.findall(rf'^{name}\{{worker="(\d)"\}} \d', text, re.MULTILINE) == ["1", "2"]
    names = re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)
    assert len(names) == len(set(names))
    series = re.findall(r"^([^#\n]\S*) \S+$", text, re.MULTILINE)
    assert len(series) == len(set(series))
    for victim in crew:  # one is killed, the other leaves in good order
        number = signal.SIGKILL if victim == crew[0] else signal.SIGTERM
        os.kill(victim, number)
        wait_for(lambda: victim not in children(service.pid))  # noqa: B023
        assert not_found(service) == before + 6
        wait_for(lambda: len(children(service.pid)) == 2)
    wait_for(lambda: len(re.findall(r"^process_open_fds", metrics(service), re.MULTILINE)) == 2)
    assert not_found(service) == before + 6


def test_the_page_of_administration_says_how_many_there_are(service: Service) -> None:
    page = ask(service, "GET", "/admin", headers=log_in(service, "boss"))
    assert "served by 2 workers" in page.text


def test_what_a_follower_makes_expire_goes_in_time(
    service: Service, settings: Settings, crew: list[int]
) -> None:
    headers = sign_up(service, "sender")
    for worker in crew:
        with only(worker, crew, settings):
            url = "/v1/send/short?expires_in=1"
            answer = ask(service, "PUT", url, headers=headers, content=b"it")
            assert answer.status_code == 201
        batches = _expiries(service)
        wait_for(lambda: _expiries(service) > batches)  # noqa: B023
    usage = ask(service, "GET", "/v1/accounts/me", headers=headers).json()["usage"]
    assert usage["objects"] == 0


def _expiries(service: Service) -> float:
    done = re.search(
        r'^holdall_task_batches_total\{outcome="done",task="expiry"\} (\S+)',
        metrics(service),
        re.MULTILINE,
    )
    return float(done[1]) if done else 0.0
