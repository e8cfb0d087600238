"""Stacks of minidumps without symbols: by frame pointers, and by scanning."""

import struct
import tracemalloc
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.dumps.minidump.file import Unreadable
from app.dumps.minidump.reading import read as read_file
from tests.minidump_files import (
    ANDROID,
    APP,
    ARM,
    ARM64,
    CRASHED,
    LIBC,
    LINUX,
    MACOS,
    WINDOWS,
    X86,
    X86_64,
    Minidump,
    Module,
    Thread,
    words,
)  # fmt: skip

STACK = 0x7FFE0000
CALLS = {X86: 1, X86_64: 1, ARM: 2, ARM64: 4}
"""Bytes from inside a call to its return address."""


def read(dump: Minidump) -> dict[str, Any]:
    return read_file(BytesIO(dump.write())).report


def frames(dump: Minidump, thread: int = CRASHED) -> list[tuple[str, str]]:
    """Return each frame's trust and place."""
    (found,) = [each for each in read(dump)["threads"] if each["id"] == thread]
    return [
        (f["trust"], f["address"] if f["module"] is None else f"{f['module']}+{f['module_offset']}")
        for f in found["frames"]
    ]


@pytest.mark.parametrize(
    ("platform", "architecture"), [(LINUX, X86), (LINUX, X86_64), (WINDOWS, X86), (ANDROID, ARM64)]
)
def test_frame_pointers_lead_to_the_callers(platform: int, architecture: int) -> None:
    width = len(words(architecture, 0))
    first, second, third = (STACK + n * width for n in (2, 6, 10))
    stack = words(
        architecture,
        1, 2, second, 0x400200,  # of the function that crashed: its caller's frame pointer
        3, 4, third, 0x400300,
        5, 6, 0, 0,
    )  # fmt: skip
    dump = Minidump(platform=platform, architecture=architecture, stack=stack, frame_pointer=first)
    less = CALLS[architecture]
    assert frames(dump) == [
        ("context", "app+0x123"),
        ("frame_pointer", f"app+{0x200 - less:#x}"),
        ("frame_pointer", f"app+{0x300 - less:#x}"),
    ]


@pytest.mark.parametrize("architecture", [X86, X86_64, ARM, ARM64])
def test_without_frame_pointers_the_stack_is_scanned(architecture: int) -> None:
    values = [7] * 100 + [0x400200] + [7] * 30 + [0x400300] + [7] * 41 + [0x400400]
    dump = Minidump(
        architecture=architecture, stack=words(architecture, *values), frame_pointer=7,
        modules=[APP],
    )  # fmt: skip
    less = CALLS[architecture]
    assert frames(dump) == [
        ("context", "app+0x123"),
        ("scan", f"app+{0x200 - less:#x}"),
        ("scan", f"app+{0x300 - less:#x}"),
    ], "a scan reaches 160 words from what is sure, and 40 from a guess"


def test_a_scan_finds_the_frame_pointer_again() -> None:
    stack = words(X86, 7, 7, STACK + 24, 0x400200, 7, 7, 0, 0x400300)
    dump = Minidump(architecture=X86, stack=stack, modules=[APP])
    assert frames(dump)[1:] == [("scan", "app+0x1ff"), ("frame_pointer", "app+0x2ff")]


@pytest.mark.parametrize("architecture", [X86, X86_64, ARM, ARM64])
def test_a_call_of_null_has_the_caller_next_with_all_its_registers(architecture: int) -> None:
    width = len(words(architecture, 0))
    has_link = architecture in {ARM, ARM64}
    saved = (1, 2, STACK + 8 * width, 0x400300, 0, 0, 0, 0, 0, 0)
    stack = words(architecture, *([] if has_link else [0x400200]), *saved)
    frame = STACK + (2 if has_link else 3) * width
    dump = Minidump(
        architecture=architecture, pointer=0, link=0x400200, stack=stack, frame_pointer=frame,
        modules=[APP],
    )  # fmt: skip
    less = CALLS[architecture]
    found = frames(dump)
    assert found[:2] == [("context", "0x0"), ("scan", f"app+{0x200 - less:#x}")]
    if architecture != ARM:
        assert found[2] == ("frame_pointer", f"app+{0x300 - less:#x}")


