"""Schemas of crash reports: the form that brings one, and what its minidump says."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from routers.v1.schemas.fields import Size


class MinidumpForm(BaseModel):
    """A crash report as Crashpad and Breakpad send it.

    Every other field is an annotation, every other file an attachment.
    """

    upload_file_minidump: Annotated[str, Field(json_schema_extra={"format": "binary"})]
    product: Annotated[str | None, Field(description="Or `prod`: the label's first half.")] = Field(
        default=None, examples=["acme"]
    )
    version: Annotated[str | None, Field(description="Or `ver`: the label's second half.")] = Field(
        default=None, examples=["1.4"]
    )


class CrashModule(BaseModel):
    """The module that crashed."""

    name: str = Field(examples=["libacme.so"])
    offset: str = Field(description="From the module's base, in hex.", examples=["0x1a2b"])
    is_caller: bool = Field(
        default=False,
        description="True: the crash was outside all modules, and this one is the caller.",
    )


class CrashException(BaseModel):
    """The exception that caused the crash."""

    code: int = Field(examples=[11])
    name: str = Field(examples=["SIGSEGV", "EXCEPTION_ACCESS_VIOLATION_READ"])
    reason: str | None = Field(
        default=None,
        description="Details from the system.",
        examples=["SEGV_MAPERR", "KERN_INVALID_ADDRESS", "FAST_FAIL_FATAL_APP_EXIT"],
    )
    address: str = Field(
        description="The address that was accessed, or else that of the exception; in hex.",
        examples=["0x0"],
    )


class InlinedFunction(BaseModel):
    """A function that is inlined into the one of a frame."""

    function: str = Field(examples=["acme::peek()"])
    file: str | None = Field(examples=["/src/acme/parser.h"])
    line: int | None = Field(examples=[7])


class CrashFrame(BaseModel):
    """A frame of a stack: a function that was called and has not returned."""

    frame: int = Field(description="Its number; 0 is the innermost.", examples=[0])
    trust: Literal["context", "cfi", "frame_pointer", "scan"] = Field(
        description="How it was found, from the surest to the least sure."
    )
    address: str = Field(
        description="The instruction, in hex; of a caller, inside the call.", examples=["0x401a2b"]
    )
    module: str | None = Field(description="Null: it is in no module.", examples=["libacme.so"])
    module_offset: str | None = Field(
        description="The instruction from the module's base, in hex.", examples=["0x1a2b"]
    )
    function: str | None = Field(
        default=None,
        description="Null: there are no symbols for it.",
        examples=["acme::Parser::next(int)"],
    )
    function_offset: str | None = Field(
        default=None,
        description="The instruction from the function's beginning, in hex.",
        examples=["0x1b"],
    )
    file: str | None = Field(default=None, examples=["/src/acme/parser.cc"])
    line: int | None = Field(default=None, examples=[42])
    inlines: list[InlinedFunction] = Field(
        default=[], description="Functions that are inlined into this one, the innermost first."
    )


class CrashThread(BaseModel):
    """A thread of the process with its stack."""

    id: int = Field(examples=[77])
    name: str | None = Field(examples=["worker"])
    is_crashed: bool
    frames: list[CrashFrame] = Field(description="The innermost first; none: not known.")


class CrashCode(BaseModel):
    """The bytes around the instruction that crashed."""

    address: str = Field(description="Of the first byte, in hex.", examples=["0x401a0b"])
    bytes: str = Field(description="In hex.", examples=["c745f805000000"])


class LoadedModule(BaseModel):
    """A module that was loaded."""

    name: str = Field(examples=["libacme.so"])
    version: str | None = Field(examples=["1.4.0.0"])
    base: str = Field(description="In hex.", examples=["0x7f0000000000"])
    size: Size = Field(examples=[2_097_152])
    debug_file: str | None = Field(
        description="The name of the file with its symbols.", examples=["libacme.so"]
    )
    debug_id: str | None = Field(
        description="The id of that file: a GUID and an age, in hex.",
        examples=["5A9832E5287241C1838ED98914E9B7FF1"],
    )
    code_id: str | None = Field(
        description="The build id; on Windows, the time stamp and the size.",
        examples=["b1d3e1a8c0f9d1e2a3b4c5d6e7f8091a2b3c4d5e"],
    )
    has_symbols: bool = Field(description="Whether symbols of it have been used.")


class UnloadedModule(BaseModel):
    """A module that had been loaded, and was no more."""

    name: str = Field(examples=["plugin.dll"])
    base: str = Field(description="In hex.", examples=["0x7f0000000000"])
    size: Size = Field(examples=[2_097_152])


class CrashReport(BaseModel):
    """A minidump's contents."""

    platform: str | None = Field(examples=["linux"])
    architecture: str | None = Field(examples=["x86_64"])
    os_version: str | None = Field(examples=["6.1.0"])
    crashed_at: datetime | None = Field(description="When the minidump was written.")
    uptime: int | None = Field(description="Of the process, in seconds.", examples=[86_400])
    assertion: str | None = Field(
        description="The assertion that failed, and where.", examples=["n > 0, grow, a.cc:12"]
    )
    exception: CrashException | None
    crashing_module: CrashModule | None
    registers: dict[str, str] = Field(
        description="Of the thread that crashed, in hex.", examples=[{"rip": "0x401a2b"}]
    )
    code: CrashCode | None
    thread_count: int = Field(examples=[8])
    threads: list[CrashThread]
    modules: list[LoadedModule]
    unloaded_modules: list[UnloadedModule]
    damaged: list[str] = Field(
        default=[],
        description="Parts of the minidump that could not be read, or only in part.",
        examples=[["modules: 12 of 80 can be read"]],
    )
    left_out: list[str] = Field(
        description="What the report has no room for, or lacks.",
        examples=[["threads: 1024 of 70000 are here"]],
    )
