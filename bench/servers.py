"""Starts what is measured: Holdall as a real process, and the peers, each as its users run it."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.client import Call
from bench.process import Tree
from bench.result import ALONE, EARLIER, HOLDALL, Plan
from tests.daemon import Daemon
from tests.servers import free_ports

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / "bench" / "peers"
PEER_PYTHON = ROOT / "bench" / ".venv" / "bin" / "python"

# What `make run` and the image set too: buffers of an upload stay in the heap.
HEAP = {"MALLOC_MMAP_THRESHOLD_": "4194304", "MALLOC_TRIM_THRESHOLD_": "536870912"}
SERVICE_TOKEN = "bench-service-token"
PASSWORD = "bench-password"
TOKEN_AGE = 300.0
"""Seconds after which the client signs in again; an access token lives 20 minutes."""


@dataclass(frozen=True)
class Api:
    """Where a server keeps a blob: URL patterns with ``{id}``; ``create`` may have none."""

    content: str
    remove: str
    create: str = ""
    create_method: str = "POST"
    is_json: bool = True
    read: str = ""
    health: str = "/healthz"


@dataclass
class Server:
    """A running server under measurement."""

    name: str
    processes: str
    port: int
    api: Api
    tree: Tree
    folder: Path
    log: Callable[[], str]
    sign_in: Callable[[], str] = field(default=lambda: "")
    _token: str = ""
    _token_from: float = float("-inf")

    def headers(self) -> list[str]:
        """Return the header lines that a request needs, with a token that is still good."""
        if time.monotonic() - self._token_from > TOKEN_AGE:
            self._token, self._token_from = self.sign_in(), time.monotonic()
        return [f"Authorization: {self._token}"] if self._token else []

    def typed_headers(self) -> dict[str, str]:
        """Return the headers of a request whose body is a small blob."""
        pairs = (line.partition(": ") for line in self.headers())
        kind = "application/json" if self.api.is_json else "application/octet-stream"
        return {name: value for name, _, value in pairs} | {"Content-Type": kind}

    def call(self, method: str, pattern: str, blob: str = "", *, is_form: bool = False) -> Call:
        """Return a request of one of the API's patterns."""
        return Call(self.port, method, pattern.replace("{id}", blob), self.headers(), is_form)

    def ask(self, method: str, target: str, body: bytes | None = None) -> bytes:
        """Make one request, not a measured one, and return the body; all but 2xx raises OSError."""
        return _request(self.port, method, target, body, self.typed_headers())

    def remove(self, blob: str) -> None:
        """Delete a blob."""
        self.ask("DELETE", self.api.remove.replace("{id}", blob))


Run = Callable[..., AbstractContextManager[Server]]
"""Runs a server for as long as a context lasts."""


def holdall(**settings: str) -> AbstractContextManager[Server]:
    """Run Holdall as its users do, one process; ``settings`` go into its environment."""
    return _holdall(HOLDALL, ROOT, settings)


def holdall_alone(**settings: str) -> AbstractContextManager[Server]:
    """Run Holdall beside one of several workers, itself by one."""
    return _holdall(ALONE, ROOT, settings)


@contextmanager
def _holdall(name: str, root: Path, settings: Mapping[str, str]) -> Iterator[Server]:
    folder = _new_folder("holdall")
    (port,) = free_ports(1)
    environment = {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "DATA_DIR": str(folder / "data"),
        "SECRET_KEY": SERVICE_TOKEN,
        "RATE_LIMITS": "off",
        "WORKERS": "1",
        **HEAP,
        **settings,
    }
    api = Api(
        content="/v1/blobs/{id}/content",
        remove="/v1/blobs/{id}",
        create="/v1/blobs",
        read="/v1/blobs/{id}",
    )
    command = [sys.executable, str(root / "main.py")]
    with _serving(
        name,
        f"WORKERS={environment['WORKERS']}",
        command,
        folder=folder,
        port=port,
        api=api,
        ready="/readyz",
        environment=environment,
    ) as it:
        account = json.dumps({"username": "bench", "password": PASSWORD}).encode()
        json_type = {"Content-Type": "application/json"}
        _request(port, "POST", "/v1/accounts", account, json_type)
        it.sign_in = lambda: _access_token(port)
        yield it