def test_on_windows_a_frame_pointer_may_point_below_the_callers() -> None:
    stack = words(X86_64, *[1] * 12, STACK + 200, 0x400200, *[0] * 20)
    dump = Minidump(platform=WINDOWS, code=0xC0000005, stack=stack, frame_pointer=STACK + 32)
    assert frames(dump)[1] == ("frame_pointer", "app+0x1ff")


def test_on_apples_arm64_signatures_of_pointers_are_taken_off() -> None:
    stack = words(ARM64, 0x1234000000000000 | (STACK + 32), 0xAB5C000000400200, 1, 2, 0, 0x400300)
    dump = Minidump(
        platform=MACOS, architecture=ARM64, code=1, stack=stack, frame_pointer=STACK, modules=[APP]
    )
    assert frames(dump)[1:] == [("frame_pointer", "app+0x1fc"), ("frame_pointer", "app+0x2fc")]


def test_marks_of_thumb_code_are_taken_off() -> None:
    dump = Minidump(architecture=ARM, stack=words(ARM, 0x400201), modules=[APP])
    assert frames(dump) == [("context", "app+0x123"), ("scan", "app+0x1fe")]


@pytest.mark.parametrize("architecture", [X86, X86_64, ARM64])
@pytest.mark.parametrize("target", [0, 1, -2])
def test_frame_pointers_that_lead_nowhere_end_the_stack(architecture: int, target: int) -> None:
    width = len(words(architecture, 0))
    stack = words(architecture, 7, 7, STACK + (2 + target) * width, 0x400200, 7, 7)
    dump = Minidump(
        architecture=architecture, stack=stack, frame_pointer=STACK + 2 * width, modules=[APP]
    )
    assert len(frames(dump)) <= 3


def test_a_stack_that_is_too_deep_is_cut_off_and_says_so() -> None:
    pairs = [n for k in range(3000) for n in (STACK + 16 * (k + 1), 0x400200)]
    report = read(Minidump(stack=words(X86_64, *pairs), frame_pointer=STACK))
    (thread,) = [each for each in report["threads"] if each["is_crashed"]]
    assert len(thread["frames"]) == 1024
    assert report["left_out"] == ["thread 77: the frames after the first 1024"]


def test_a_stack_that_the_minidump_lacks_is_named() -> None:
    report = read(Minidump(stack=b"", threads=0))
    (thread,) = report["threads"]
    assert [frame["module"] for frame in thread["frames"]] == ["app"]
    assert report["left_out"] == ["thread 77: its stack is not in the minidump"]


def test_all_threads_are_walked() -> None:
    others = [
        Thread(n, 0x400400 + n, STACK + 0x1000 * n, words(X86_64, 7, LIBC.base + 9), name=f"w{n}")
        for n in range(1, 50)
    ]
    report = read(Minidump(stack=words(X86_64, 7), others=others, threads=0))
    assert report["thread_count"] == 50
    assert [(t["id"], t["name"], t["is_crashed"]) for t in report["threads"][:3]] == [
        (CRASHED, None, True), (1, "w1", False), (2, "w2", False),
    ]  # fmt: skip
    assert all(
        [f["module"] for f in thread["frames"]] == ["app", "libc.so.6"]
        for thread in report["threads"][1:]
    )
    assert report["left_out"] == []


def test_the_thread_that_wrote_the_minidump_has_no_stack() -> None:
    others = [Thread(n, 0x400400, STACK, words(X86_64, 0x400200)) for n in (5, 6)]
    found = read(Minidump(others=others, threads=0, writer=5))["threads"]
    assert [(thread["id"], len(thread["frames"])) for thread in found[1:]] == [(5, 0), (6, 2)]


def test_of_too_many_threads_the_one_that_crashed_is_kept() -> None:
    report = read(Minidump(threads=70_000, code=11))
    assert report["thread_count"] == 65_536
    assert len(report["threads"]) == 1024
    assert report["threads"][0]["is_crashed"]
    assert report["left_out"] == [
        "thread 77: its stack is not in the minidump",
        "threads: 1024 of 65536 are here",
    ]


def test_a_thread_that_the_list_lacks_has_the_stack_of_the_exception() -> None:
    stack = words(X86_64, 0x400200)
    dump = Minidump(stack=stack, stack_in="list", threads=0)
    report = read(dump)
    assert report["thread_count"] == 1 or report["threads"][0]["is_crashed"]
    assert frames(dump) == [("context", "app+0x123"), ("scan", "app+0x1ff")]


