"""Signatures: equal for equal crashes, whatever the build."""

from typing import Any

import pytest

from app.dumps.signatures.making import signature
from app.dumps.signatures.names import plain


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("main", "main"),
        ("acme::walk<long>(acme::Node*, long)", "acme::walk<T>"),
        ("long acme::walk<long>(acme::Node*, long) [clone .isra.0]", "acme::walk<T>"),
        ("unsigned long const& acme::at(std::vector<int, std::less<int> > const&)", "acme::at"),
        ("main.cold", "main"),
        ("acme::read(int) [clone .constprop.0] [clone .cold]", "acme::read"),
        ("poll@@GLIBC_2.2.5", "poll"),
        ("__GI_abort", "abort"),
        ("acme::name[abi:cxx11](int) const", "acme::name"),
        ("(anonymous namespace)::run(void (*)(int))", "(anonymous)::run"),
        ("`anonymous namespace'::CrashFunction", "(anonymous)::CrashFunction"),
        ("main::{lambda(int)#2}::operator()(int) const", "main::lambda::operator()"),
        ("main(int, char**)::<lambda(int)>::operator()(int) const", "main::lambda::operator()"),
        ("<lambda_1f0e2d>::operator()", "lambda::operator()"),
        ("acme::operator<<(std::ostream&, acme::Node const&)", "acme::operator<<"),
        ("bool acme::operator< <int>(acme::A<int>, acme::A<int>)", "acme::operator<<T>"),
        ("acme::Node::operator->() const", "acme::Node::operator->"),
        ("operator new(unsigned long)", "operator new"),
        ("std::function<int (int)>::operator()(int) const", "std::function<T>::operator()"),
        ("acme::cooperator<int>(int)", "acme::cooperator<T>"),
        ("non-virtual thunk to acme::Parser::parse(int)", "acme::Parser::parse"),
        ("crash::parse::h0123456789abcdef", "crash::parse"),
        ("crash::parse::<i64>", "crash::parse<T>"),
        ("__rustc::rust_panic", "rust_panic"),
        ("core::ops::FnOnce::call_once{{vtable.shim}}", "core::ops::FnOnce::call_once"),
        ("std::rt::lang_start::{{closure}}", "std::rt::lang_start::closure"),
        ("crash::main::{closure#0}", "crash::main::closure"),
        ("<crash::Node<u8> as crash::Sum<i64>>::sum", "<crash::Node<T> as crash::Sum<T>>::sum"),
        ("<alloc::vec::Vec<u8>>::push", "<alloc::vec::Vec<T>>::push"),
        ("-[Parser parse:with:]", "-[Parser parse:with:]"),
        ("a<b", "a<T>"),
        ("<<<<<<<<a", "<<<<<>>>>>"),
        ("()", "()"),
        ("", ""),
    ],
)  # fmt: skip
def test_names_lose_what_differs_between_builds(written: str, name: str) -> None:
    assert plain(written) == name


@pytest.mark.parametrize("character", list("<({[ >:`'o"))
def test_names_of_brackets_alone_take_no_time(character: str) -> None:
    assert len(plain(character * 2_000_000)) <= 20_000


def frame(
    function: str | None, module: str | None = "app", trust: str = "cfi", *inlined: str
) -> dict[str, Any]:
    inlines = [{"function": name, "file": None, "line": None} for name in inlined]
    return {"function": function, "module": module, "trust": trust, "inlines": inlines,
            "module_offset": "0x2fc"}  # fmt: skip


def report(*frames: dict[str, Any], exception: str | None = "SIGSEGV", **facts: Any) -> Any:  # noqa: ANN401
    stacks = [
        {"is_crashed": False, "frames": [frame("idle")]},
        {"is_crashed": True, "frames": list(frames)},
    ]
    place = {"name": "libc.so.6", "offset": "0x9e"}
    raised = None if exception is None else {"name": exception}
    facts = {"assertion": None, "crashing_module": place} | facts
    return {"exception": raised, "threads": stacks} | facts


LIBC = "libc.so.6"


@pytest.mark.parametrize(
    ("frames", "found"),
    [
        ([frame("acme::f(int)"), frame("main")], "acme::f"),
        ([frame("__GI_raise", LIBC), frame("abort", LIBC), frame("acme::f()")], "acme::f"),
        ([frame("__strlen_avx2", LIBC), frame("acme::f()")], "acme::f"),
        ([frame("std::vector<int>::at(unsigned long)"), frame("acme::f()"), frame("main")],
         "std::vector<T>::at | acme::f"),
        ([frame("core::result::unwrap_failed"), frame("crash::f", "app", "cfi", "core::x::unwrap")],
         "core::x::unwrap | crash::f"),
        ([frame("fputs", LIBC), frame(None, LIBC), frame("puts_all")], "fputs | puts_all"),
        ([frame("acme::g", "app", "cfi", "acme::inlined")], "acme::inlined"),
        ([frame("raise", LIBC), frame("abort", LIBC), frame("__assert_fail", LIBC), frame("f")],
         "assertion | f"),
        ([frame("std::alloc::rust_oom"), frame("crash::f")], "OOM | crash::f"),
        ([frame("std::sort<int*>(int*)"), frame("std::sort<long*>(long*)"), frame("f")],
         "std::sort<T> | f"),
        # what a scan has found counts only with the name of a function of the application
        ([frame(None, LIBC, "context"), frame("std::io", "app", "scan"), frame("f", "app", "scan")],
         "f"),
        ([frame(None, LIBC, "context"), frame(None, "app", "scan")], "SIGSEGV libc.so.6+0x9e"),
        ([frame(None, LIBC, "context"), frame(None, "app", "frame_pointer")], "SIGSEGV app+0x2fc"),
        ([frame(None, None, "context"), frame("f")], "f"),
        ([frame("abort", LIBC), frame("raise", LIBC)], "SIGSEGV libc.so.6+0x9e"),
        ([frame("start_thread", LIBC)], "start_thread"),
        ([], "SIGSEGV libc.so.6+0x9e"),
    ],
)  # fmt: skip
def test_it_is_the_first_function_of_the_application(
    frames: list[dict[str, Any]], found: str
) -> None:
    assert signature(report(*frames)) == found


def test_marks_come_from_the_exception_and_the_assertion_as_well() -> None:
    windows = {"exception": "EXCEPTION_OUT_OF_MEMORY"}
    assert signature(report(frame("f"), **windows)) == "OOM | f"
    assert signature(report(frame("f"), exception="EXCEPTION_POSSIBLE_DEADLOCK")) == "hang | f"
    assert signature(report(frame("f"), assertion="n > 0")) == "assertion | f"


def test_without_an_exception_there_is_none() -> None:
    assert signature(report(frame("f"), exception=None)) is None
    assert signature(report(crashing_module=None)) == "SIGSEGV"


def test_it_is_bounded() -> None:
    deep = [frame(f"std::f{n}::{'x' * 100}") for n in range(100)]
    assert len(signature(report(*deep)) or "") == 255
