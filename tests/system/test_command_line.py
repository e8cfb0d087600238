"""The command line: what each command does, prints and returns."""

import json
import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from app.database.migrate import newest_revision
from tests import plain_http
from tests.system.conftest import Inspect, MakeSettings, Run, Settings, Start, StartFork
from tests.system.processes import DEADLINE, PROJECT, Fork, Service, furnish, main_py

PASSWORD = "correct horse battery"
LARGE = bytes(range(256)) * 400  # 100 KiB, and so in the store
DAY = 24 * 3600
KEY = re.compile(r"blobs/(.)/(.)/\1\2[0-9a-f]{30}")


def log_in(service: Service, username: str) -> dict[str, str]:
    """Log in; returns the header that a request wants."""
    form = {"username": username, "password": PASSWORD}
    answer = plain_http.post(f"{service.url}/v1/auth/token", data=form)
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


@pytest.mark.slow("database")
@pytest.mark.parametrize("storage", ["local", "database"])
def test_migrate_prepares_the_database_and_may_be_repeated(
    make_settings: MakeSettings,
    run: Run,
    inspect: Inspect,
    request: pytest.FixtureRequest,
    storage: str,
) -> None:
    settings = make_settings(storage)
    if storage == "database":
        settings["DATABASE_URL"] = request.getfixturevalue("postgres_server").create_database()
    for _ in range(2):
        done = run(settings, "migrate")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert inspect(settings).rows() == [0, 0, 0]
    if storage == "local":
        assert (Path(settings["DATA_DIR"]) / "holdall.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.slow("database")
@pytest.mark.parametrize("storage", ["local", "database"])
def test_a_database_of_a_newer_version_is_refused_in_a_line(
    make_settings: MakeSettings,
    start_fork: StartFork,
    request: pytest.FixtureRequest,
    storage: str,
) -> None:
    settings = make_settings(storage)
    furnish(settings)
    newer = (
        "UPDATE alembic_version SET version_num = '9999';"
        "UPDATE schema_compatibility SET usable_from = '9998'"
    )
    if storage == "local":
        with closing(sqlite3.connect(Path(settings["DATA_DIR"]) / "holdall.db")) as database:
            database.executescript(newer)
    else:
        request.getfixturevalue("postgres_server").execute(newer, settings["DATABASE_URL"])
    for command in ("serve", "migrate", "fsck"):
        service, process = start_fork(settings, command, ready=False)
        assert process.wait(DEADLINE) != 0
        (line,) = [line for line in service.log.splitlines() if "Holdall" in line]
        assert "newer version of Holdall (at revision 9999; " in line
        assert "Traceback" not in service.log


def test_a_database_of_the_next_version_is_served(
    make_settings: MakeSettings, start_fork: StartFork
) -> None:
    settings = make_settings("local")
    furnish(settings)
    with closing(sqlite3.connect(Path(settings["DATA_DIR"]) / "holdall.db")) as database:
        database.executescript(
            "UPDATE alembic_version SET version_num = '9999';"
            f"UPDATE schema_compatibility SET usable_from = '{newest_revision()}'"
        )
    service, _ = start_fork(settings)
    assert service.client.get("/readyz").status_code == 200
    assert "a newer version has migrated the database" in service.log


@pytest.mark.slow("database")
@pytest.mark.parametrize("storage", ["local", "database"])
def test_create_admin_makes_one_who_can_log_in(
    make_settings: MakeSettings, run: Run, start_fork: StartFork, storage: str
) -> None:
    settings = make_settings(storage)
    furnish(settings)
    done = run(settings, "create-admin", "boss", given=f"{PASSWORD}\n")
    assert done.returncode == 0, done.stderr
    (line,) = done.stderr.splitlines()  # what a log of security tells
    assert json.loads(line)["action"] == "account.created"
    assert "boss" in done.stdout
    assert PASSWORD not in done.stdout + done.stderr
    service, _ = start_fork(settings)
    headers = log_in(service, "boss")
    assert service.client.get("/v1/accounts/me", headers=headers).json()["is_admin"] is True
    assert service.client.get("/v1/accounts", headers=headers).status_code == 200
    again = run(settings, "create-admin", "Boss", given=f"{PASSWORD}\n")  # beside the service
    assert again.returncode == 1
    assert "taken" in again.stderr or "in use" in again.stderr
    assert "Traceback" not in again.stderr


def test_create_admin_refuses_what_signing_up_refuses(
    make_settings: MakeSettings, run: Run
) -> None:
    settings = make_settings("local")
    furnish(settings)
    for name, password, said in (
        ("boss", "short", "password"),
        ("boss", "", "password"),
        ("a b", PASSWORD, "user name"),
        ("", PASSWORD, "user name"),
    ):
        refused = run(settings, "create-admin", name, given=f"{password}\n")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.startswith("Holdall can't do this: ")
        assert said in refused.stderr
        assert "Traceback" not in refused.stderr


@pytest.mark.slow("database")
@pytest.mark.parametrize("storage", ["local", "database"])
def test_reset_password_lets_in_who_has_forgotten_it(
    make_settings: MakeSettings, run: Run, start_fork: StartFork, storage: str
) -> None:
    settings = make_settings(storage)
    furnish(settings)
    run(settings, "create-admin", "boss", given=f"{PASSWORD}\n")
    service, _ = start_fork(settings)
    before = log_in(service, "boss")
    done = run(settings, "reset-password", "Boss", given="another horse battery\n")
    assert (done.returncode, done.stdout) == (
        0, "boss has the new password; sessions and API keys have ended\n"
    )  # fmt: skip
    (line,) = done.stderr.splitlines()
    assert json.loads(line)["action"] == "password.changed"
    assert "another horse" not in done.stderr
    assert service.client.get("/v1/accounts/me", headers=before).status_code == 401
    form = {"username": "boss", "password": PASSWORD}
    assert service.client.post("/v1/auth/token", data=form).status_code == 401
    form["password"] = "another horse battery"
    assert service.client.post("/v1/auth/token", data=form).status_code == 200

    for command, body in (
        (["reset-password", "boss", "--link"], {"password": PASSWORD}),
        (["invite", "--admin", "--tier", "Premium"], {"username": "second", "password": PASSWORD}),
    ):
        done = run(settings, *command)
        (link,) = done.stdout.splitlines()
        path = f"/v1{link[link.index('/welcome/') :]}"
        used = service.client.post(path, json=body)
        assert used.json()["is_admin"] is True, used.text
    assert used.json()["tier"] == "Premium"
    log_in(service, "boss")


def test_reset_password_says_why_it_cannot(make_settings: MakeSettings, run: Run) -> None:
    settings = make_settings("local")
    furnish(settings)
    run(settings, "create-admin", "boss", given=f"{PASSWORD}\n")
    for name, password, said in (
        ("nobody", PASSWORD, "No account has the name nobody"),
        ("boss", "short", "password"),
        ("service", PASSWORD, "built-in service account"),
    ):
        refused = run(settings, "reset-password", name, given=f"{password}\n")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert refused.stderr.startswith("Holdall can't do this: ")
        assert said in refused.stderr


def test_openapi_prints_the_document_that_is_served(
    make_settings: MakeSettings, run: Run, start_fork: StartFork
) -> None:
    settings = make_settings("local")
    done = run(settings, "openapi")
    assert (done.returncode, done.stderr) == (0, "")
    printed = json.loads(done.stdout)
    assert printed["openapi"].startswith("3.")
    assert "/v1/blobs" in printed["paths"]
    assert not Path(settings["DATA_DIR"]).exists()
    assert printed == start_fork(settings)[0].client.get("/openapi.json").json()


def test_it_says_its_version(make_settings: MakeSettings, run: Run) -> None:
    changelog = (PROJECT / "CHANGELOG.md").read_text()
    newest = re.findall(r"^## ([0-9.]+) - ", changelog, re.MULTILINE)[0]
    done = run(make_settings("local"), "--version")
    assert (done.returncode, done.stdout) == (0, f"Holdall {newest}\n")


def test_an_unknown_command_is_refused_with_those_there_are(
    make_settings: MakeSettings, run: Run
) -> None:
    refused = run(make_settings("local"), "serf")
    assert refused.returncode == 2
    assert "create-admin" in refused.stderr


def test_a_start_says_where_it_serves_and_how_to_make_an_account(
    make_settings: MakeSettings, start: Start, run: Run
) -> None:
    settings = make_settings("local")
    for registration in ("", "open", "closed"):
        # what it names is how it was started
        command = main_py() if registration == "closed" else []
        service = start(settings, command=command, REGISTRATION=registration)
        first, *hints = service.printed.splitlines()
        assert first == f"Holdall serves http://127.0.0.1:{service.address[1]}"
        version = service.client.get("/healthz").json()["version"]
        starts = [event for event in service.events if event["event"] == "starting"]
        assert [event["version"] for event in starts] == [version]
        makes_an_account = f"{service.url}/v1/accounts" in " ".join(hints)
        assert makes_an_account == (registration != "closed")
        administrates = "The first one administrates" in " ".join(hints)
        assert administrates == (registration == "")
        assert ("create-admin" in " ".join(hints)) != administrates
        if command:
            assert shlex.split(hints[0].rpartition(": ")[2]) == main_py("create-admin", "NAME")
        assert all(json.loads(line) for line in service.log.splitlines())
        service.stop()
    made = run(settings, "create-admin", "boss", given=f"{PASSWORD}\n")
    assert made.stdout == "boss is an administrator now\n", made.stderr
    again = start(settings, HOST="0.0.0.0", REGISTRATION="closed")  # noqa: S104 - for a moment
    assert again.printed == f"Holdall serves http://127.0.0.1:{again.address[1]}\n"


def test_the_account_that_a_start_tells_how_to_make_can_be_made(
    make_settings: MakeSettings, start_fork: StartFork
) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl is installed")
    service, _ = start_fork(make_settings("local"))
    hint = service.printed.splitlines()[2]
    typed = hint[hint.index("curl ") :].replace("PASSWORD", PASSWORD)  # the word is a common one
    made = subprocess.run(["sh", "-c", typed], capture_output=True, check=True, text=True)
    assert json.loads(made.stdout)["is_admin"] is True, made.stdout


class Fsck:
    """Runs ``fsck`` beside a service, with a clock of its own."""

    def __init__(self, start_fork: StartFork, settings: Settings) -> None:
        self._start_fork = start_fork
        self._settings = settings

    def __call__(self, *options: str, ahead: int = 0) -> tuple[int, list[str]]:
        """Return the exit status and the lines that it printed."""
        process: Fork
        service, process = self._start_fork(
            self._settings, "fsck", *options, ahead=ahead, ready=False
        )
        status = process.wait(DEADLINE)
        assert service.log == ""
        return status, service.printed.splitlines()


@pytest.fixture
def kept(make_settings: MakeSettings, start_fork: StartFork) -> tuple[Fsck, Path]:
    """A service on local disk that keeps a large blob and a small one; returns its folder."""
    settings = make_settings("local")
    service, _ = start_fork(settings)
    for name, data in (("large", LARGE), ("small", b"small")):
        assert service.client.put(f"/v1/blobs/{name}/content", content=data).status_code == 201
    return Fsck(start_fork, settings), Path(settings["DATA_DIR"]) / "objects"


def only_object(folder: Path) -> tuple[str, Path]:
    """Return key and file of the one blob that is in the store."""
    (path,) = folder.glob("blobs/?/?/*")
    return path.relative_to(folder).as_posix(), path


def test_fsck_finds_nothing_where_all_is_well(kept: tuple[Fsck, Path]) -> None:
    fsck, _ = kept
    for options in ((), ("--checksums", "--repair")):
        assert fsck(*options, ahead=2 * DAY) == (0, ["1 objects; 0 orphans deleted"])


def test_fsck_takes_a_stray_object_for_an_orphan_after_a_day(kept: tuple[Fsck, Path]) -> None:
    fsck, folder = kept
    key, path = only_object(folder)
    stray = path.with_name(path.name[:-1] + ("0" if path.name[-1] != "0" else "1"))
    stray.write_bytes(b"nobody's")
    orphan = f"orphans: {key[:-1]}{stray.name[-1]}"
    assert fsck("--repair") == (0, ["1 objects; 0 orphans deleted"])
    old = time.time() - DAY - 60
    os.utime(stray, (old, old))
    assert fsck() == (1, [orphan, "1 objects; 0 orphans deleted"])
    assert stray.exists()
    assert fsck("--repair") == (0, [orphan, "1 objects; 1 orphans deleted"])
    assert not stray.exists()
    assert path.read_bytes() == LARGE


@pytest.mark.parametrize("storage", ["local", "s3", "database"])
def test_fsck_finds_what_is_lost_damaged_or_left_over(
    make_settings: MakeSettings, start_fork: StartFork, inspect: Inspect, storage: str
) -> None:
    settings = make_settings(storage)
    inside = inspect(settings)
    service, _ = start_fork(settings)
    bodies = {name: name.encode() + LARGE for name in ("missing", "cut", "changed", "whole")}
    for name, body in bodies.items():
        assert service.client.put(f"/v1/blobs/{name}/content", content=body).is_success
    keys = {name: inside.store.key_of(body) for name, body in bodies.items()}
    inside.store.remove(keys["missing"])
    inside.store.overwrite(keys["cut"], bodies["cut"][:-1])
    inside.store.overwrite(keys["changed"], bodies["changed"][:-1] + b"\0")
    fsck = Fsck(start_fork, settings)
    wrong = [f"missing: {keys['missing']}", f"damaged: {keys['cut']}"]
    status, lines = fsck()
    assert (status, sorted(lines[:-1])) == (1, sorted(wrong))
    wrong.append(f"damaged: {keys['changed']}")
    orphan = keys["missing"][:-4] + "cafe"
    inside.store.overwrite(orphan, b"nobody's")
    begun = keys["missing"][:-4] + "beef"  # as a put leaves that takes effect late
    inside.store.begin(begun)
    left = [f"orphans: {orphan}", f"unfinished: {begun}"]
    for options, deleted in (((), 0), (("--repair",), 2)):
        status, lines = fsck("--checksums", *options, ahead=2 * DAY)
        assert (status, sorted(lines[:-1])) == (1, sorted([*wrong, *left]))
        assert lines[-1] == f"3 objects; {deleted} orphans deleted"
        assert bool(inside.store.unfinished()) == (not options)
    assert inside.store.contents().total() == 3, "the damaged ones and the whole one are left"
