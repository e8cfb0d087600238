"""gdb with debuginfod (Debian's): it fetches the symbols of a stripped program from Holdall."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.system import accounts
from tests.system.conftest import MakeSettings, Start

pytestmark = pytest.mark.slow

PROGRAM = """
int crash_here(int n) { volatile int *nowhere = 0; return *nowhere + n; }
int main(int count, char **arguments) { (void)arguments; return crash_here(count); }
"""
DEADLINE = 120


def run(folder: Path, *command: object, **environment: str) -> str:
    """Run a command in a folder, and return what it printed; gdb fails where it finds nothing."""
    return subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder)} | environment,
        check=command[0] != "gdb",
        timeout=DEADLINE,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ).stdout


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A stripped program, with its symbols in ``program.debug``."""
    for tool in ("gcc", "objcopy", "gdb"):
        if shutil.which(tool) is None:
            pytest.skip(f"no {tool}")
    if "--with-debuginfod" not in run(tmp_path, "gdb", "--configuration").split():
        pytest.skip("gdb knows nothing of debuginfod")
    source = tmp_path / "source"
    source.mkdir()
    (source / "program.c").write_text(PROGRAM)
    run(source, "gcc", "-g", "-O0", "-Wl,--build-id", "-o", "program", "program.c")
    run(source, "objcopy", "--only-keep-debug", "program", "program.debug")
    run(source, "objcopy", "--strip-all", "program", tmp_path / "program")
    return tmp_path / "program"


def test_gdb_fetches_symbols(program: Path, make_settings: MakeSettings, start: Start) -> None:
    service = start(make_settings("local"))
    accounts.sign_up(service.client)
    key = accounts.make_key(service.client, "symbols:read")
    commands = ("-q", "-nx", "-batch", "-iex", "set debuginfod enabled on", "-ex",
                "info line crash_here", program)  # fmt: skip
    server = {
        "DEBUGINFOD_URLS": f"{service.url}/v1/symbols/server/{key}",
        "DEBUGINFOD_CACHE_PATH": str(program.parent / "cache"),
    }

    assert "program.c" not in run(program.parent, "gdb", *commands, **server)
    shutil.rmtree(program.parent / "cache", ignore_errors=True)  # it remembers what it lacks
    debug = (program.parent / "source" / "program.debug").read_bytes()
    uploaded = service.client.put("/v1/symbols/upload/program.debug", content=debug)
    assert uploaded.status_code == 201, uploaded.text

    said = run(program.parent, "gdb", *commands, **server)
    assert 'Line 2 of "program.c"' in said, said
    assert key not in service.log + service.printed
