"""Packages that the lock holds only for others are not part of the running program."""

import importlib.util
import subprocess
import sys

import pytest

from tests.deploy import ROOT

MAKE_AND_VERIFY_A_TOKEN = """
import sys
import main
from app import clock
from app.config import load_settings
from app.security.keyring import Keyring

settings = load_settings()
main.create_app(settings)
keyring = Keyring(settings)
token = keyring.issue_access_token("a session", "an account", clock.now())
assert keyring.parse(token).session == "a session"
print(*sys.modules)
"""


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The packages of a process that has the whole program, and has made and verified a token."""
    environment = {"DATA_DIR": str(tmp_path_factory.mktemp("data")), "SIGNING_KEY": "k" * 32}
    done = subprocess.run(
        [sys.executable, "-c", MAKE_AND_VERIFY_A_TOKEN],
        cwd=ROOT,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


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