def side_by_side(plan: Plan, *peers: Run) -> Sequence[Run]:
    """Return what runs Holdall, and its peers: those given, or its earlier self."""
    root = plan.against
    if root is None:
        return (holdall, *peers)
    return (holdall, lambda **settings: _holdall(EARLIER, root, settings))


@contextmanager
def checked_out(revision: str) -> Iterator[Path]:
    """Put the files of a commit into a folder, for as long as the context lasts."""
    folder = _new_folder("commit")
    archive = folder / "commit.tar"
    git = ["git", "-C", str(ROOT), "archive", "--output", str(archive), revision]
    subprocess.run(git, check=True)
    root = folder / "files"
    with tarfile.open(archive) as files:
        files.extractall(root, filter="data")
    yield root
    shutil.rmtree(folder)


@contextmanager
def nginx() -> Iterator[Server]:
    """Run nginx with one worker: sendfile for GET, its dav module for PUT."""
    folder = _new_folder("nginx")
    (port,) = free_ports(1)
    (folder / "files").mkdir()
    user = "user root;" if os.geteuid() == 0 else ""
    template = (PEERS / "nginx.conf").read_text()
    configuration = folder / "nginx.conf"
    configuration.write_text(template.format(folder=folder, port=port, user=user))
    command = [find_nginx(), "-p", str(folder), "-c", str(configuration)]
    command += ["-e", str(folder / "error.log")]
    api = Api(content="/{id}", remove="/{id}", is_json=False)
    with _serving(
        "nginx", "1 worker", command, folder=folder, port=port, api=api, ready="/healthz"
    ) as server:
        yield server


@contextmanager
def copyparty() -> Iterator[Server]:
    """Run copyparty with one volume that anyone may read and write, and a quiet log."""
    folder = _new_folder("copyparty")
    (port,) = free_ports(1)
    (folder / "files").mkdir()
    command = [str(PEER_PYTHON), "-m", "copyparty", "-q", "-i", "127.0.0.1", "-p", str(port)]
    command += ["-v", f"{folder / 'files'}::rwd"]
    environment = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config")}
    api = Api(content="/{id}", remove="/{id}", is_json=False)
    with _serving(
        "copyparty",
        "1 process",
        command,
        folder=folder,
        port=port,
        api=api,
        ready="/?ls",
        environment=environment,
    ) as server:
        yield server


