"""Schemas of crash reports: the form that brings one, and what its minidump says."""

from typing import Annotated

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


class CrashThreads(BaseModel):
    """The threads of the process."""

    count: int = Field(examples=[8])
    crashing: int | None = Field(description="The id of the thread that crashed.", examples=[77])


class LoadedModule(BaseModel):
    """A module that was loaded."""

    name: str = Field(examples=["libacme.so"])
    version: str | None = Field(examples=["1.4.0.0"])
    base: str = Field(description="In hex.", examples=["0x7f0000000000"])
    size: Size = Field(examples=[2_097_152])


class CrashReport(BaseModel):
    """A minidump's contents."""

    platform: str | None = Field(examples=["linux"])
    architecture: str | None = Field(examples=["x86_64"])
    os_version: str | None = Field(examples=["6.1.0"])
    exception: CrashException | None
    crashing_module: CrashModule | None
    threads: CrashThreads
    modules: list[LoadedModule]
    damaged: list[str] = Field(
        default=[],
        description="Parts of the minidump that could not be read, or only in part.",
        examples=[["modules: 12 of 80 can be read"]],
    )
