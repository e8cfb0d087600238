"""Frames of a stack, and the process that they are unwound from."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from app.stacks.architectures import APPLE, POINTER_BITS, Architecture
from app.stacks.memory import Memory
from app.stacks.modules import Module, Modules
from app.stacks.symbol_cache import Rules

Trust = Literal["context", "cfi", "frame_pointer", "scan"]
"""How a frame was found, from the surest to the least sure; minidump-stackwalk's words."""

Registers = Mapping[str, int]
"""Values of the registers that are known."""


class Symbols(Protocol):
    """What is known of modules by their symbols; offsets are from a module's base."""

    def rules(self, module: Module, offset: int) -> Rules | None:
        """Return the rules for unwinding that cover an offset."""

    def may_be_code(self, module: Module, offset: int) -> bool:
        """Tell whether a function covers an offset, or nothing is known of the module."""


@dataclass(frozen=True, slots=True)
class Process:
    """What unwinding reads of a process that has ended."""

    architecture: Architecture
    platform: str | None
    modules: Modules
    memory: Memory
    symbols: Symbols

    def word(self, address: int) -> int | None:
        """Return the pointer at an address, or None."""
        return self.memory.word(address, self.architecture.width)

    def code(self, pointer: int) -> int:
        """Return the address of a pointer to code: without a signature, or the mark of Thumb."""
        if self.architecture.name == "arm":
            return pointer & ~1
        is_signed = self.architecture.name == "arm64" and self.platform in APPLE
        return pointer & POINTER_BITS if is_signed else pointer

    def is_code(self, pointer: int) -> bool:
        """Tell whether a pointer may be a return address: the call before it is in a module."""
        address = self.code(pointer) - self.architecture.call
        module = self.modules.at(address)
        return module is not None and self.symbols.may_be_code(module, address - module.base)


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of a stack."""

    trust: Trust
    registers: Registers
    instruction: int
    """Where it was: of a caller, inside the call rather than after it."""
