"""The pool of child processes: what goes wrong in a child stays there, and nothing outlives it."""

import asyncio
import os
import resource
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from app import metrics
from app.errors import InvalidRequest, ServiceUnavailable
from app.permits import LocalPermits
from app.processes.pool import ChildFailed, ChildPool
from tests import children
from tests.deadline import DEADLINE
from tests.lines import Line

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

MIB = 1024 * 1024
MEMORY = 128 * MIB
SECONDS = 60.0


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Both loops: sockets are handled by each in a way of its own."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
async def pool() -> AsyncIterator[ChildPool]:
    made = make_pool(workers=2)
    yield made
    await made.aclose()


def make_pool(*, workers: int = 1, seconds: float = SECONDS, **options: Any) -> ChildPool:  # noqa: ANN401
    facts = {"name": "test", "modules": ["tests.children"]} | options
    return ChildPool(workers=workers, memory=MEMORY, seconds=seconds, **facts)


@pytest.fixture
def lines() -> Iterator[list[Line]]:
    """Six lines."""
    made = [Line() for _ in range(6)]
    yield made
    for line in made:
        line.close()


async def until(condition: Callable[[], bool]) -> None:
    """Return when the condition holds."""
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110 - of other processes
            await asyncio.sleep(0.005)


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended; who reaps it is not asked."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("Z")
    except (FileNotFoundError, ProcessLookupError):
        return True


def this_file() -> BinaryIO:
    return Path(__file__).open("rb")


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_call_returns_what_the_function_returns(pool: ChildPool) -> None:
    data = os.urandom(3 * MIB)  # more than fits into a socket's buffers, there and back
    assert await pool.run(children.double, data) == data * 2


async def test_children_start_when_needed_and_are_used_again(pool: ChildPool) -> None:
    pids = {await pool.run(children.pid) for _ in range(5)}
    assert len(pids) == 1
    assert pids != {os.getpid()}


async def test_open_files_go_along(pool: ChildPool, tmp_path: Path) -> None:
    path = tmp_path / "file"
    for data in (b"one", b"two, and longer", os.urandom(MIB)):
        path.write_bytes(data)
        with path.open("rb") as first, path.open("rb") as second:
            path.unlink()  # it needs no name any more
            second.seek(2)
            assert await pool.run(children.read, first, second) == [data, data[2:]]


async def test_no_more_children_than_workers(pool: ChildPool, lines: list[Line]) -> None:
    calls = [asyncio.create_task(pool.run(children.hold, line.end)) for line in lines]
    begun = [await line.pid() for line in lines[:2]]
    for line in lines:
        line.let_go()
    assert set(await asyncio.gather(*calls)) == set(begun)
    assert len(set(begun)) == 2


async def test_pools_that_share_permits_are_busy_with_so_many_calls_together(
    lines: list[Line],
) -> None:
    permits = LocalPermits()
    pools = [make_pool(workers=1, permits=permits, at_once=1) for _ in range(2)]
    for pool in pools:
        await pool.run(children.pid)  # so that it has its child
    calls = [
        asyncio.create_task(pool.run(children.hold, line.end))
        for pool, line in zip(pools, lines, strict=False)
    ]
    await lines[0].pid()
    second = asyncio.create_task(lines[1].pid())
    assert not (await asyncio.wait([second], timeout=0.3))[0]
    lines[0].let_go()
    async with asyncio.timeout(DEADLINE):
        await second
    lines[1].let_go()
    await asyncio.gather(*calls)
    for pool in pools:
        await pool.aclose()


async def test_so_many_calls_may_wait(lines: list[Line]) -> None:
    pool = make_pool(queue=2)
    calls = [asyncio.create_task(pool.run(children.hold, line.end)) for line in lines[:3]]
    await lines[0].pid()
    with pytest.raises(ServiceUnavailable, match="waiting") as caught:
        await pool.run(children.hold, lines[3].end)
    assert int(caught.value.headers["Retry-After"]) > 0
    calls[2].cancel()
    with pytest.raises(asyncio.CancelledError):
        await calls[2]
    calls[2] = asyncio.create_task(pool.run(children.hold, lines[4].end))  # into its place
    for line in (*lines[:2], lines[4]):
        line.let_go()
    assert len(set(await asyncio.gather(*calls))) == 1
    assert await pool.run(children.double, b"a") == b"aa"
    await pool.aclose()


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


async def test_calls_and_children_that_die_over_them_are_counted(pool: ChildPool) -> None:
    calls, busy = metrics.child_seconds.labels("test"), metrics.child_calls.labels("test")
    failures = metrics.child_failures.labels("test")
    before, failed, idle = sum(calls.counts), failures.value, busy.value
    await pool.run(children.pid)
    with pytest.raises(ChildFailed):
        await pool.run(children.crash)
    assert (sum(calls.counts) - before, failures.value - failed) == (2, 1)
    assert busy.value == idle


