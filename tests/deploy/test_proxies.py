"""The reverse proxies of ``deploy/``, run for real with TLS in front of a real process.

Each is skipped where its program isn't installed: Debian's package is called nginx-light.
"""

import hashlib
import json
import random
import secrets
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
import pytest

from tests.daemon import Daemon
from tests.deploy import proxies
from tests.deploy.proxies import HOST, PREFIX, Place
from tests.servers import free_ports
from tests.system import processes
from tests.system.processes import DEADLINE, SERVICE_TOKEN, Service, wait_for

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
CLIENT = "127.0.0.2"
"""The address that requests come from, so that it isn't the proxy's."""

AUTH = {"Authorization": f"Bearer {SERVICE_TOKEN}"}
IDS = [
    "a%2Fb",
    "a%2F%2Fb%2F",
    "a%20b%3Fc%23d",
    "100%25",
    "a%5Cb%3Bc",
    "a%2F..%2Fb",
    "%2Fa",
    "~+&='",
]
PASSWORD = "correct horse battery"
LIES = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Host": "evil.example",
    "X-Forwarded-Port": "666",
    "Forwarded": "for=203.0.113.9;proto=http;host=evil.example",
}


@dataclass(frozen=True)
class Site:
    """Holdall behind a proxy."""

    place: Place
    service: Service

    @property
    def url(self) -> str:
        return f"https://{HOST}{self.place.prefix}"

    @property
    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.place.certificate))

    def client(self, **headers: str) -> httpx.Client:
        """Make a client that finds the site at the proxy, as if this listened on port 443."""
        transport = httpx.HTTPTransport(verify=self.context, local_address=CLIENT)
        return httpx.Client(
            base_url=f"https://127.0.0.1:{self.place.https}{self.place.prefix}",
            headers={"Host": HOST, **headers},
            timeout=DEADLINE,
            transport=transport,
            event_hooks={"request": [_name_the_host]},
        )

    def curl(self, file: Path, path: str, token: str, *options: str, show: str) -> tuple[str, str]:
        """Upload a file with curl; returns what it shows by a format of its own, and the answer."""
        at = f"{HOST}:{self.place.https}"
        line = ["curl", "-sS", "--resolve", f"{at}:127.0.0.1", "-T", str(file), *options]
        line += ["--cacert", str(self.place.certificate), "-w", f"\n{show}"]
        line += ["-H", f"Host: {HOST}", "-H", f"Authorization: Bearer {token}"]
        done = subprocess.run(
            [*line, f"https://{at}{self.place.prefix}{path}"],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        answer, _, shown = done.stdout.rpartition("\n")
        return shown, answer


def _name_the_host(request: httpx.Request) -> None:
    request.extensions["sni_hostname"] = HOST


def _holdall(tmp_path_factory: pytest.TempPathFactory, **settings: str) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("holdall")
    settings |= {"TRUSTED_PROXIES": "127.0.0.1", "REGISTRATION": "open", "RATE_LIMITS": "off"}
    with processes.running(settings | {"DATA_DIR": str(folder / "data")}, folder) as service:
        yield service


@pytest.fixture(scope="module")
def at_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One that knows its URL from what the proxies say alone."""
    yield from _holdall(tmp_path_factory)


@pytest.fixture(scope="module")
def below_a_path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    yield from _holdall(tmp_path_factory, PUBLIC_URL=f"https://{HOST}{PREFIX}")


@pytest.fixture(
    scope="module",
    params=[(name, prefix) for prefix in ("", PREFIX) for name in proxies.PROXIES],
    ids="".join,
)
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """Holdall behind each of the proxies."""
    name, prefix = request.param
    service: Service = request.getfixturevalue("below_a_path" if prefix else "at_root")
    folder = Path(tempfile.mkdtemp(prefix=f"holdall-{name}-"))
    https, http = free_ports(2)
    place = Place(folder, https, http, service.address[1], prefix)
    try:
        command = proxies.PROXIES[name](place)
    except proxies.NotInstalled as error:
        folder.rmdir()
        pytest.skip(str(error))
    proxies.make_certificate(place)
    site = Site(place, service)

    def is_ready() -> bool:
        try:
            with site.client() as client:
                return client.get("/healthz").is_success
        except httpx.TransportError:
            return False

    daemon = Daemon(command, folder, is_ready=is_ready)
    try:
        daemon.start()
        yield site
    finally:
        daemon.close()


@pytest.fixture
def client(site: Site) -> Iterator[httpx.Client]:
    """A client of the built-in account, who says of itself what only proxies may say."""
    with site.client(**AUTH, **LIES) as client:
        yield client


def test_ids_come_through_as_they_are(client: httpx.Client) -> None:
    for number, name in enumerate(IDS):
        assert client.put(f"/v1/blobs/{name}/content", content=b"%d" % number).is_success, name
    for number, name in enumerate(IDS):
        assert client.get(f"/v1/blobs/{name}/content").content == b"%d" % number, name
    found = client.get("/v1/blobs").json()["items"]
    assert {blob["id"] for blob in found} >= {unquote(name) for name in IDS}


def test_a_large_upload_comes_whole_and_in_parts(site: Site, client: httpx.Client) -> None:
    count = 3 if site.place.prefix else 100  # MiB; a prefix doesn't matter to the size
    piece, path = random.randbytes(MIB), "/v1/blobs/large/content"
    whole = hashlib.sha256(piece * count).hexdigest()
    answer = client.put(path, content=iter([piece] * count))  # chunked
    assert answer.is_success
    assert answer.json()["sha256"] == whole
    with client.stream("GET", path) as download:
        assert download.headers["content-length"] == str(count * MIB)
        digest = hashlib.sha256()
        for chunk in download.iter_bytes():
            digest.update(chunk)
    assert digest.hexdigest() == whole
    first, last = (count - 2) * MIB - 2, count * MIB - 1
    part = client.get(path, headers={"Range": f"bytes={first}-"})
    assert part.status_code == 206
    assert part.headers["content-range"] == f"bytes {first}-{last}/{count * MIB}"
    assert part.content == piece[-2:] + piece * 2
    kept = site.place.folder / "temporary"
    assert list(kept.glob("*/*")) == [], "nginx wrote it to its own disk first"


def test_an_upload_over_http_2_has_its_link(site: Site, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_bytes(b"see you at eight")
    version, answer = site.curl(
        tmp_path / "note.txt", "/v1/send/", SERVICE_TOKEN, show="%{http_version}"
    )
    assert version == "2"
    link = answer.strip()
    assert link.startswith(f"{site.url}/t/")
    with site.client() as stranger:
        assert stranger.get(link.removeprefix(site.url)).content == b"see you at eight"


def test_a_refusal_does_not_wait_for_the_body(site: Site, tmp_path: Path) -> None:
    size = 1024 * MIB
    with (tmp_path / "large").open("wb") as file:
        file.truncate(size)
    shown, _ = site.curl(
        *(tmp_path / "large", "/v1/blobs/refused/content", "no", "-H", "Expect:"),
        show="%{http_code} %{size_upload}",
    )
    status, sent = shown.split()
    assert status == "401"
    assert int(sent) < size / 10


def test_who_asks_is_known(site: Site, client: httpx.Client) -> None:
    agent = secrets.token_hex(8)
    client.get("/v1/blobs", headers={"User-Agent": agent})

    def line() -> dict[str, Any] | None:
        return next((e for e in site.service.events if e.get("user_agent") == agent), None)

    assert wait_for(line)["client"] == CLIENT


def test_a_browser_gets_a_cookie_for_https_alone(site: Site, client: httpx.Client) -> None:
    form = {"username": secrets.token_hex(8), "password": PASSWORD}
    assert client.post("/v1/accounts", json=form).status_code == 201
    del client.headers["Authorization"]
    client.headers["Accept"] = "text/html"
    answer = client.post("/account/login", data=form, headers={"Origin": f"https://{HOST}"})
    assert answer.status_code == 303
    (header,) = [h for h in answer.headers.get_list("set-cookie") if "holdall_session" in h]
    ((name, cookie),) = SimpleCookie(header).items()
    assert cookie["secure"]
    assert cookie["path"] == f"{site.place.prefix}/"
    assert name.startswith("__Host-") == (not site.place.prefix)
    assert "max-age" in answer.headers["strict-transport-security"]
    place = answer.headers["location"]
    assert place.startswith(f"{site.place.prefix}/")
    client.cookies.clear()
    page = client.get(
        place.removeprefix(site.place.prefix), headers={"Cookie": f"{name}={cookie.value}"}
    )
    assert page.status_code == 200
    assert form["username"] in page.text


def test_events_come_at_once(site: Site, client: httpx.Client) -> None:
    client.delete("/v1/buffer")
    with client.stream("GET", "/v1/buffer/events") as answer:
        lines = answer.iter_lines()
        before = _next_version(lines)
        for number in range(1, 4):
            put = client.put("/v1/buffer", content=b"x", headers={"X-Data-Type": "text"})
            assert put.is_success
            assert _next_version(lines) == before + number


def _next_version(lines: Iterator[str]) -> int:
    event = next(line for line in lines if line.startswith("data: "))
    return int(json.loads(event.removeprefix("data: "))["version"])


def test_plain_http_leads_to_https(site: Site) -> None:
    answer = httpx.get(
        f"http://127.0.0.1:{site.place.http}/v1/blobs?limit=2",
        headers={"Host": HOST},
        timeout=DEADLINE,
        trust_env=False,
    )
    assert answer.is_redirect
    to = urlsplit(answer.headers["location"])
    assert (to.scheme, to.hostname, to.path, to.query) == ("https", HOST, "/v1/blobs", "limit=2")
