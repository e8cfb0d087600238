"""No file of the repository names a package registry or a place on somebody's machine."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.deploy import ROOT

# Taken apart, so that this file does not find itself.
REGISTRIES = re.compile(
    r"\b(?:pypi|pythonhosted|npmjs|yarnpkg|proxy\.golang|crates|(?:deb|security)\.debian|archive\.ubuntu)"
    r"\.(?:org|com|io)\b"
)
MACHINE_PATHS = re.compile(r"(?<![\w.}])/(?:root|work|home/\w+|Users/\w+)/\w")


def _files() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout, so nothing tells our files from others")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("pattern", [REGISTRIES, MACHINE_PATHS], ids=["registries", "paths"])
def test_no_file_names(pattern: re.Pattern[str]) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in _files()
        for match in pattern.finditer(path.read_bytes().decode("utf-8", "replace"))
    ]
    assert found == []