def test_the_report_has_what_else_is_known() -> None:
    dump = Minidump(
        written_at=1_700_000_100,
        started_at=1_700_000_000,
        assertion=("n > 0", "grow", "a.cc", 12),
        unloaded=[Module(r"C:\p\plugin.dll", 0x500000, 0x2000)],
        stack=bytes(range(64)),
    )
    report = read(dump)
    assert report["crashed_at"] == "2023-11-14T22:15:00+00:00"
    assert report["uptime"] == 100
    assert report["assertion"] == "n > 0, grow, a.cc:12"
    assert report["unloaded_modules"] == [{"name": "plugin.dll", "base": "0x500000", "size": 8192}]
    assert report["registers"]["rip"] == "0x400123"
    assert report["registers"]["rsp"] == hex(STACK)
    assert report["code"] is None


def test_the_code_around_the_crash_is_shown_as_far_as_it_is_there() -> None:
    code = bytes(range(64))
    dump = Minidump(stack=code, stack_pointer=0x400100, stack_in="list64")
    assert read(dump)["code"] == {"address": "0x400103", "bytes": code[3:].hex()}


def test_times_that_lie_tell_nothing() -> None:
    for written_at, started_at in ((100, 200), (0, 50)):
        assert read(Minidump(written_at=written_at, started_at=started_at))["uptime"] is None


def test_a_dump_of_2_gib_is_not_loaded_whole(tmp_path: Path) -> None:
    stack = words(X86_64, 7, 0x400200, 7)
    data = bytearray(Minidump(stack=stack, stack_in="list64").write())
    place = next(
        struct.unpack_from("<III", data, entry)[2]
        for entry in range(32, 32 + 12 * 12, 12)
        if struct.unpack_from("<I", data, entry)[0] == 9
    )
    struct.pack_into("<Q", data, place + 16 + 24, 2**31)  # the size of the second range
    path = tmp_path / "full.dmp"
    with path.open("wb") as file:
        file.write(data)
        file.truncate(2**31 + len(data))
    tracemalloc.start()
    try:
        with path.open("rb") as file:
            report = read_file(file).report
        assert tracemalloc.get_traced_memory()[1] < 16 * 2**20
    finally:
        tracemalloc.stop()
    assert report["registers"]["rip"] == "0x400123"
    assert [f["module_offset"] for f in report["threads"][0]["frames"]] == ["0x123", "0x1ff"]


BYTES = st.lists(
    st.one_of(
        st.integers(0, 2**64 - 1),
        st.integers(STACK - 16, STACK + 600),
        st.integers(APP.base, APP.base + APP.size),
    ),
    max_size=64,
)


@given(
    values=BYTES,
    pointers=st.tuples(*[st.integers(0, 2**64 - 1) | st.integers(STACK, STACK + 512)] * 3),
    architecture=st.sampled_from([X86, X86_64, ARM, ARM64]),
    platform=st.sampled_from([LINUX, WINDOWS, MACOS, ANDROID]),
    stack_in=st.sampled_from(["thread", "list", "list64"]),
)
def test_a_walk_ends_whatever_is_on_the_stack(
    values: list[int],
    pointers: tuple[int, int, int],
    architecture: int,
    platform: int,
    stack_in: str,
) -> None:
    mask = 2 ** (8 * len(words(architecture, 0))) - 1
    pointer, frame_pointer, link = (value & mask for value in pointers)
    dump = Minidump(
        platform=platform, architecture=architecture, pointer=pointer, link=link,
        frame_pointer=frame_pointer, stack=words(architecture, *[v & mask for v in values]),
        stack_in=stack_in,
    )  # fmt: skip
    found = frames(dump)
    assert found[0][0] == "context"
    assert len(found) <= len(values) + 2


@given(st.data())
def test_damage_anywhere_makes_a_partial_report(data: st.DataObject) -> None:
    whole = Minidump(
        stack=words(X86_64, STACK + 16, 0x400200, 0, LIBC.base + 1), frame_pointer=STACK,
        others=[Thread(5, 0x400100, STACK + 4096, bytes(64), name="w")], unloaded=[APP],
        started_at=1, written_at=2, assertion=("a", "b", "c", 1),
    ).write()  # fmt: skip
    broken = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(32, len(whole) - 1))
        broken[place] = data.draw(st.sampled_from([0, 1, 127, 128, 255]))
    try:
        report = read_file(BytesIO(bytes(broken))).report
    except Unreadable:
        return
    assert report["thread_count"] >= 0
