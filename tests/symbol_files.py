"""Symbol files made by hand, in Breakpad's form, and what they are for."""

from uuid import UUID

from tests.minidump_files import Module, pdb

DEBUG_ID = "5A9832E5287241C1838ED98914E9B7FF1"
NAMED = Module("/usr/bin/app", 0x400000, 0x1000, record=pdb("app", UUID(DEBUG_ID[:32]).bytes_le, 1))
"""The module that `breakpad` has symbols of."""


def breakpad(
    debug_id: str = DEBUG_ID, name: str = "app", arch: str = "x86_64", lines: str = ""
) -> bytes:
    """Return a symbol file with two functions, and rules for unwinding.

    `crash_here` is at 0x100, and has `inlined` in its second line, 11; it has pushed one word. Its
    caller is at 0x200, with a mangled name.
    """
    head = f"MODULE Linux {arch} {debug_id} {name}\nFILE 0 /src/app.cc\nFILE 1 /src/in.h\n"
    functions = (
        "INLINE_ORIGIN 0 inlined()\n"
        "FUNC 100 100 0 crash_here(int)\nINLINE 0 11 0 0 120 e0\n100 20 10 0\n120 e0 7 1\n"
        "FUNC 200 100 0 _ZN4acme4mainEiPPc\n200 100 42 0\n"
    )
    rules = (
        "STACK CFI INIT 100 100 .cfa: $rsp 8 + .ra: .cfa -8 + ^\n"
        "STACK CFI 110 .cfa: $rsp 16 + $rbx: .cfa -16 + ^\n"
        "STACK CFI INIT 200 100 .cfa: $rsp 8 + .ra: .cfa -8 + ^\n"
    )
    return f"{head}{functions}{lines}{rules}".encode()
