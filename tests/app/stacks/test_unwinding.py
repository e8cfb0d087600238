"""Unwinding by rules of symbol files, and functions by address, with rules that lie as well."""

import tempfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.dumps.minidump.reading import Reading, read
from app.stacks import symbol_cache
from app.stacks.symbol_cache import BadCache, SymbolCache
from app.symbols.entities import NoSymbols
from app.symbols.reading import identify, make_cache
from tests.minidump_files import LINUX, WINDOWS, X86, X86_64, Minidump, words
from tests.symbol_files import DEBUG_ID, NAMED, breakpad

pytest.importorskip("symbolic")

STACK = 0x7FFE0000


def cache_of(folder: Path, data: bytes) -> Path:
    """Make the cache of a symbol file, and return its path."""
    original, path = folder / "symbols", folder / "cache"
    original.write_bytes(data)
    with original.open("rb") as file, path.open("wb") as out:
        (found,) = identify(file)
        make_cache(file, found.number, found.debug_id, out)
    return path


def read_with(dump: Minidump, *caches: Path, debug_id: str = DEBUG_ID) -> Reading:
    files = [path.open("rb") for path in caches]
    try:
        return read(BytesIO(dump.write()), [(debug_id, file) for file in files])
    finally:
        for file in files:
            file.close()


def frames(report: dict[str, Any]) -> Sequence[dict[str, Any]]:
    (thread,) = [each for each in report["threads"] if each["is_crashed"]]
    found: Sequence[dict[str, Any]] = thread["frames"]
    return found


def test_rules_lead_to_the_callers_and_functions_have_names(tmp_path: Path) -> None:
    stack = words(X86_64, 1, 0x400210, 0)
    dump = Minidump(modules=[NAMED], stack=stack)
    found = read_with(dump, cache_of(tmp_path, breakpad()))
    first, second = frames(found.report)
    assert first == {
        "frame": 0, "trust": "context", "address": "0x400123", "module": "app",
        "module_offset": "0x123", "function": "crash_here(int)", "function_offset": "0x23",
        "file": "/src/app.cc", "line": 11,
        "inlines": [{"function": "inlined()", "file": "/src/in.h", "line": 7}],
    }  # fmt: skip
    assert second == {
        "frame": 1, "trust": "cfi", "address": "0x40020f", "module": "app",
        "module_offset": "0x20f", "function": "acme::main(int, char**)", "function_offset": "0xf",
        "file": "/src/app.cc", "line": 42, "inlines": [],
    }  # fmt: skip
    assert [module.debug_id for module in found.modules] == [DEBUG_ID]
    assert found.report["modules"][0]["has_symbols"]


def test_a_scan_takes_only_what_is_in_a_function(tmp_path: Path) -> None:
    data = breakpad(lines="FUNC 300 100 0 without_rules()\n").replace(b"STACK CFI", b"STACK NONE")
    stack = words(X86_64, 7, 0x400999, 0x400310, 0x400050)
    found = read_with(Minidump(modules=[NAMED], stack=stack), cache_of(tmp_path, data))
    assert [f["function"] for f in frames(found.report)] == ["crash_here(int)", "without_rules()"]


@pytest.mark.parametrize("address", [".ra: .undef", ""])
def test_the_outermost_function_has_no_caller(tmp_path: Path, address: str) -> None:
    rules = f"STACK CFI INIT 100 100 .cfa: $rsp 8 + {address}\n"
    data = breakpad().split(b"STACK", 1)[0] + rules.encode()
    dump = Minidump(modules=[NAMED], stack=words(X86_64, *[0x400210] * 9))
    found = frames(read_with(dump, cache_of(tmp_path, data)).report)
    assert [frame["trust"] for frame in found] == ["context"]


