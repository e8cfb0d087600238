"""Packages that the lock holds only for others are not part of the running program."""

import importlib.util

import pytest

from tests import plain_http, sharing
from tests.deploy import ROOT
from tests.system import processes

ADMIN = {"username": "boss", "password": "correct horse battery"}


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The packages of a service that has made and verified a token."""
    folder = tmp_path_factory.mktemp("service")
    settings = {f"ADMIN_{name.upper()}": value for name, value in ADMIN.items()}
    settings["DATA_DIR"] = str(folder / "data")
    processes.furnish(settings)
    fork = sharing.nursery().fork(settings, folder / "service")
    service = processes.Service(fork, folder / "service")
    try:
        made = plain_http.post(f"{service.url}/v1/auth/token", data=ADMIN).json()
        token = {"Authorization": f"Bearer {made['access_token']}"}
        me = plain_http.get(f"{service.url}/v1/accounts/me", headers=token).json()
        assert me["username"] == "boss"
        return set(fork.ask("imported"))
    finally:
        service.kill()


def test_tokens_are_signed_by_cryptography(imported: set[str]) -> None:
    assert {"jose", "cryptography", "uvicorn"} <= imported


@pytest.mark.parametrize("package", ["ecdsa", "rsa", "pyasn1"])
def test_what_only_the_lock_holds_is_never_imported(imported: set[str], package: str) -> None:
    assert package not in imported
    assert f"\n{package}==" in (ROOT / "requirements.txt").read_text(), "then SECURITY.md is wrong"
    assert f"`{package}`" in (ROOT / "SECURITY.md").read_text()


@pytest.mark.parametrize("package", ["symbolic", "multi_demangle", "pi_heif"])
def test_what_reads_strangers_files_is_imported_by_child_processes_alone(
    imported: set[str], package: str
) -> None:
    assert package not in imported
    assert importlib.util.find_spec(package) is not None