@contextmanager
def drf() -> Iterator[Server]:
    """Run the Django REST framework app of ``peers/drf`` under gunicorn with two workers."""
    folder = _new_folder("drf")
    (port,) = free_ports(1)
    environment = {
        "DRF_DATA": str(folder),
        "DRF_SECRET_KEY": "bench-django-key",
        "DJANGO_SETTINGS_MODULE": "drf.settings",
        "PYTHONPATH": str(PEERS),
    }
    prepare = subprocess.run(
        [PEER_PYTHON, "-m", "drf.prepare"],
        env={**os.environ, **environment},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    command = [str(PEER_PYTHON), "-m", "gunicorn", "-w2", "-b", f"127.0.0.1:{port}"]
    command += ["--timeout", "300", "drf.wsgi"]
    api = Api(
        content="/blobs/{id}/content", remove="/blobs/{id}", create="/blobs", read="/blobs/{id}"
    )
    with _serving(
        "Django REST framework",
        "2 workers",
        command,
        folder=folder,
        port=port,
        api=api,
        ready="/healthz",
        environment=environment,
    ) as server:
        server.sign_in = lambda: f"Token {prepare.stdout.strip()}"
        yield server


@contextmanager
def tus_server() -> Iterator[Server]:
    """Run the tus project's own server for Node.js, with its store of plain files."""
    folder = _new_folder("tus")
    (port,) = free_ports(1)
    (folder / "files").mkdir()
    command = ["node", str(PEERS / "tus" / "server.mjs"), str(folder / "files"), str(port)]
    api = Api(content="/files/{id}", remove="/files/{id}", create="/files", is_json=False)
    with _serving(
        "@tus/server", "1 process", command, folder=folder, port=port, api=api, ready="/healthz"
    ) as server:
        yield server


@contextmanager
def seaweed_filer() -> Iterator[Server]:
    """Run SeaweedFS in one process and measure its filer's own HTTP API."""
    folder = _new_folder("filer")
    port, *others = free_ports(11)
    names = "filer.port.grpc master.port master.port.grpc volume.port volume.port.grpc s3.port"
    names += " s3.port.grpc admin.port admin.port.grpc webdav.port"
    options: dict[str, object] = dict(zip(names.split(), others, strict=True))
    options |= {"dir": folder, "ip": "127.0.0.1", "ip.bind": "127.0.0.1", "filer.port": port}
    options |= {"s3.port.iceberg": 0, "s3.port.lance": 0, "filer.localSocket": folder / "f.sock"}
    options |= {"admin.ui": "false", "webdav": "false", "master.telemetry": "false"}
    weed = Path(sys.executable).with_name("weed")
    command = [str(weed), "mini", *(f"-{name}={value}" for name, value in options.items())]
    api = Api(
        content="/bench/{id}",
        remove="/bench/{id}",
        create="/bench/{id}",
        create_method="PUT",
        is_json=False,
        read="/bench/{id}",
    )
    with _serving(
        "SeaweedFS filer", "1 process", command, folder=folder, port=port, api=api, ready=""
    ) as server:
        yield server


@contextmanager
def thumbor(pictures: Path) -> Iterator[Server]:
    """Run thumbor on the pictures of a folder; it keeps no results, so all requests are first."""
    folder = _new_folder("thumbor")
    (port,) = free_ports(1)
    configuration = folder / "thumbor.conf"
    configuration.write_text(
        f"LOADER = 'thumbor.loaders.file_loader'\nFILE_LOADER_ROOT_PATH = {str(pictures)!r}\n"
        "STORAGE = 'thumbor.storages.no_storage'\n"
    )
    command = [str(PEER_PYTHON), "-m", "thumbor.server", "-i", "127.0.0.1", "-p", str(port)]
    command += ["-c", str(configuration)]
    api = Api(content="/unsafe/0x200/{id}", remove="")
    with _serving(
        "thumbor", "1 process", command, folder=folder, port=port, api=api, ready="/healthcheck"
    ) as server:
        yield server


def find_nginx() -> str:
    """Return nginx's path; /usr/sbin is on few users' PATH."""
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        raise FileNotFoundError("nginx is not installed: apt install nginx-light")
    return found


@contextmanager
def _serving(
    name: str,
    processes: str,
    command: list[str],
    *,
    folder: Path,
    port: int,
    api: Api,
    ready: str,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    # The shell becomes the server, after it has said which process that is.
    pid_file = folder / "pid"
    pairs = [f"{key}={value}" for key, value in (environment or {}).items()]
    shell = ["sh", "-c", 'echo $$ > "$0" && exec env "$@"', str(pid_file)]
    daemon = Daemon([*shell, *pairs, *command], folder, is_ready=lambda: _answers(port, ready, api))
    try:
        daemon.start()
        tree = Tree(int(pid_file.read_text()))
        yield Server(name, processes, port, api, tree, folder, lambda: daemon.output)
    finally:
        daemon.close()


def _answers(port: int, ready: str, api: Api) -> bool:
    try:
        if ready:
            _request(port, "GET", ready, None, {})
        else:  # A filer that answers may still have no volume to write to.
            _request(port, api.create_method, api.create.replace("{id}", "ready"), b"?", {})
    except OSError:
        return False
    return True


def _access_token(port: int) -> str:
    form = urllib.parse.urlencode({"username": "bench", "password": PASSWORD}).encode()
    form_type = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = json.loads(_request(port, "POST", "/v1/auth/token", form, form_type))
    return f"Bearer {answer['access_token']}"


def _request(
    port: int, method: str, target: str, body: bytes | None, headers: Mapping[str, str]
) -> bytes:
    url = f"http://127.0.0.1:{port}{target}"
    request = urllib.request.Request(url, body, dict(headers), method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  # http, always
            data: bytes = answer.read()
            return data
    except urllib.error.HTTPError as error:
        with error:
            text = error.read(500)
        raise OSError(f"{method} {target}: {error.code} {text!r}") from error


def _new_folder(name: str) -> Path:
    return Path(tempfile.mkdtemp(prefix=f"{name}-"))
