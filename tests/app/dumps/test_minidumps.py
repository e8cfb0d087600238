"""Reading minidumps: those of every system, and whatever else comes under that name."""

import random
import re
import struct
from io import BytesIO
from typing import Any

import pytest

from app.dumps.minidump.file import Unreadable
from app.dumps.minidump.reading import read as read_file
from app.dumps.signatures.making import signature
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
    build_id,
    pdb,
)  # fmt: skip

REGISTERS = (
    "rax", "rdx", "rcx", "rbx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13",
    "r14", "r15", "rip",
)  # fmt: skip
NO_IDS = {"debug_file": None, "debug_id": None, "code_id": None, "has_symbols": False}


def read(data: bytes) -> dict[str, Any]:
    return read_file(BytesIO(data)).report


def in_app(offset: str, *, is_caller: bool = False) -> dict[str, Any]:
    return {"name": "app", "offset": offset, "is_caller": is_caller}


def test_it_says_what_crashed_where() -> None:
    report = read(Minidump(pointer=0x400123, threads=1).write())
    assert report == {
        "platform": "linux",
        "architecture": "x86_64",
        "os_version": "6.1.0 Linux 6.1.0 x86_64",
        "crashed_at": None,
        "uptime": None,
        "assertion": None,
        "exception": {
            "code": 11, "name": "SIGSEGV", "reason": "SEGV_MAPERR", "address": "0xdead"
        },
        "crashing_module": {"name": "app", "offset": "0x123", "is_caller": False},
        "registers": dict.fromkeys(REGISTERS, "0x0") | {"rip": "0x400123", "rsp": "0x7ffe0000"},
        "code": None,
        "thread_count": 1,
        "threads": [{
            "id": 77, "name": None, "is_crashed": True, "frames": [
                {"frame": 0, "trust": "context", "address": "0x400123", "module": "app",
                 "module_offset": "0x123", "function": None, "function_offset": None,
                 "file": None, "line": None, "inlines": []},
            ],
        }],
        "modules": [
            {"name": "app", "version": "1.2.3.4", "base": "0x400000", "size": 0x1000} | NO_IDS,
            {"name": "libc.so.6", "version": None, "base": "0x7f0000000000", "size": 0x200000}
            | NO_IDS,
        ],
        "unloaded_modules": [],
        "damaged": [],
        "left_out": ["thread 77: its stack is not in the minidump"],
    }  # fmt: skip
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
    assert report["crashing_module"] == in_app("0x123")


def test_unknown_systems_are_named_by_their_numbers() -> None:
    report = read(Minidump(platform=0x7777, architecture=0x55, pointer=None).write())
    assert (report["platform"], report["architecture"]) == ("unknown 0x7777", "unknown 0x55")
    assert report["crashing_module"] is None
    assert signature(report) == "SIGSEGV"


def test_the_address_stands_in_for_the_context_on_windows_alone() -> None:
    # elsewhere it is what was accessed, here data in libc
    facts: dict[str, Any] = {"pointer": None, "address": LIBC.base + 5}
    windows = read(Minidump(platform=WINDOWS, code=0xC0000005, **facts).write())
    assert windows["crashing_module"] == {"name": "libc.so.6", "offset": "0x5", "is_caller": False}
    assert read(Minidump(**facts).write())["crashing_module"] is None


def test_a_crash_outside_of_every_module_has_a_signature_too() -> None:
    for pointer in (0, APP.base - 1, APP.base + APP.size):
        report = read(Minidump(pointer=pointer).write())
        assert (report["crashing_module"], signature(report)) == (None, "SIGSEGV")


def test_a_dump_without_exception_has_no_signature() -> None:
    report = read(Minidump(code=None).write())
    assert (report["exception"], report["crashing_module"]) == (None, None)
    assert report["thread_count"] == 3
    assert not any(thread["is_crashed"] for thread in report["threads"])
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
    assert report["crashing_module"] == {"name": "m4095", "offset": "0x7", "is_caller": False}


