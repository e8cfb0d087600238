"""Names of exceptions, by the numbers of each platform.

The numbers are from ``minidumpapiset.h`` and `ntstatus.txt` for Windows, from ``signal.h`` for
Linux, and from ``mach/exception_types.h`` for Apple's systems.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.stacks.architectures import APPLE

_ACCESSES: Final = {0: "_READ", 1: "_WRITE", 8: "_EXEC"}
_ACCESSED: Final = 2  # the index of the address in Apple's parameters, after exception and code


class _Code:
    """Exceptions with details beyond their name."""

    ACCESS_VIOLATION: Final = 0xC0000005
    IN_PAGE_ERROR: Final = 0xC0000006
    FAST_FAIL: Final = 0xC0000409
    BAD_ACCESS: Final = 1
    CRASH: Final = 10


_EXCEPTIONS: Final = {
    0x80000001: "GUARD_PAGE", 0x80000002: "DATATYPE_MISALIGNMENT", 0x80000003: "BREAKPOINT",
    0x80000004: "SINGLE_STEP", 0xC0000005: "ACCESS_VIOLATION", 0xC0000006: "IN_PAGE_ERROR",
    0xC0000008: "INVALID_HANDLE",
    0xC000001D: "ILLEGAL_INSTRUCTION", 0xC0000025: "NONCONTINUABLE_EXCEPTION",
    0xC0000026: "INVALID_DISPOSITION", 0xC000008C: "ARRAY_BOUNDS_EXCEEDED",
    0xC000008D: "FLT_DENORMAL_OPERAND", 0xC000008E: "FLT_DIVIDE_BY_ZERO",
    0xC000008F: "FLT_INEXACT_RESULT", 0xC0000090: "FLT_INVALID_OPERATION",
    0xC0000091: "FLT_OVERFLOW", 0xC0000092: "FLT_STACK_CHECK", 0xC0000093: "FLT_UNDERFLOW",
    0xC0000094: "INT_DIVIDE_BY_ZERO", 0xC0000095: "INT_OVERFLOW", 0xC0000096: "PRIV_INSTRUCTION",
    0xC00000FD: "STACK_OVERFLOW", 0xC0000194: "POSSIBLE_DEADLOCK",
}  # fmt: skip
"""Exceptions of Windows that ``winbase.h`` names, without EXCEPTION_."""

_RUNTIMES: Final = {
    0xE06D7363: "CPP_EXCEPTION", 0xE0434352: "CLR_EXCEPTION", 0xE0434F4D: "CLR_EXCEPTION",
    0x0EEDFADE: "DELPHI_EXCEPTION", 0xE0000008: "OUT_OF_MEMORY", 0x0517A7ED: "SIMULATED",
    0xC06D007E: "DELAY_LOAD_MODULE_NOT_FOUND", 0xC06D007F: "DELAY_LOAD_PROCEDURE_NOT_FOUND",
}  # fmt: skip
"""Exceptions of Windows that runtimes raise: C++, .NET, Delphi, Chromium, Crashpad."""

_FAST_FAILS: Final = {
    0: "LEGACY_GS_VIOLATION", 1: "VTGUARD_CHECK_FAILURE", 2: "STACK_COOKIE_CHECK_FAILURE",
    3: "CORRUPT_LIST_ENTRY", 4: "INCORRECT_STACK", 5: "INVALID_ARG", 6: "GS_COOKIE_INIT",
    7: "FATAL_APP_EXIT", 8: "RANGE_CHECK_FAILURE", 9: "UNSAFE_REGISTRY_ACCESS",
    10: "GUARD_ICALL_CHECK_FAILURE", 11: "GUARD_WRITE_CHECK_FAILURE", 12: "INVALID_FIBER_SWITCH",
    13: "INVALID_SET_OF_CONTEXT", 14: "INVALID_REFERENCE_COUNT", 18: "INVALID_JUMP_BUFFER",
    19: "MRDATA_MODIFIED", 20: "CERTIFICATION_FAILURE", 21: "INVALID_EXCEPTION_CHAIN",
    22: "CRYPTO_LIBRARY", 23: "INVALID_CALL_IN_DLL_CALLOUT", 24: "INVALID_IMAGE_BASE",
    25: "DLOAD_PROTECTION_FAILURE", 26: "UNSAFE_EXTENSION_CALL", 50: "HEAP_METADATA_CORRUPTION",
}  # fmt: skip

_SIGNALS: Final = {
    1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS",
    8: "SIGFPE", 9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE",
    14: "SIGALRM", 15: "SIGTERM", 16: "SIGSTKFLT", 24: "SIGXCPU", 25: "SIGXFSZ", 31: "SIGSYS",
    0xFFFFFFFF: "SIMULATED",
}  # fmt: skip
_SENT: Final = {
    0: "SI_USER", 0x80: "SI_KERNEL", -1: "SI_QUEUE", -2: "SI_TIMER", -3: "SI_MESGQ",
    -4: "SI_ASYNCIO", -5: "SI_SIGIO", -6: "SI_TKILL",
}  # fmt: skip
"""Origins of a signal, by ``si_code``."""

_SIGNAL_CODES: Final = {
    4: ("ILL_ILLOPC", "ILL_ILLOPN", "ILL_ILLADR", "ILL_ILLTRP", "ILL_PRVOPC", "ILL_PRVREG",
        "ILL_COPROC", "ILL_BADSTK", "ILL_BADIADDR"),
    5: ("TRAP_BRKPT", "TRAP_TRACE", "TRAP_BRANCH", "TRAP_HWBKPT", "TRAP_UNK", "TRAP_PERF"),
    7: ("BUS_ADRALN", "BUS_ADRERR", "BUS_OBJERR", "BUS_MCEERR_AR", "BUS_MCEERR_AO"),
    8: ("FPE_INTDIV", "FPE_INTOVF", "FPE_FLTDIV", "FPE_FLTOVF", "FPE_FLTUND", "FPE_FLTRES",
        "FPE_FLTINV", "FPE_FLTSUB"),
    11: ("SEGV_MAPERR", "SEGV_ACCERR", "SEGV_BNDERR", "SEGV_PKUERR", "SEGV_ACCADI", "SEGV_ADIDERR",
         "SEGV_ADIPERR", "SEGV_MTEAERR", "SEGV_MTESERR", "SEGV_CPERR"),
    31: ("SYS_SECCOMP", "SYS_USER_DISPATCH"),
}  # fmt: skip
"""The meaning of each ``si_code`` from 1 on, by signal."""

_MACH: Final = {
    1: "EXC_BAD_ACCESS", 2: "EXC_BAD_INSTRUCTION", 3: "EXC_ARITHMETIC",
    4: "EXC_EMULATION", 5: "EXC_SOFTWARE", 6: "EXC_BREAKPOINT", 7: "EXC_SYSCALL",
    8: "EXC_MACH_SYSCALL", 9: "EXC_RPC_ALERT", 10: "EXC_CRASH", 11: "EXC_RESOURCE",
    12: "EXC_GUARD", 13: "EXC_CORPSE_NOTIFY", 0x43507378: "SIMULATED", 0x43506E78: "NSEXCEPTION",
}  # fmt: skip
_KERN: Final = {
    1: "KERN_INVALID_ADDRESS", 2: "KERN_PROTECTION_FAILURE", 3: "KERN_NO_SPACE",
    4: "KERN_INVALID_ARGUMENT", 5: "KERN_FAILURE", 6: "KERN_RESOURCE_SHORTAGE",
    7: "KERN_NOT_RECEIVER", 8: "KERN_NO_ACCESS", 9: "KERN_MEMORY_FAILURE",
    10: "KERN_MEMORY_ERROR", 13: "EXC_I386_GPFLT", 14: "KERN_ABORTED",
    50: "KERN_CODESIGN_ERROR", 0x101: "EXC_ARM_DA_ALIGN", 0x102: "EXC_ARM_DA_DEBUG",
}  # fmt: skip
_BSD_SIGNALS: Final = {
    1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGEMT",
    8: "SIGFPE", 9: "SIGKILL", 10: "SIGBUS", 11: "SIGSEGV", 12: "SIGSYS", 13: "SIGPIPE",
    14: "SIGALRM", 15: "SIGTERM", 24: "SIGXCPU", 25: "SIGXFSZ",
}  # fmt: skip


def _statuses() -> dict[int, str]:
    lines = Path(__file__).with_name("ntstatus.txt").read_text().splitlines()
    entries = (line.split() for line in lines if not line.startswith("#"))
    return {int(number, 16): name for number, name in entries}


_STATUSES: Final = _statuses()


@dataclass(frozen=True, slots=True)
class Raised:
    """An exception in numbers, as it is in a minidump."""

    code: int
    flags: int
    address: int
    """That of the instruction on Windows; on other systems, that in the signal."""
    parameters: Sequence[int]


@dataclass(frozen=True, slots=True)
class Cause:
    """The name of an exception, its details, and its address.

    The address is the one that was accessed, or else that of the instruction.
    """

    name: str
    reason: str | None
    address: int


def cause(platform: str | None, raised: Raised) -> Cause:
    """Return an exception's cause in the words of the platform."""
    if platform == "windows":
        return _windows(raised)
    if platform in APPLE:
        return _apple(raised)
    name = None if platform is None else _SIGNALS.get(raised.code)
    reason = None if name in {None, "SIMULATED"} else _si_code(raised.code, raised.flags)
    return Cause(name or _number(raised.code), reason, raised.address)