async def test_a_child_that_takes_too_long_is_replaced(lines: list[Line]) -> None:
    pool = make_pool(seconds=1.0)
    with pytest.raises(ChildFailed, match="more than 1 s"):
        await pool.run(children.spin, lines[0].end)
    before = await lines[0].pid()
    assert await pool.run(children.pid) != before
    await until(lambda: is_gone(before))
    await pool.aclose()


async def test_a_child_that_ended_while_idle_harms_no_call(pool: ChildPool) -> None:
    before = await pool.run(children.pid)
    os.kill(before, 9)
    await until(lambda: is_gone(before))
    assert await pool.run(children.pid) != before


async def test_a_cancelled_caller_takes_the_child_with_it(
    pool: ChildPool, lines: list[Line]
) -> None:
    call = asyncio.create_task(pool.run(children.spin, lines[0].end))
    before = await lines[0].pid()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await until(lambda: is_gone(before))
    assert await pool.run(children.double, b"a") == b"aa"


async def test_a_caller_who_is_cancelled_early_leaves_no_child() -> None:
    pool = make_pool(name="early")
    for _ in range(3):
        call = asyncio.create_task(pool.run(children.pid))
        await asyncio.sleep(0)  # it has begun, and waits for its child to start
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
    await pool.aclose()
    assert not _children_named("early")


async def test_closing_ends_the_children_and_the_calls(lines: list[Line]) -> None:
    pool = make_pool(workers=2, name="closing")
    calls = [asyncio.create_task(pool.run(children.spin, line.end)) for line in lines[:2]]
    waiting = asyncio.create_task(pool.run(children.pid))
    for line in lines[:2]:
        await line.pid()
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
        pid = await pool.run(children.pid)
    assert found["environment"].keys() <= {
        "MALLOC_ARENA_MAX", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "LC_CTYPE"
    }  # fmt: skip
    assert list(found["open"].values()) == [*[os.devnull] * 3, "socket"]
    for limit in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC):
        assert resource.prlimit(pid, limit) == (0, 0)
    assert resource.prlimit(pid, resource.RLIMIT_DATA) == (MEMORY, MEMORY)
    assert found["interrupt"]
    assert os.getsid(pid) != os.getsid(0)
    assert {name.partition(".")[0] for name in found["modules"]}.isdisjoint(
        {"asyncio", "sqlalchemy", "pydantic", "structlog"}
    )


async def test_a_child_that_cannot_be_started_is_not_the_calls_fault(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = open_files()
    for bad, pool in (
        ("none", make_pool()),  # it can't be run
        ("false", make_pool()),  # it ends before it is ready
        (None, make_pool(modules=["tests.no_such_module"])),
    ):
        await pool.ping()
        with monkeypatch.context() as patched:
            if bad is not None:
                patched.setattr(sys, "executable", shutil.which(bad) or str(tmp_path / bad))
            for _ in range(2):
                with pytest.raises(ServiceUnavailable):
                    await pool.run(children.pid)
            with pytest.raises(ServiceUnavailable, match="can be started"):
                await pool.ping()
        if bad is not None:
            assert await pool.run(children.double, b"a") == b"aa"
            await pool.ping()
        await pool.aclose()
    assert open_files() == before


SERVICE = """
import asyncio, sys
from app.processes.pool import ChildPool
from tests import children

async def main():
    modules = ["tests.children"]
    pool = ChildPool(workers=2, memory=2**27, seconds=60, name="killed", modules=modules)
    files = [open(int(descriptor), "rb") for descriptor in sys.argv[1:]]
    await asyncio.gather(*(pool.run(children.spin, file) for file in files))

asyncio.run(main())
"""


async def test_children_end_when_the_service_is_killed(lines: list[Line]) -> None:
    ends = [line.end.fileno() for line in lines[:2]]
    service = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVICE, *map(str, ends), pass_fds=ends
    )
    pids = [await line.pid() for line in lines[:2]]
    service.kill()
    await service.wait()
    await until(lambda: all(is_gone(pid) for pid in pids))


async def test_nothing_is_left_open() -> None:
    pool = make_pool()
    await pool.run(children.pid)
    before = open_files()
    for _ in range(3):
        with this_file() as file:
            assert len(await pool.run(children.read, file)) == 1
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
        if (
            b"app.processes.child" in command
            and name.encode() in command
            and not is_gone(int(process.name))
        ):
            found.append(process.name)
    return found