def test_of_too_many_the_first_are_read() -> None:
    for dump, damaged in (
        (Minidump(modules=[APP] * 4097), "modules: 4096 of 4097 can be read"),
        (Minidump(threads=65_537), "threads: 65536 of 65537 can be read"),
    ):
        report = read(dump.write())
        assert report["damaged"] == [damaged]
        assert signature(report) == "SIGSEGV app+0x123"
    for count in (1025, 2**32 - 1):
        data = bytearray(Minidump().write())
        struct.pack_into("<I", data, 8, count)
        report = read(bytes(data))
        assert re.fullmatch(rf"directory: \d+ of {count} can be read", report["damaged"][0])
        assert signature(report) == "SIGSEGV app+0x123"


NTSTATUS = {
    0x80000001: "EXCEPTION_GUARD_PAGE", 0xC0000008: "EXCEPTION_INVALID_HANDLE",
    0xC0000194: "EXCEPTION_POSSIBLE_DEADLOCK", 0xC000000D: "STATUS_INVALID_PARAMETER",
    0xC0000417: "STATUS_INVALID_CRUNTIME_PARAMETER", 0xC0000135: "STATUS_DLL_NOT_FOUND",
    0xC0000142: "STATUS_DLL_INIT_FAILED", 0xC0000420: "STATUS_ASSERTION_FAILURE",
    0x40010005: "DBG_CONTROL_C", 0xE0000008: "OUT_OF_MEMORY",
    0xC06D007E: "DELAY_LOAD_MODULE_NOT_FOUND", 0xC06D007F: "DELAY_LOAD_PROCEDURE_NOT_FOUND",
}  # fmt: skip


@pytest.mark.parametrize(("code", "name"), NTSTATUS.items())
def test_windows_exceptions_have_names(code: int, name: str) -> None:
    exception = read(Minidump(platform=WINDOWS, code=code, flags=0).write())["exception"]
    assert exception == {"code": code, "name": name, "reason": None, "address": "0xdead"}


@pytest.mark.parametrize(
    ("code", "parameters", "name", "reason", "address"),
    [
        (0xC0000005, (0, 0x20), "EXCEPTION_ACCESS_VIOLATION_READ", None, "0x20"),
        (0xC0000005, (1, 0x20), "EXCEPTION_ACCESS_VIOLATION_WRITE", None, "0x20"),
        (0xC0000005, (8, 0x20), "EXCEPTION_ACCESS_VIOLATION_EXEC", None, "0x20"),
        (0xC0000005, (2, 0x20), "EXCEPTION_ACCESS_VIOLATION", None, "0x20"),
        (0xC0000005, (0,), "EXCEPTION_ACCESS_VIOLATION", None, "0xdead"),
        (0xC0000006, (0, 0x20, 0xFFFFFFFFC000009C), "EXCEPTION_IN_PAGE_ERROR_READ",
         "STATUS_DEVICE_DATA_ERROR", "0x20"),
        (0xC0000006, (1, 0x20), "EXCEPTION_IN_PAGE_ERROR_WRITE", None, "0x20"),
        (0xC0000006, (1, 0x20, 0xC0FFFFFF), "EXCEPTION_IN_PAGE_ERROR_WRITE", "0xc0ffffff", "0x20"),
        (0xC0000409, (7,), "STATUS_STACK_BUFFER_OVERRUN", "FAST_FAIL_FATAL_APP_EXIT", "0xdead"),
        (0xC0000409, (99,), "STATUS_STACK_BUFFER_OVERRUN", "FAST_FAIL_99", "0xdead"),
    ],
)  # fmt: skip
def test_on_windows_parameters_say_what_was_accessed(
    code: int, parameters: tuple[int, ...], name: str, reason: str | None, address: str
) -> None:
    report = read(Minidump(platform=WINDOWS, code=code, parameters=parameters).write())
    expected = {"code": code, "name": name, "reason": reason, "address": address}
    assert report["exception"] == expected
    assert signature(report) == f"{name} app+0x123"


