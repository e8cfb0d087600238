"""Scratch space: copies for a moment, and nothing that stays."""

import asyncio
import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aiofiles
import pytest

from app.objects.scratch import Scratch, opened
from storage.errors import StoreFull
from tests.deadline import DEADLINE

pytestmark = pytest.mark.anyio

HOLDER = """
import sys
from pathlib import Path
from app.objects.scratch import Scratch
scratch = Scratch(Path(sys.argv[1]))
(scratch._folder / "copy").write_bytes(b"left")
print(scratch._folder, flush=True)
sys.stdin.read()
"""


async def chunks(*data: bytes) -> AsyncIterator[bytes]:
    for chunk in data:
        yield chunk


async def test_a_file_lives_as_long_as_its_context(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path / "tmp")
    async with scratch.file(chunks(b"one", b"", b"two")) as path:
        assert path.is_absolute()
        assert path.read_bytes() == b"onetwo"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert not path.exists()
    scratch.close()
    assert not path.parent.exists()


async def test_a_file_goes_with_whatever_ends_its_context(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path / "tmp")

    async def broken() -> AsyncIterator[bytes]:
        yield b"one"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        async with scratch.file(broken()):
            pytest.fail("it is not whole")
    never = asyncio.Event()

    async def hold() -> None:
        async with scratch.file(chunks(b"one")):
            await never.wait()

    holding = asyncio.create_task(hold())
    async with asyncio.timeout(DEADLINE):
        while not files(scratch):  # noqa: ASYNC110 - of a thread
            await asyncio.sleep(0)
    holding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holding
    assert files(scratch) == []
    scratch.close()


def files(scratch: Scratch) -> list[str]:
    return [path.name for path in scratch._folder.iterdir() if path.name != "lock"]


def test_what_a_killed_process_left_goes_at_the_next_start(tmp_path: Path) -> None:
    home = tmp_path / "tmp"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, home], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        folder = Path(process.stdout.readline().decode().strip())
        Scratch(home).close()
        assert (folder / "copy").exists()  # its owner lives
        process.kill()
        process.wait()
        Scratch(home).close()
        assert not folder.exists()


async def test_a_disk_without_room_is_told_of(tmp_path: Path) -> None:
    scratch = Scratch(tmp_path / "tmp", reserve=2**62)

    async def body() -> AsyncIterator[bytes]:
        yield b"one"

    with pytest.raises(StoreFull):
        async with scratch.file(body()):
            pytest.fail("it is not whole")
    assert files(scratch) == []
    scratch.close()


@pytest.mark.parametrize("step", [100, pytest.param(20, marks=pytest.mark.slow)])
async def test_cancelled_at_any_moment_it_leaves_nothing(tmp_path: Path, step: int) -> None:
    scratch = Scratch(tmp_path / "tmp")

    async def hold() -> None:
        async with (
            scratch.file(chunks(bytes(100), bytes(100_000))) as path,
            opened(aiofiles.open(path, "rb")) as file,
        ):
            while await file.read(10_000):
                pass

    await hold()
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208 - the folder is /proc's own
    ended = set()
    for turns in range(0, 4000, step):
        holding = asyncio.create_task(hold())
        for _ in range(turns):
            await asyncio.sleep(0)
        for _ in range(2):
            holding.cancel()
            await asyncio.sleep(0)
        await asyncio.wait([holding])
        ended.add("cancelled" if holding.cancelled() else holding.exception())
        assert files(scratch) == []
        assert set(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    assert "cancelled" in ended
    assert ended <= {"cancelled", None}
    scratch.close()
