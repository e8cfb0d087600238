"""The Dockerfile is free of lint and takes the whole program, and nothing else, into the image."""

import subprocess
import sys
import tomllib
from pathlib import Path

from tests.deploy import ROOT

BIN = Path(sys.executable).parent


def test_the_dockerfile_is_free_of_lint() -> None:
    done = subprocess.run(
        [BIN / "hadolint", "--no-color", "Dockerfile"],
        cwd=ROOT,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout == ""


def test_the_image_takes_in_the_program_and_nothing_else() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["importlinter"]["root_packages"]
    assert rules[0] == "*"
    assert {rule.removeprefix("!") for rule in rules if rule.startswith("!")} == {
        "requirements.txt",
        "requirements-build.txt",
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "holdall.py",
        "main.py",
        "migrations",
        *packages,
    }


def test_the_image_is_tuned_as_make_run_is() -> None:
    tuned = "MALLOC_MMAP_THRESHOLD_=4194304", "MALLOC_TRIM_THRESHOLD_=536870912"
    for name in ("Dockerfile", "Makefile", "deploy/holdall.service"):
        text = (ROOT / name).read_text()
        assert all(setting in text for setting in tuned), name