@pytest.mark.parametrize(
    ("platform", "code", "flags", "said"),
    [
        (LINUX, 11, 1, "SIGSEGV SEGV_MAPERR"), (LINUX, 11, 2, "SIGSEGV SEGV_ACCERR"),
        (LINUX, 11, 0x80, "SIGSEGV SI_KERNEL"), (ANDROID, 11, 9, "SIGSEGV SEGV_MTESERR"),
        (LINUX, 6, 0xFFFFFFFA, "SIGABRT SI_TKILL"), (LINUX, 6, 0, "SIGABRT SI_USER"),
        (LINUX, 8, 1, "SIGFPE FPE_INTDIV"), (LINUX, 7, 2, "SIGBUS BUS_ADRERR"),
        (LINUX, 4, 2, "SIGILL ILL_ILLOPN"), (LINUX, 5, 1, "SIGTRAP TRAP_BRKPT"),
        (LINUX, 31, 1, "SIGSYS SYS_SECCOMP"), (LINUX, 11, 77, "SIGSEGV si_code 77"),
        (LINUX, 0xFFFFFFFF, 0, "SIMULATED None"), (LINUX, 99, 0, "0x00000063 None"),
        (MACOS, 1, 1, "EXC_BAD_ACCESS KERN_INVALID_ADDRESS"),
        (MACOS, 1, 2, "EXC_BAD_ACCESS KERN_PROTECTION_FAILURE"),
        (MACOS, 1, 13, "EXC_BAD_ACCESS EXC_I386_GPFLT"), (MACOS, 1, 99, "EXC_BAD_ACCESS code 0x63"),
        (MACOS, 10, 0x6000000, "EXC_CRASH SIGABRT"), (MACOS, 6, 2, "EXC_BREAKPOINT code 0x2"),
        (MACOS, 0x43506E78, 0, "NSEXCEPTION None"), (MACOS, 11, 0, "EXC_RESOURCE None"),
    ],
)  # fmt: skip
def test_the_reason_is_told(platform: int, code: int, flags: int, said: str) -> None:
    report = read(Minidump(platform=platform, code=code, flags=flags).write())
    assert f"{report['exception']['name']} {report['exception']['reason']}" == said


def test_on_apples_systems_the_address_is_what_was_accessed() -> None:
    facts: dict[str, Any] = {"platform": MACOS, "code": 1, "address": 0x400123}
    crashpad = read(Minidump(parameters=(1, 1, 0x10), **facts).write())
    assert crashpad["exception"]["address"] == "0x10"
    breakpad = read(Minidump(**facts | {"address": 0x10}).write())
    assert breakpad["exception"]["address"] == "0x10"


def test_addresses_are_as_wide_as_the_architecture_has_them() -> None:
    """Some writers extend those of 32 bits by their sign."""
    extended = 0xFFFFFFFF00000000
    module = Module("a.exe", extended | 0xB7000000, 0x10000)
    facts: dict[str, Any] = {
        "platform": WINDOWS, "code": 0xC0000005, "flags": 0, "modules": [module],
        "address": extended | 0xB7000123, "parameters": (1, extended | 0x80000000),
    }  # fmt: skip
    for pointer in (0xB7000123, None):
        narrow = read(Minidump(architecture=X86, pointer=pointer, **facts).write())
        assert narrow["modules"][0]["base"] == "0xb7000000"
        assert narrow["exception"]["address"] == "0x80000000"
        assert signature(narrow) == "EXCEPTION_ACCESS_VIOLATION_WRITE a.exe+0x123"
    wide = read(Minidump(**facts).write())
    assert wide["exception"]["address"] == "0xffffffff80000000"


@pytest.mark.parametrize("architecture", [X86, X86_64, ARM, ARM64])
def test_without_a_context_of_the_exception_the_threads_counts(architecture: int) -> None:
    facts: dict[str, Any] = {"architecture": architecture, "thread_pointer": 0x400123}
    assert read(Minidump(pointer=None, **facts).write())["crashing_module"] == in_app("0x123")
    assert read(Minidump(pointer=0x400456, **facts).write())["crashing_module"] == in_app("0x456")


