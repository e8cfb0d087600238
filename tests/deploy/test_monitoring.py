"""Metrics, dashboard and alerts, as a real Prometheus understands them.

Skipped where there is none: Debian's package is called prometheus.
"""

import contextlib
import json
import math
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import plain_http, servers
from tests.daemon import Daemon
from tests.deploy import ROOT
from tests.pictures import plain
from tests.system import processes
from tests.system.processes import DEADLINE, SERVICE_TOKEN, Service

BINARIES = [shutil.which(name) for name in ("prometheus", "promtool")]
ALERTS = ROOT / "deploy" / "alerts.yaml"
DASHBOARD = json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
VALUES = {"$job": "holdall", "$instance": ".*", "$__rate_interval": "60s"}
"""What Grafana puts in the place of its variables."""

CONFIGURATION = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{alerts}"]
scrape_configs:
  - job_name: holdall
    authorization: {{credentials: "{token}"}}
    static_configs: [{{targets: ["{target}"]}}]
"""

pytestmark = pytest.mark.skipif(None in BINARIES, reason="prometheus is not installed")


class Prometheus:
    """A Prometheus that scrapes one service, once a second."""

    def __init__(self, url: str) -> None:
        self.client = plain_http.Client(base_url=url)

    def ask(self, query: str) -> list[float]:
        """Return the values of a query's series, as they are now; raises for one that is wrong."""
        answer = self.client.get("/api/v1/query", params={"query": query}).json()
        assert answer["status"] == "success", f"{query}: {answer['error']}"
        return [float(series["value"][1]) for series in answer["data"]["result"]]

    def alerts(self) -> dict[str, dict[str, Any]]:
        """Return the rules of alerts by their names."""
        groups = self.client.get("/api/v1/rules").json()["data"]["groups"]
        return {rule["name"]: rule for group in groups for rule in group["rules"]}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    settings = {"DATA_DIR": str(folder / "data"), "RATE_LIMITS": "on", "REGISTRATION": "open"}
    with processes.running(settings, folder) as service:
        _damage_something(service, folder / "data")
        yield service


@pytest.fixture(scope="module")
def prometheus(service: Service) -> Iterator[Prometheus]:
    (port,) = servers.free_ports(1)
    url = f"http://127.0.0.1:{port}"
    folder = Path(tempfile.mkdtemp(prefix="holdall-prometheus-"))
    configuration = folder / "prometheus.yaml"
    target = service.url.removeprefix("http://")
    configuration.write_text(
        CONFIGURATION.format(alerts=ALERTS, token=SERVICE_TOKEN, target=target)
    )
    command = [
        str(BINARIES[0]),
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]

    def is_ready() -> bool:
        with contextlib.suppress(httpx.TransportError):
            return plain_http.get(f"{url}/-/ready").is_success
        return False

    daemon = Daemon(command, folder, is_ready=is_ready)
    try:
        daemon.start()
        prometheus = Prometheus(url)
        with prometheus.client:
            yield prometheus
    finally:
        daemon.close()


def _damage_something(service: Service, data: Path) -> None:
    """Lose an object's bytes, and ask for it."""
    service.client.put("/v1/blobs/lost/content", content=bytes(300_000)).raise_for_status()
    (file,) = [path for path in (data / "objects" / "blobs").rglob("*") if path.is_file()]
    file.unlink()
    assert service.client.get("/v1/blobs/lost/content").status_code == 500


def _use(service: Service) -> None:
    """Let every metric have something to tell."""
    client = service.client
    client.put("/v1/blobs/large/content", content=bytes(300_000)).raise_for_status()
    assert client.get("/v1/blobs/large/content").content == bytes(300_000)
    files = {"img": ("red.png", plain())}
    client.post("/v1/pictures", data={"name": "red"}, files=files).raise_for_status()
    assert client.get("/v1/blobs/lost/content").status_code == 500
    with contextlib.suppress(httpx.TransportError), client.stream("GET", "/v1/buffer/events"):
        pass  # and leave
    with socket.create_connection(service.address, DEADLINE) as upload:
        head = (
            f"PUT /v1/blobs/a/content HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SERVICE_TOKEN}"
        )
        upload.sendall(f"{head}\r\nContent-Length: 300000\r\n\r\n".encode() + bytes(100))
    for _ in range(3):
        form = {"username": "nobody", "password": "not the right one"}
        plain_http.post(f"{service.url}/v1/auth/token", data=form)


def _check(prometheus: Prometheus, service: Service, queries: dict[str, str]) -> None:
    """Return when each query has found something while the service is used."""
    waiting, until = dict(queries), time.monotonic() + DEADLINE
    while waiting:
        assert time.monotonic() < until, f"they find nothing: {waiting}"
        _use(service)
        for name, query in list(waiting.items()):
            if any(map(math.isfinite, prometheus.ask(query))):
                del waiting[name]


def test_promtool_finds_nothing_wrong_with_the_metrics(service: Service) -> None:
    _use(service)
    scraped = service.client.get("/metrics").content
    done = subprocess.run(
        [str(BINARIES[1]), "check", "metrics"],
        input=scraped,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert (done.returncode, done.stdout.decode()) == (0, "")


def test_promtool_finds_nothing_wrong_with_the_alerts() -> None:
    done = subprocess.run(
        [str(BINARIES[1]), "check", "rules", str(ALERTS)],
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout


def test_every_query_of_the_dashboard_finds_something(
    prometheus: Prometheus, service: Service
) -> None:
    queries = {}
    for panel in PANELS:
        for target in panel["targets"]:
            query = target["expr"]
            for variable, value in VALUES.items():
                query = query.replace(variable, value)
            assert "$" not in query
            queries[f"{panel['title']}, {target['legendFormat']}"] = query
    assert len(queries) > 30
    _check(prometheus, service, queries)


def test_every_alert_compares_what_there_is(prometheus: Prometheus, service: Service) -> None:
    alerts = prometheus.alerts()
    assert len(alerts) > 9
    # every comparison answers whether it holds, instead of leaving out what it doesn't hold for
    queries = {
        name: re.sub(r"\s(==|>|<)\s", r" \1 bool ", rule["query"]) for name, rule in alerts.items()
    }
    assert all(" bool " in query for query in queries.values())
    _check(prometheus, service, queries)


def test_a_damaged_object_raises_an_alarm_and_health_none(
    prometheus: Prometheus, service: Service
) -> None:
    def fires() -> bool:
        _use(service)
        state: str = prometheus.alerts()["HoldallDamagedObjects"]["state"]
        return state == "firing"

    processes.wait_for(fires)
    alerts = prometheus.alerts()
    assert {rule["health"] for rule in alerts.values()} == {"ok"}
    quiet = {"HoldallDown", "HoldallStoreDiffers", "HoldallTaskLate", "HoldallTaskFails"}
    assert {alerts[name]["state"] for name in quiet} == {"inactive"}


def test_the_dashboard_can_be_imported() -> None:
    """Grafana is not run here: its file has ids that are all different, and places that fit."""
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    taken = [
        (place["x"] + dx, place["y"] + dy)
        for place in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for dx in range(place["w"])
        for dy in range(place["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) == 23
