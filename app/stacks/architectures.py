"""Processor architectures: their registers, and where a minidump's contexts have them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Architecture:
    """What unwinding knows of a processor; registers are named as in Breakpad's symbol files."""

    name: str
    width: int
    """Bytes of a register."""
    counter: str
    stack: str
    frame: str
    link: str | None
    """The register that a call leaves its return address in; None: that is on the stack."""
    saved: frozenset[str]
    """Registers that a function gives back unchanged."""
    call: int
    """Bytes from inside a call instruction to its return address."""
    offsets: Mapping[str, int]
    """Offsets of the registers in a thread's context."""

    @property
    def mask(self) -> int:
        """The largest value of a register."""
        return (1 << 8 * self.width) - 1


_X86: Final = Architecture(
    "x86", 4, "eip", "esp", "ebp", None, frozenset({"ebp", "ebx", "edi", "esi"}), 1,
    {"eip": 0xB8, "esp": 0xC4, "ebp": 0xB4, "ebx": 0xA4, "esi": 0xA0, "edi": 0x9C, "eax": 0xB0,
     "ecx": 0xAC, "edx": 0xA8},
)  # fmt: skip
_X86_64: Final = Architecture(
    "x86_64", 8, "rip", "rsp", "rbp", None,
    frozenset({"rbx", "rbp", "r12", "r13", "r14", "r15"}), 1,
    {"rax": 0x78, "rdx": 0x88, "rcx": 0x80, "rbx": 0x90, "rsi": 0xA8, "rdi": 0xB0, "rbp": 0xA0,
     "rsp": 0x98} | {f"r{n}": 0xB8 + 8 * (n - 8) for n in range(8, 16)} | {"rip": 0xF8},
)  # fmt: skip
_ARM: Final = Architecture(
    "arm", 4, "pc", "sp", "r11", "lr", frozenset(f"r{n}" for n in range(4, 12)), 2,
    {f"r{n}": 4 + 4 * n for n in range(13)} | {"sp": 0x38, "lr": 0x3C, "pc": 0x40},
)  # fmt: skip
_ARM64: Final = Architecture(
    "arm64", 8, "pc", "sp", "x29", "x30", frozenset(f"x{n}" for n in range(19, 30)), 4,
    {f"x{n}": 8 + 8 * n for n in range(31)} | {"sp": 0x100, "pc": 0x108},
)  # fmt: skip

ARCHITECTURES: Final = {each.name: each for each in (_X86, _X86_64, _ARM, _ARM64)}
"""The architectures whose stacks are walked, by name."""

POINTER_BITS: Final = (1 << 47) - 1
"""Address bits of a pointer on Apple's arm64; the bits above may be a signature (PAC)."""

APPLE: Final = frozenset({"macos", "ios"})
"""Apple's platforms."""