@pytest.mark.parametrize(("architecture", "form"), [(X86, "<I"), (X86_64, "<Q")])
@pytest.mark.parametrize("stack_in", ["thread", "list", "list64"])
def test_what_calls_into_nothing_is_told_by_its_return_address(
    architecture: int, form: str, stack_in: str
) -> None:
    for pointer, thread_pointer in ((0, None), (None, 0), (0x10, 0x400999)):
        dump = Minidump(
            architecture=architecture, pointer=pointer, thread_pointer=thread_pointer,
            stack=struct.pack(form, 0x400250) + bytes(64), stack_in=stack_in,
            modules=[APP],
        )  # fmt: skip
        report = read(dump.write())
        assert report["crashing_module"] == in_app("0x250", is_caller=True)
        assert signature(report) == "SIGSEGV app+0x250"


@pytest.mark.parametrize(
    ("platform", "architecture", "link"),
    [
        (ANDROID, ARM64, 0x400250), (LINUX, ARM, 0x400251),  # Thumb
        (MACOS, ARM64, 0x9A5C000000400250),  # signed
    ],
)  # fmt: skip
def test_what_calls_into_nothing_is_told_by_its_link_register(
    platform: int, architecture: int, link: int
) -> None:
    facts: dict[str, Any] = {"platform": platform, "architecture": architecture}
    dump = Minidump(pointer=0, link=link, modules=[APP], **facts)
    assert read(dump.write())["crashing_module"] == in_app("0x250", is_caller=True)


def test_a_stack_that_is_not_there_tells_nothing() -> None:
    for stack in (b"", b"1234567", struct.pack("<Q", 0x900000)):
        for stack_in in ("thread", "list", "list64"):
            report = read(Minidump(pointer=0, stack_in=stack_in, stack=stack).write())
            assert (report["crashing_module"], report["damaged"]) == (None, [])


def stream(data: bytes | bytearray, kind: int) -> tuple[int, int, int]:
    """Return where the directory has a stream, its size and place."""
    for entry in range(32, 32 + 12 * 12, 12):
        found, size, place = struct.unpack_from("<III", data, entry)
        if found == kind:
            return entry, size, place
    raise LookupError


