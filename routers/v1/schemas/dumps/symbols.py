"""Schemas of symbols."""

from datetime import datetime
from typing import Annotated, Literal, Self

from fastapi import Query
from pydantic import BaseModel, Field

from app.dumps.modules import Missing
from app.symbols import entities
from app.symbols.entities import Filters, debug_id_of
from routers.v1.schemas.fields import Id, Size, Text, values_of
from routers.v1.schemas.lists import ListOf

DebugId = Annotated[
    str,
    Field(description="A GUID and an age, in hex.", examples=["5A9832E5287241C1838ED98914E9B7FF1"]),
]


class Symbols(BaseModel):
    """The symbols of a module, in a file that may have those of others as well."""

    id: Id
    name: str = Field(description="Of the file.", examples=["acme.pdb"])
    debug_file: str = Field(examples=["acme.pdb"])
    debug_id: DebugId
    code_id: str | None = Field(
        description="The build id; of a PE, its time stamp and size.", examples=["589dfd111a000"]
    )
    arch: str = Field(examples=["x86_64"])
    form: str = Field(description="The kind of file.", examples=["elf", "pdb", "breakpad"])
    features: list[str] = Field(
        description="What it has: `debug` (functions and lines), `symtab`, `unwind`, `sources`.",
        examples=[["debug", "unwind"]],
    )
    state: Literal["pending", "ready", "failed"] = Field(
        description="Whether they have been read: not yet, yes, or without success."
    )
    error: str | None = Field(description="Why they could not be read.")
    size: Size
    created_at: datetime
    used_at: datetime = Field(description="When a report needed them last, to half a day.")
    expires_at: datetime | None = Field(description="Unless they are used before; null: never.")

    @classmethod
    def of(cls, symbols: entities.Symbols) -> Self:
        """Make the schema of symbols."""
        return cls(**values_of(symbols, cls), id=symbols.uuid, size=symbols.content.size)


class SymbolsList(ListOf[Symbols]):
    """A page of symbols, newest first."""


class MissingSymbols(BaseModel):
    """Symbols that stacks of dumps lack."""

    debug_file: str = Field(examples=["acme.pdb"])
    debug_id: DebugId
    code_id: str | None = Field(examples=["589dfd111a000"])
    dumps: int = Field(description="How many of the newest dumps need them.", examples=[12])

    @classmethod
    def of(cls, missing: Missing) -> Self:
        """Make the schema of missing symbols."""
        return cls(**values_of(missing, cls))


class MissingSymbolsList(ListOf[MissingSymbols]):
    """Symbols that stacks of dumps lack, the most wanted first."""


class NewSymbols(BaseModel):
    """The symbols of an uploaded file, those included that were there already."""

    items: list[Symbols]


Wanted = Annotated[Text, Field(max_length=255)]


def symbol_filters(
    debug_file: Annotated[Wanted | None, Query(description="The name of the file.")] = None,
    debug_id: Annotated[
        Wanted | None, Query(description="A GUID and an age, with dashes or without.")
    ] = None,
) -> Filters:
    """Read the filters of a list from the query."""
    found = None if debug_id is None else debug_id_of(debug_id)
    return Filters(debug_file=debug_file, debug_id=found)


class SymbolsCheck(BaseModel):
    """Whether there are symbols of a module, in the words of `sym_upload`."""

    status: Literal["FOUND", "MISSING"]


class SymbolsUpload(BaseModel):
    """An upload that has begun, in the words of `sym_upload`."""

    uploadUrl: str = Field(  # noqa: N815 - on the wire
        examples=["https://holdall.example/v1/symbols/breakpad/uploads/hu_gk3Zc1x"]
    )
    uploadKey: str = Field(examples=["hu_gk3Zc1x"])  # noqa: N815 - on the wire


class SymbolsCompleted(BaseModel):
    """The result of an upload, in the words of `sym_upload`."""

    result: Literal["OK", "DUPLICATE_DATA"]


class SymbolsForm(BaseModel):
    """A symbol file as the first version of `sym_upload` sends it."""

    symbol_file: Annotated[str, Field(json_schema_extra={"format": "binary"})]
    debug_file: str | None = Field(default=None, examples=["acme.so"])
    debug_identifier: str | None = Field(
        default=None, examples=["5A9832E5287241C1838ED98914E9B7FF1"]
    )