WINDOWS_RULES = {
    "STACK WIN 4 100 100 0 0 0 0 8 0 1 $T0 .raSearch = $eip $T0 ^ = $esp $T0 4 + = $ebp $ebp =",
    "STACK WIN 4 100 100 0 0 0 0 8 0 1 $T0 $ebp = $eip $T0 4 + ^ =$ebp $T0 ^ = $esp $T0 8 + =",
    "STACK WIN 0 100 100 0 0 0 4 4 0 0 0",
    "STACK CFI INIT 100 100 .cfa: $ebp 8 + .ra: .cfa 4 - ^ $ebp: .cfa 8 - ^",
}


@pytest.mark.parametrize("rules", sorted(WINDOWS_RULES))
def test_on_32_bit_windows_records_lead_to_the_callers(tmp_path: Path, rules: str) -> None:
    data = breakpad(arch="x86", lines="FUNC 300 100 0 caller()\n").split(b"STACK", 1)[0]
    stack = words(X86, 1, STACK + 40, 0x400310, 0x400999)
    dump = Minidump(
        platform=WINDOWS, architecture=X86, code=0xC0000005, modules=[NAMED], stack=stack,
        frame_pointer=STACK + 4,
    )  # fmt: skip
    found = read_with(dump, cache_of(tmp_path, data + rules.encode() + b"\n"))
    second = frames(found.report)[1]
    assert (second["trust"], second["function"]) == ("cfi", "caller()")


@pytest.mark.parametrize(
    "rules",
    [
        "STACK CFI INIT 100 100 .cfa: $rsp 0 + .ra: 4194576",  # frames that point at themselves
        "STACK CFI INIT 100 100 .cfa: $rsp 8 + .ra: $rip",
        "STACK CFI INIT 100 100 .cfa: $rsp 8 - .ra: .cfa ^",
        "STACK CFI INIT 100 100 .cfa: .cfa 8 + .ra: .cfa ^",
        "STACK CFI INIT 100 100 .cfa: $rsp 0 / .ra: .cfa ^",
        "STACK CFI INIT 100 100 .cfa: $rsp 3 @ .ra: .cfa ^",
        "STACK CFI INIT 100 100 .cfa: + + ^ .ra: nonsense",
        "STACK CFI INIT 100 100 .cfa: $rsp .ra:",
        "STACK CFI INIT 100 100 .ra: .cfa ^",
        "STACK CFI INIT 100 100 .cfa: " + "$rsp " * 200 + ".ra: 1",
        "STACK CFI INIT 100 zz .cfa: $rsp .ra: 1",
        "STACK CFI INIT 100",
        "STACK CFI 100 .cfa: $rsp",
        "STACK CFI INIT 100 100 .cfa: $rsp 8 + .ra: .cfa -8 + ^\nSTACK CFI zz .cfa: $rsp",
        "STACK WIN 4 100 100 0 0 0 0 0 0 1 = = =",
        "STACK WIN 4 100",
        "STACK WIN 9 100 100 0 0 0 0 0 0 1 $eip 1 =",
    ],
)
def test_rules_that_lie_end_the_stack_or_are_left_alone(tmp_path: Path, rules: str) -> None:
    data = breakpad().split(b"STACK", 1)[0]
    stack = words(X86_64, *[0x400210] * 3000)
    dump = Minidump(modules=[NAMED], stack=stack)
    try:
        cache = cache_of(tmp_path, data + rules.encode() + b"\n")
    except NoSymbols:
        return
    found = frames(read_with(dump, cache).report)
    assert found[0]["function"] == "crash_here(int)"
    assert len(found) <= 1024


WORD = st.sampled_from(
    [".cfa:", ".ra:", "$rbx:", "$rsp", "$rbp", "$rip", ".cfa", "+", "-", "*", "/", "%", "@", "^",
     "8", "-8", "0", "99999999999999999999", ".undef", "zz"]
)  # fmt: skip