@pytest.mark.parametrize(
    ("kind", "name", "left"),
    [
        (3, "threads", "SIGSEGV app+0x123"), (4, "modules", "SIGSEGV"),
        (6, "exception", None), (7, "system information", "0x0000000b"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("wrong", ["outside", "too short"])
def test_a_table_that_cannot_be_read_costs_no_other(
    kind: int, name: str, left: str | None, wrong: str
) -> None:
    data = bytearray(Minidump().write())
    entry, size, _ = stream(data, kind)
    if wrong == "outside":
        struct.pack_into("<I", data, entry + 8, len(data) + 1)
    else:
        struct.pack_into("<I", data, entry + 4, min(size, 3))
    report = read(bytes(data))
    assert [part.partition(":")[0] for part in report["damaged"]] == [name]
    assert wrong in report["damaged"][0]
    assert signature(report) == left
    whole = read(Minidump().write())
    untouched = {
        3: ("platform", "exception", "crashing_module", "modules"),
        4: ("platform", "exception", "thread_count"),
        6: ("platform", "architecture", "os_version", "modules"),
        7: ("thread_count", "modules"),
    }
    for part in untouched[kind]:
        assert report[part] == whole[part]


def test_a_table_that_lies_about_its_length_is_read_as_far_as_it_goes() -> None:
    for kind, size, damaged in ((3, 48, "threads: 3 of 900"), (4, 108, "modules: 2 of 5000")):
        data = bytearray(Minidump().write())
        _, _, place = stream(data, kind)
        struct.pack_into("<I", data, place, int(damaged.split()[-1]))
        report = read(bytes(data) + bytes(5000 * size))
        assert report["damaged"] == [f"{damaged} can be read"]
        assert signature(report) == "SIGSEGV app+0x123"
        assert (report["thread_count"], len(report["modules"])) == (3, 2)


def test_a_context_that_is_lost_is_told_and_done_without() -> None:
    data = bytearray(Minidump(thread_pointer=0x400456).write())
    _, _, place = stream(data, 6)
    struct.pack_into("<I", data, place + 164, len(data))
    report = read(bytes(data))
    assert report["damaged"] == ["context: cut off, or outside the file"]
    assert report["crashing_module"] == in_app("0x456")


def test_names_that_are_lost_are_told() -> None:
    data = bytearray(Minidump().write())
    _, _, place = stream(data, 4)
    struct.pack_into("<I", data, place + 4 + 108 + 20, len(data))
    report = read(bytes(data))
    assert [module["name"] for module in report["modules"]] == ["app", "unnamed"]
    assert report["damaged"] == ["names of modules: 1 are outside the file"]


def test_one_of_which_nothing_can_be_read_is_unreadable() -> None:
    data = bytearray(Minidump().write())
    for kind in (3, 4, 6, 7):
        entry, _, _ = stream(data, kind)
        struct.pack_into("<I", data, entry + 8, len(data))
    with pytest.raises(Unreadable, match=r"^system information: .*; modules: .*; threads: "):
        read(bytes(data))


def test_a_long_path_keeps_its_last_segment() -> None:
    report = read(Minidump(modules=[Module("/folder" * 300 + "/app", 0x400000, 0x1000)]).write())
    assert report["modules"][0]["name"] == "app"


@pytest.mark.parametrize("data", [b"", b"M", b"MDMP", bytes(32), b"PMDM" + bytes(64), b"x" * 500])
def test_what_is_no_minidump_says_so(data: bytes) -> None:
    with pytest.raises(Unreadable):
        read(data)


def test_one_that_is_cut_off_anywhere_says_what_is_missing() -> None:
    whole = Minidump(thread_pointer=0x400123, stack=bytes(64)).write()
    for end in range(0, len(whole), 7):
        try:
            report = read(whole[:end])
        except Unreadable:
            continue
        assert report["damaged"] or end > len(whole) - 128, "only Crashpad's own may be missing"
    assert signature(read(whole[: stream(whole, 4)[2]])) == "SIGSEGV", "all but the modules"


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


def test_modules_have_the_ids_of_their_symbols() -> None:
    guid = bytes.fromhex("e532985a 8752 c141 838ed98914e9b7ff")
    path = r"c:\work\test_app.pdb"
    windows = Module(r"C:\app\test_app.exe", 0x400000, 0x2D000, record=pdb(path, guid, 1),
                     time=0x45D35F6C)  # fmt: skip
    (module,) = read(Minidump(platform=WINDOWS, modules=[windows]).write())["modules"]
    assert {name: module[name] for name in NO_IDS} == {
        "debug_file": "test_app.pdb", "debug_id": "5A9832E5528741C1838ED98914E9B7FF1",
        "code_id": "45d35f6c2d000", "has_symbols": False,
    }  # fmt: skip
    identity = bytes(range(1, 21))
    elf = Module("/usr/lib/libc.so.6", 0x400000, 0x1000, record=build_id(identity))
    (module,) = read(Minidump(modules=[elf]).write())["modules"]
    assert {name: module[name] for name in NO_IDS} == {
        "debug_file": "libc.so.6", "debug_id": "0403020106050807090A0B0C0D0E0F100",
        "code_id": identity.hex(), "has_symbols": False,
    }  # fmt: skip


@pytest.mark.parametrize("record", [b"", b"RSDS", b"LEpB", b"NB10" + bytes(20), b"x" * 5000])
def test_records_that_say_nothing_give_no_ids(record: bytes) -> None:
    module = Module("app", 0x400000, 0x1000, record=record)
    (found,) = read(Minidump(modules=[module]).write())["modules"]
    assert {name: found[name] for name in NO_IDS} == NO_IDS