def _windows(raised: Raised) -> Cause:
    code, parameters = raised.code, raised.parameters
    name = _RUNTIMES.get(code) or _STATUSES.get(code) or _number(code)
    if code in _EXCEPTIONS:
        name = f"EXCEPTION_{_EXCEPTIONS[code]}"
    reason, address = None, raised.address
    match (code, *parameters):
        case (_Code.ACCESS_VIOLATION | _Code.IN_PAGE_ERROR, access, address, *rest):
            name += _ACCESSES.get(access, "")
            if code == _Code.IN_PAGE_ERROR and rest:
                status = rest[0] & 0xFFFFFFFF
                reason = _STATUSES.get(status) or _number(status)
        case (_Code.FAST_FAIL, number, *_):
            reason = f"FAST_FAIL_{_FAST_FAILS.get(number, number)}"
    return Cause(name, reason, address)


def _apple(raised: Raised) -> Cause:
    code, flags = raised.code, raised.flags
    name = _MACH.get(code) or _number(code)
    reason, address = None, raised.address
    if code == _Code.BAD_ACCESS:
        reason = _KERN.get(flags, f"code {flags:#x}")
        if len(raised.parameters) > _ACCESSED:
            address = raised.parameters[_ACCESSED]
    elif code == _Code.CRASH:
        number = flags >> 24 & 0xFF
        reason = _BSD_SIGNALS.get(number, f"signal {number}")
    elif code in _MACH and flags:
        reason = f"code {flags:#x}"
    return Cause(name, reason, address)


def _si_code(signal: int, flags: int) -> str:
    code = flags - 2**32 if flags >= 2**31 else flags
    names = _SIGNAL_CODES.get(signal, ())
    if 0 < code <= len(names):
        return names[code - 1]
    return _SENT.get(code) or f"si_code {code}"


def _number(code: int) -> str:
    return f"{code:#010x}"