@given(st.lists(WORD, max_size=40), st.lists(st.integers(0, 2**64 - 1), max_size=20))
def test_no_rules_make_the_walk_fail_or_go_on(rules: list[str], values: list[int]) -> None:
    out = BytesIO()
    line = f"STACK CFI INIT 0 1000 {' '.join(rules)}\n"
    symbol_cache.write(out, b"", line.encode())
    dump = Minidump(modules=[NAMED], stack=words(X86_64, *values, *[0x400210] * 20))
    with tempfile.TemporaryFile() as cache:
        cache.write(out.getvalue())
        cache.flush()
        found = read(BytesIO(dump.write()), [(DEBUG_ID, cache)])
    assert 1 <= len(frames(found.report)) <= 1024


def test_a_cache_finds_rules_by_address() -> None:
    lines = [
        "MODULE x", "STACK WIN 4 10 10 0 0 0 0 0 0 1 $a 1 =", "STACK CFI INIT 200 10 .cfa: a",
        "STACK CFI 204 .cfa: b", "STACK CFI INIT 100 10 .cfa: c", "STACK WIN 0 100 10 fpo",
        "STACK WIN 0 18 10 0 0 0 0 0 0 0 0",
    ]  # fmt: skip
    out = BytesIO()
    symbol_cache.write(out, b"functions", "\n".join(lines).encode())
    cache = SymbolCache(memoryview(out.getvalue()))
    assert bytes(cache.functions) == b"functions"

    def at(offset: int) -> tuple[str, ...] | None:
        rules = cache.rules(offset)
        return None if rules is None else rules.lines

    assert at(0x1F) == (lines[1],), "a program before a size"
    assert at(0x20) == (lines[6],)
    assert at(0x205) == at(0x200) == (lines[2], lines[3])
    assert at(0x10F) == (lines[4],)
    assert [at(offset) for offset in (0, 0xF, 0x28, 0xFF, 0x110, 0x210, 2**64)] == [None] * 7


def test_a_damaged_cache_is_told_and_done_without(tmp_path: Path) -> None:
    whole = cache_of(tmp_path, breakpad()).read_bytes()
    dump = Minidump(modules=[NAMED], stack=words(X86_64, 1, 0x400210))
    for number, data in enumerate(
        (b"", b"nothing", whole[:-1], whole[: len(whole) // 2], bytes(len(whole)))
    ):
        path = tmp_path / f"damaged{number}"
        path.write_bytes(data)
        report = read_with(dump, path).report
        assert report["left_out"] == [f"symbols: the cache of {DEBUG_ID} is damaged"]
        assert frames(report)[0]["function"] is None


@given(st.data())
def test_damage_in_a_cache_never_makes_it_fail(data: st.DataObject) -> None:
    out = BytesIO()
    symbol_cache.write(out, b"", b"STACK CFI INIT 100 100 .cfa: $rsp 8 + .ra: .cfa -8 + ^\n" * 3)
    broken = bytearray(out.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    try:
        cache = SymbolCache(memoryview(bytes(broken)))
        for offset in (0, 0x100, 0x1FF, 2**63):
            cache.rules(offset)
    except BadCache:
        pass


def test_symbols_that_lie_about_their_id_are_not_used(tmp_path: Path) -> None:
    path = cache_of(tmp_path, breakpad())
    report = read_with(Minidump(modules=[NAMED]), path, debug_id="F" * 33).report
    assert frames(report)[0]["function"] is None
    with (tmp_path / "symbols").open("rb") as file, (tmp_path / "out").open("wb") as out:
        with pytest.raises(NoSymbols, match="no such object"):
            make_cache(file, 0, "F" * 33, out)
        with pytest.raises(NoSymbols, match="no such object"):
            make_cache(file, 1, DEBUG_ID, out)


def test_platforms_without_symbols_are_as_before() -> None:
    report = read(BytesIO(Minidump(platform=LINUX).write())).report
    assert frames(report)[0]["function"] is None
    assert not report["modules"][0]["has_symbols"]
