"""Clients that generators make of the served document do what they should.

Their commands, and the first lines that a user would write, are those of docs/clients.md; the
programs in `round_trips` go on from there.
"""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests import pictures
from tests.clients.conftest import ADA, HERE, Require
from tests.system import processes
from tests.system.processes import Service

DOCUMENT = (HERE.parents[1] / "docs" / "clients.md").read_text()
SECTIONS = dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n)*)", DOCUMENT, re.MULTILINE))

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Generator:
    section: str
    needs: tuple[str, ...] = ()
    round_trip: str | None = None

    @property
    def commands(self) -> str:
        """What a user types to make the client."""
        return "\n".join(re.findall(r"^    (\S.*|\s+\S.*)$", SECTIONS[self.section], re.MULTILINE))

    @property
    def lines(self) -> str:
        """What a user writes then."""
        (lines,) = re.findall(r"^```\w+\n(.*?)^```", SECTIONS[self.section], re.DOTALL | re.M)
        return str(lines)


GENERATORS = [
    Generator("Python: openapi-python-client 0.29"),  # round trips are in tests/system
    Generator("Python: openapi-generator 7", ("java",), "openapi_generator.py"),
    Generator(
        "TypeScript: openapi-generator 7 with axios",
        ("java", "node", "tsc"),
        "typescript_axios.ts",
    ),
    Generator("TypeScript: @hey-api/openapi-ts 0.95", ("node", "tsc"), "hey_api.ts"),
    Generator(
        "TypeScript: openapi-typescript 7 and openapi-fetch", ("node", "tsc"), "openapi_fetch.ts"
    ),
]


def test_every_documented_generator_is_tried() -> None:
    assert [generator.section for generator in GENERATORS] == list(SECTIONS)


@pytest.mark.parametrize("generator", GENERATORS, ids=lambda generator: generator.section)
def test_a_client_works(
    generator: Generator, service: Service, require: Require, tmp_path: Path
) -> None:
    require(*generator.needs)
    (tmp_path / "red.png").write_bytes(pictures.plain())
    is_typescript = "tsc" in generator.needs
    if is_typescript:
        (tmp_path / "node_modules").symlink_to(HERE / "node_modules")
        (tmp_path / "package.json").write_text("{}")
    _run(tmp_path, "sh", "-euc", generator.commands, URL=service.url)
    if is_typescript:
        _try_typescript(generator, service, tmp_path)
    else:
        _try_python(generator, service, tmp_path)


def _try_python(generator: Generator, service: Service, folder: Path) -> None:
    (package,) = (path.parent for path in folder.glob("*/holdall_client"))
    documented = folder / "documented.py"
    documented.write_text(
        f"URL = {service.url!r}\n{generator.lines}\nassert data == b'hello', data\n"
    )
    programs = [documented]
    if generator.round_trip:
        programs.append(HERE / "round_trips" / generator.round_trip)
    for program in programs:
        command = (sys.executable, str(program), service.url, "red.png")
        _run(folder, *command, PYTHONPATH=str(package))


def _try_typescript(generator: Generator, service: Service, folder: Path) -> None:
    assert generator.round_trip is not None
    shutil.copy(HERE / "tsconfig.json", folder)
    shutil.copy(HERE / "round_trips" / generator.round_trip, folder / "round_trip.ts")
    (folder / "documented.ts").write_text(_as_program(generator.lines))
    _run(folder, "npx", "tsc")
    key = httpx.post(f"{service.url}/v1/auth/token", data=ADA).json()["access_token"]
    printed = _run(folder, "node", "documented.js", service.url, key)
    assert printed.startswith(f"{service.url}/t/"), printed
    _run(folder, "node", "round_trip.js", service.url, "red.png")


def _as_program(lines: str) -> str:
    """Make a program of documented lines, which know URL and KEY, and wait at the top level."""
    imports, _, rest = lines.partition("\n\n")
    arguments = "const [URL, KEY] = process.argv.slice(2) as [string, string];"
    return f"{imports}\n{arguments}\nasync function main() {{\n{rest}}}\nmain();\n"


def _run(folder: Path, *command: str, **variables: str) -> str:
    """Run a command with the tools of tests in its path; returns what it printed."""
    environment = processes.environment(variables)
    binaries = f"{Path(sys.executable).parent}:{environment['PATH']}"
    quiet = {"npm_config_offline": "true", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment | quiet | {"PATH": binaries},
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}"
    return done.stdout
