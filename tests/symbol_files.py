"""Symbol files made by hand, in Breakpad's form, and what they are for."""

DEBUG_ID = "5A9832E5287241C1838ED98914E9B7FF1"


def breakpad(
    debug_id: str = DEBUG_ID, name: str = "app", arch: str = "x86_64", lines: str = ""
) -> bytes:
    """Return a symbol file of a function at 0x100, of 0x100 bytes, in two lines of a file."""
    head = f"MODULE Linux {arch} {debug_id} {name}\nFILE 0 /src/app.cc\n"
    functions = "FUNC 100 100 0 crash_here(int)\n100 20 10 0\n120 e0 11 0\n"
    rules = "STACK CFI INIT 100 100 .cfa: $rsp 8 + .ra: .cfa -8 + ^\n"
    return f"{head}{functions}{lines}{rules}".encode()
