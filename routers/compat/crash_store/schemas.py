"""Schemas of Crash Store."""

from datetime import datetime
from typing import Self

from pydantic import BaseModel, Field

from app import clock
from app.dumps.entities import Dump


class CrashStoreDump(BaseModel):
    """A dump as Crash Store shows it."""

    id: int = Field(examples=[7])
    original_name: str = Field(description="The name of the uploaded file.", examples=["app.dmp"])
    stored_name: str = Field(
        description="The name of the stored file: 32 hex digits.",
        examples=["5f0c6a4f9b7d4e21a3c8d1e0f2b3a495"],
    )
    time: datetime = Field(description="When the dump was uploaded.")
    label: str | None = Field(examples=["acme 1.4"])
    archived: bool
    description: str = Field(examples=["Seen on start"])

    @classmethod
    def of(cls, dump: Dump) -> Self:
        """Make the schema of a dump."""
        # dumps are never kept in rows, but for those whose bytes were dropped
        key = dump.content.key or dump.uuid.replace("-", "")
        return cls(
            id=dump.number,
            original_name=dump.original_name,
            stored_name=key.rpartition("/")[2],
            time=clock.to_datetime(dump.created_at),
            label=dump.label,
            archived=dump.archived,
            description=dump.description,
        )


class CrashStoreError(BaseModel):
    """An error."""

    detail: str = Field(examples=["Not found"])


class CrashStoreNoFile(BaseModel):
    """The error for a form without a file."""

    error: str = Field(examples=["No file provided"])
