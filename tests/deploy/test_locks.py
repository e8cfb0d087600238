"""The lock files hold what pyproject.toml asks for, and nothing that ties them to a registry."""

import json
import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.deploy import ROOT

LOCKS = ("requirements.txt", "requirements-dev.txt", "requirements-build.txt")
RUNTIME, DEV, BUILD = LOCKS


def _blocks(name: str) -> list[str]:
    """Read a lock file's entries, each with its hashes and with who asks for it."""
    return re.split(r"\n(?=\S)", (ROOT / name).read_text().strip())


def _locked(name: str) -> dict[str, Requirement]:
    """Read a lock file's requirements by name."""
    lines = [block.splitlines()[0].removesuffix("\\") for block in _blocks(name)]
    requirements = [Requirement(line.strip()) for line in lines]
    return {canonicalize_name(requirement.name): requirement for requirement in requirements}


def _wanted(name: str) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    extras = project["project"]["optional-dependencies"].values()
    shipped = project["project"]["dependencies"] + [line for extra in extras for line in extra]
    build, dev = (
        [line for line in groups[name] if isinstance(line, str)] for name in ("build", "dev")
    )
    lines = {RUNTIME: shipped, DEV: shipped + build + dev, BUILD: build}
    return [Requirement(line) for line in lines[name]]


def _version(requirement: Requirement) -> str:
    (specifier,) = requirement.specifier
    assert specifier.operator == "=="
    return specifier.version


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_an_allowed_version_of_each_dependency(name: str) -> None:
    locked = _locked(name)
    for wanted in _wanted(name):
        found = locked.get(canonicalize_name(wanted.name))
        assert found is not None, f"{name} lacks {wanted}: make lock"
        version = _version(found)
        assert wanted.specifier.contains(version), f"{name} has {found}, not {wanted}: make lock"


def test_the_shipped_lock_holds_nothing_that_the_project_no_longer_asks_for() -> None:
    asked_for = {
        canonicalize_name(re.split(r"[=\[]", block)[0])
        for block in _blocks(RUNTIME)
        if "holdall (pyproject.toml)" in block
    }
    assert asked_for == {canonicalize_name(wanted.name) for wanted in _wanted(RUNTIME)}


@pytest.mark.parametrize("name", [RUNTIME, BUILD])
def test_development_has_the_versions_of_the_other_locks(name: str) -> None:
    locked, dev = _locked(name), _locked(DEV)
    assert {package: str(dev.get(package)) for package in locked} == {
        package: str(requirement) for package, requirement in locked.items()
    }


def test_the_backend_that_is_locked_is_the_one_that_builds() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["build-system"]["requires"] == project["dependency-groups"]["build"]


@pytest.mark.parametrize("name", LOCKS)
def test_each_locked_version_is_pinned_by_a_hash(name: str) -> None:
    for block in _blocks(name):
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), block


def test_packages_of_node_are_named_in_exact_versions() -> None:
    packages = json.loads((ROOT / "tests" / "clients" / "package.json").read_text())
    versions = packages["dependencies"] | packages["devDependencies"]
    assert {name: v for name, v in versions.items() if not re.fullmatch(r"\d+\.\d+\.\d+", v)} == {}
