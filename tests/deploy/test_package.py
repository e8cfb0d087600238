"""The package holds the whole program and nothing else, in one place, under one version."""

import re
import subprocess
import sys
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

from app import VERSION
from tests.deploy import ROOT

PROGRAM = ("app", "migrations", "routers", "storage")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel that `pip install .` installs."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    subprocess.run(
        [*command, "--directory", folder], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
    )
    (built,) = folder.iterdir()
    return built


def _names(wheel: Path) -> set[str]:
    return {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}


def _metadata(wheel: Path, name: str) -> bytes:
    return zipfile.ZipFile(wheel).read(f"holdall-{VERSION}.dist-info/{name}")


def _facts(wheel: Path) -> Message:
    return message_from_bytes(_metadata(wheel, "METADATA"))


def test_it_holds_every_file_of_the_program_and_no_other(wheel: Path) -> None:
    files = {
        f"holdall/{path.relative_to(ROOT)}"
        for folder in PROGRAM
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert _names(wheel) == files | {"holdall/__init__.py", "holdall/main.py"}
    assert zipfile.ZipFile(wheel).read("holdall/__init__.py") == (ROOT / "holdall.py").read_bytes()


def test_it_gives_the_command(wheel: Path) -> None:
    assert _metadata(wheel, "entry_points.txt").split() == (
        b"[console_scripts] holdall = holdall:main".split()
    )


def test_it_tells_version_and_licence(wheel: Path) -> None:
    facts = _facts(wheel)
    assert (facts["Name"], facts["Version"]) == ("holdall", VERSION)
    assert facts["License-Expression"] == "MIT"
    assert _metadata(wheel, "licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()


def test_the_version_is_the_newest_release_of_the_changelog() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    releases = re.findall(r"^## (\S+) - \d{4}-\d{2}-\d{2}$", changelog, re.MULTILINE)
    assert releases[0] == VERSION


def test_the_image_is_labelled_with_the_version() -> None:
    label = r'^(?:LABEL|     ) org\.opencontainers\.image\.version="(.*)"'
    assert re.findall(label, (ROOT / "Dockerfile").read_text(), re.MULTILINE) == [VERSION]
