"""Reading minidumps: those of every system, and whatever else comes under that name."""

import random
import struct
from io import BytesIO
from typing import Any

import pytest

from app.minidumps import Unreadable, signature
from app.minidumps import read as read_file
from tests.minidump_files import (
    ANDROID,
    APP,
    ARM,
    ARM64,
    LIBC,
    LINUX,
    MACOS,
    WINDOWS,
    X86,
    X86_64,
    Minidump,
    Module,
)  # fmt: skip


def read(data: bytes) -> dict[str, Any]:
    return read_file(BytesIO(data))


def test_it_says_what_crashed_where() -> None:
    report = read(Minidump().write())
    assert report == {
        "platform": "linux",
        "architecture": "x86_64",
        "os_version": "6.1.0 Linux 6.1.0 x86_64",
        "exception": {"code": 11, "name": "SIGSEGV", "address": "0xdead"},
        "crashing_module": {"name": "app", "offset": "0x123"},
        "threads": {"count": 3, "crashing": 77},
        "modules": [
            {"name": "app", "version": "1.2.3.4", "base": "0x400000", "size": 0x1000},
            {"name": "libc.so.6", "version": None, "base": "0x7f0000000000", "size": 0x200000},
        ],
    }
    assert signature(report) == "SIGSEGV app+0x123"


@pytest.mark.parametrize(
    ("platform", "architecture", "code", "expected"),
    [
        (LINUX, X86_64, 6, "linux x86_64 SIGABRT"), (ANDROID, ARM64, 7, "android arm64 SIGBUS"),
        (LINUX, ARM, 4, "linux arm SIGILL"), (LINUX, X86, 8, "linux x86 SIGFPE"),
        (LINUX, X86_64, 0xFFFFFFFF, "linux x86_64 SIMULATED"),
        (LINUX, X86_64, 99, "linux x86_64 0x00000063"),
        (MACOS, ARM64, 1, "macos arm64 EXC_BAD_ACCESS"),
        (MACOS, X86_64, 10, "macos x86_64 EXC_CRASH"),
        (WINDOWS, X86_64, 0xC0000005, "windows x86_64 EXCEPTION_ACCESS_VIOLATION"),
        (WINDOWS, X86, 0xE06D7363, "windows x86 CPP_EXCEPTION"),
        (WINDOWS, ARM64, 0xC0000409, "windows arm64 STATUS_STACK_BUFFER_OVERRUN"),
        (WINDOWS, X86_64, 0x12345678, "windows x86_64 0x12345678"),
    ],
)  # fmt: skip
def test_every_system_is_known(platform: int, architecture: int, code: int, expected: str) -> None:
    report = read(Minidump(platform=platform, architecture=architecture, code=code).write())
    found = (report["platform"], report["architecture"], report["exception"]["name"])
    assert " ".join(found) == expected
    assert report["crashing_module"] == {"name": "app", "offset": "0x123"}


def test_unknown_systems_are_named_by_their_numbers() -> None:
    report = read(Minidump(platform=0x7777, architecture=0x55, pointer=None).write())
    assert (report["platform"], report["architecture"]) == ("unknown 0x7777", "unknown 0x55")
    assert report["crashing_module"] is None
    assert signature(report) == "SIGSEGV"


def test_the_address_stands_in_for_the_context_on_windows_alone() -> None:
    # elsewhere it is what was accessed, here data in libc
    facts: dict[str, Any] = {"pointer": None, "address": LIBC.base + 5}
    windows = read(Minidump(platform=WINDOWS, code=0xC0000005, **facts).write())
    assert windows["crashing_module"] == {"name": "libc.so.6", "offset": "0x5"}
    assert read(Minidump(**facts).write())["crashing_module"] is None


def test_a_crash_outside_of_every_module_has_a_signature_too() -> None:
    for pointer in (0, APP.base - 1, APP.base + APP.size):
        report = read(Minidump(pointer=pointer).write())
        assert (report["crashing_module"], signature(report)) == (None, "SIGSEGV")


def test_a_dump_without_exception_has_no_signature() -> None:
    report = read(Minidump(code=None).write())
    assert (report["exception"], report["crashing_module"]) == (None, None)
    assert report["threads"] == {"count": 3, "crashing": None}
    assert signature(report) is None


def test_lists_may_be_aligned() -> None:
    assert read(Minidump(aligned=True).write()) == read(Minidump().write())


def test_names_are_the_last_segment_and_printable() -> None:
    modules = [Module(r"C:\Windows\System32\ntdll.dll", 0, 1), Module("a\nb\0?", 1, 1),
               Module("", 2, 1), Module("x" * 9999, 3, 1)]  # fmt: skip
    names = [module["name"] for module in read(Minidump(modules=modules).write())["modules"]]
    assert names == ["ntdll.dll", "a b ?", "unnamed", "x" * 512]


def test_a_report_lists_so_many_modules_and_finds_the_crash_in_all() -> None:
    modules = [Module(f"m{n}", n * 16, 16) for n in range(4096)]
    report = read(Minidump(modules=modules, pointer=4095 * 16 + 7).write())
    assert len(report["modules"]) == 1000
    assert report["crashing_module"] == {"name": "m4095", "offset": "0x7"}


def test_too_many_of_anything_is_refused() -> None:
    for dump in (
        Minidump(modules=[Module("m", 0, 1)] * 4097),
        Minidump(threads=65_537),
    ):
        with pytest.raises(Unreadable, match="it has"):
            read(dump.write())
    for count in (1025, 2**32 - 1):
        data = bytearray(Minidump().write())
        struct.pack_into("<I", data, 8, count)
        with pytest.raises(Unreadable, match="streams"):
            read(bytes(data))


@pytest.mark.parametrize("data", [b"", b"M", b"MDMP", bytes(32), b"PMDM" + bytes(64), b"x" * 500])
def test_what_is_no_minidump_says_so(data: bytes) -> None:
    with pytest.raises(Unreadable):
        read(data)


def test_one_that_is_cut_off_anywhere_is_unreadable_or_read() -> None:
    whole = Minidump().write()
    for end in range(0, len(whole), 7):
        try:
            read(whole[:end])
        except Unreadable:
            continue
        assert end > len(whole) - 128, "nothing but Crashpad's own may be missing"


def test_garbage_is_unreadable_or_read_and_nothing_else() -> None:
    whole = Minidump().write()
    chance = random.Random(5)
    for _ in range(3000):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 6)):
            place = chance.choice([chance.randrange(256), chance.randrange(len(data))])
            data[place] = chance.choice([0, 255, 127, chance.randrange(256)])
        try:
            report = read(bytes(data))
        except Unreadable:
            continue
        assert report.keys() == read(whole).keys()
        signature(report)
