"""The pool of child processes: what goes wrong in a child stays there, and nothing outlives it."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from app.children import ChildFailed, ChildPool
from app.errors import InvalidRequest, ServiceUnavailable
from tests import children

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024
MEMORY = 128 * MIB
SECONDS = 30.0


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Both loops: sockets are handled by each in a way of its own."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
async def pool() -> AsyncIterator[ChildPool]:
    made = ChildPool(workers=2, memory=MEMORY, seconds=SECONDS, name="test")
    yield made
    await made.aclose()


async def until(condition: Callable[[], bool]) -> None:
    """Return when the condition holds."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - of other processes
            await asyncio.sleep(0.005)


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended; who reaps it is not asked."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("Z")
    except (FileNotFoundError, ProcessLookupError):
        return True


def spinning(marker: Path) -> int:
    """Return the process that has left a marker."""
    return int(str(marker.readlink()))


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_call_returns_what_the_function_returns(pool: ChildPool) -> None:
    data = os.urandom(3 * MIB)  # more than fits into a socket's buffers, there and back
    assert await pool.run(children.double, data) == data * 2


async def test_children_start_when_needed_and_are_used_again(pool: ChildPool) -> None:
    pids = {await pool.run(children.pid) for _ in range(5)}
    assert len(pids) == 1
    assert pids != {os.getpid()}


async def test_no_more_children_than_workers(pool: ChildPool, tmp_path: Path) -> None:
    calls = [
        asyncio.create_task(pool.run(children.hold, str(tmp_path), str(number)))
        for number in range(6)
    ]
    await until(lambda: len(list(tmp_path.iterdir())) == 2)
    (tmp_path / "go").touch()
    assert len(set(await asyncio.gather(*calls))) == 2


async def test_what_the_function_raises_is_raised(pool: ChildPool) -> None:
    before = await pool.run(children.pid)
    with pytest.raises(ValueError, match=r"^the message$"):
        await pool.run(children.fail, "the message")
    with pytest.raises(TimeoutError, match="the function's own"):
        await pool.run(children.fail_with_timeout)
    with pytest.raises(InvalidRequest) as caught:
        await pool.run(children.refuse, "not so")
    assert (caught.value.status, caught.value.detail) == (422, "not so")
    assert await pool.run(children.pid) == before


async def test_an_exception_that_does_not_pickle_is_told(pool: ChildPool) -> None:
    with pytest.raises(ChildFailed, match="Unpicklable: one and two"):
        await pool.run(children.fail_unpicklable)


async def test_an_answer_makes_no_objects_of_other_kinds(pool: ChildPool) -> None:
    """Whoever takes over a child can't run code in the service by what it answers."""
    for answer in (children.answer_sneaky, children.answer_a_call):
        with pytest.raises(ChildFailed, match="can't be read"):
            await pool.run(answer)


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        ((children.leave, 3), "status 3"),
        ((children.crash,), "SIGSEGV"),
        ((children.eat, MEMORY), "too much memory"),
        ((children.eat_in_c, MEMORY), "SIGABRT"),
    ],
    ids=["exit", "crash", "memory", "memory-in-c"],
)
async def test_a_child_that_ends_is_replaced(
    pool: ChildPool, call: tuple[Callable[..., object], int], reason: str
) -> None:
    fn, *arguments = call
    before = await pool.run(children.pid)
    with pytest.raises(ChildFailed, match=reason):
        await pool.run(fn, *arguments)
    assert await pool.run(children.pid) != before
    assert is_gone(before)


async def test_a_child_that_takes_too_long_is_replaced(tmp_path: Path) -> None:
    pool = ChildPool(workers=1, memory=MEMORY, seconds=1.0, name="test")
    marker = tmp_path / "spins"
    with pytest.raises(ChildFailed, match="more than 1 s"):
        await pool.run(children.spin, str(marker))
    assert await pool.run(children.pid) != spinning(marker)
    await until(lambda: is_gone(spinning(marker)))
    await pool.aclose()


async def test_a_child_that_ended_while_idle_harms_no_call(pool: ChildPool) -> None:
    before = await pool.run(children.pid)
    os.kill(before, 9)
    await until(lambda: is_gone(before))
    assert await pool.run(children.pid) != before


async def test_a_cancelled_caller_takes_the_child_with_it(pool: ChildPool, tmp_path: Path) -> None:
    marker = tmp_path / "spins"
    call = asyncio.create_task(pool.run(children.spin, str(marker)))
    await until(marker.is_symlink)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await until(lambda: is_gone(spinning(marker)))
    assert await pool.run(children.double, b"a") == b"aa"


async def test_a_caller_who_is_cancelled_early_leaves_no_child() -> None:
    pool = ChildPool(workers=1, memory=MEMORY, seconds=SECONDS, name="early")
    for _ in range(3):
        call = asyncio.create_task(pool.run(children.pid))
        await asyncio.sleep(0)  # it has begun, and waits for its child to start
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    await pool.aclose()
    assert not _children_named("early")


async def test_closing_ends_the_children_and_the_calls(tmp_path: Path) -> None:
    pool = ChildPool(workers=2, memory=MEMORY, seconds=SECONDS, name="closing")
    markers = [tmp_path / "one", tmp_path / "two"]
    calls = [asyncio.create_task(pool.run(children.spin, str(marker))) for marker in markers]
    waiting = asyncio.create_task(pool.run(children.pid))
    await until(lambda: all(marker.is_symlink() for marker in markers))
    await pool.aclose()
    for call in (*calls, waiting, pool.run(children.pid)):
        with pytest.raises(ServiceUnavailable):
            await call
    assert not _children_named("closing")


async def test_what_a_child_finds_around_it(
    pool: ChildPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "not for children")
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.set_inheritable(True)
        found = await pool.run(children.surroundings)
    assert "not for children" not in str(found)
    assert [name.partition(":")[0] for name in found["files"]] == ["/dev/null"] * 3 + ["socket"]
    assert found["core"] == found["written"] == found["processes"] == (0, 0)
    assert found["data"] == (MEMORY, MEMORY)
    assert found["interrupt"]
    assert found["session"] != os.getsid(0)
    assert {name.partition(".")[0] for name in found["modules"]}.isdisjoint(
        {"asyncio", "sqlalchemy", "pydantic", "structlog"}
    )


SERVICE = """
import asyncio, sys
from app.children import ChildPool
from tests import children

async def main():
    pool = ChildPool(workers=2, memory=2**27, seconds=60, name="killed")
    await asyncio.gather(*(pool.run(children.spin, marker) for marker in sys.argv[1:]))

asyncio.run(main())
"""


async def test_children_end_when_the_service_is_killed(tmp_path: Path) -> None:
    markers = [tmp_path / "one", tmp_path / "two"]
    service = await asyncio.create_subprocess_exec(sys.executable, "-c", SERVICE, *markers)
    await until(lambda: all(marker.is_symlink() for marker in markers))
    service.kill()
    await service.wait()
    await until(lambda: all(is_gone(spinning(marker)) for marker in markers))


async def test_nothing_is_left_open() -> None:
    pool = ChildPool(workers=1, memory=MEMORY, seconds=SECONDS, name="test")
    await pool.run(children.pid)
    before = open_files()
    for _ in range(3):
        with pytest.raises(ChildFailed):
            await pool.run(children.leave, 1)
        await pool.run(children.pid)
    assert open_files() == before
    await pool.aclose()


def _children_named(name: str) -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().split(b"\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if b"app.child" in command and name.encode() in command and not is_gone(int(process.name)):
            found.append(process.name)
    return found
