"""Schemas of dumps."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from fastapi import Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field

from app import clock
from app.dumps import entities
from app.dumps.entities import MAX_DESCRIPTION, MAX_LABEL, MAX_RETENTION, Filters
from app.security.characters import refuse_bidi
from routers.v1.schemas.dumps.crash_reports import CrashReport
from routers.v1.schemas.fields import Id, Sha256, Size, Text, values_of
from routers.v1.schemas.files import FileName
from routers.v1.schemas.lists import ListOf


def _none_if_empty(value: str | None) -> str | None:
    return value or None


Label = Annotated[
    Annotated[Text, Field(max_length=MAX_LABEL), AfterValidator(refuse_bidi)] | None,
    AfterValidator(_none_if_empty),
    Field(description="The dump's label; empty: none.", examples=["acme 1.4"]),
]
Description = Annotated[Text, Field(max_length=MAX_DESCRIPTION, examples=["Seen on start"])]
Retention = Annotated[
    int | None,
    Field(
        ge=1,
        le=MAX_RETENTION,
        description="Seconds until the dump expires. Default: never.",
        examples=[2_592_000],
    ),
]
ReportState = Literal["pending", "read", "failed", "none"]
_FILE: Any = Field(json_schema_extra={"format": "binary"})
_STATE = "Whether the minidump has been read: not yet, yes, without success, or no minidump."


class DumpFields(BaseModel):
    """The fields of a new dump's form, without its file."""

    label: Label = None
    description: Description = ""
    retention: Retention = None


class DumpForm(DumpFields):
    """A new dump as a form; its fields may come in any order."""

    file: Annotated[str, _FILE]


class DumpReplacementFields(BaseModel):
    """The fields of a replacement's form, without its file; an absent label is removed."""

    label: Label = None

    def changes(self) -> dict[str, Any]:
        """Return the fields to change, with their new values."""
        return {"label": self.label}


class DumpReplacementForm(DumpReplacementFields):
    """A dump's new file and label, as a form."""

    file: Annotated[str, _FILE]


class DumpChange(BaseModel):
    """Changes to a dump; absent fields stay as they are, a label of null is removed."""

    label: Label = None
    description: Description | None = None
    archived: bool | None = None

    def changes(self) -> dict[str, Any]:
        """Return the fields to change, with their new values."""
        sent = self.model_dump(exclude_unset=True)
        return {n: value for n, value in sent.items() if value is not None or n == "label"}


class DumpChangeForm(DumpChange):
    """Changes to a dump as a form, which may have a new file."""

    file: Annotated[str | None, _FILE] = None


class Dump(BaseModel):
    """A dump without its bytes."""

    id: Id
    original_name: str = Field(examples=["app.dmp"])
    size: Size
    sha256: Sha256
    label: str | None = Field(examples=["acme 1.4"])
    version: str | None = Field(
        description="Of the application, as its crash report says.", examples=["1.4"]
    )
    description: str = Field(examples=["Seen on start"])
    archived: bool
    annotations: dict[str, str] = Field(
        description="Further fields of its crash report.", examples=[{"channel": "beta"}]
    )
    created_at: datetime
    modified_at: datetime
    expires_at: datetime | None = Field(description="Null: never.")
    dropped_at: datetime | None = Field(
        description="When its bytes were dropped, since enough of its signature and version are "
        "kept. Null: they are there."
    )
    report_state: ReportState = Field(description=_STATE)
    platform: str | None = Field(examples=["linux"])
    architecture: str | None = Field(examples=["x86_64"])
    exception: str | None = Field(examples=["SIGSEGV"])
    module: str | None = Field(description="The module that crashed.", examples=["libacme.so"])
    signature: str | None = Field(
        description="Equal for equal crashes.",
        examples=["std::vector<T>::at | acme::Parser::parse"],
    )

    @classmethod
    def of(cls, dump: entities.Dump, **more: Any) -> Self:  # noqa: ANN401 - fields of subclasses
        """Make the schema of a dump."""
        content = dump.content
        return cls(
            **values_of(dump, cls),
            **more,
            id=dump.uuid,
            size=content.size,
            sha256=content.sha256.hex(),
        )


class DumpAttachment(BaseModel):
    """A file that was sent with a dump."""

    id: Id
    field: str = Field(description="The form field that it was sent in.", examples=["log"])
    name: str = Field(examples=["app.log"])
    content_type: str = Field(examples=["text/plain"])
    size: Size
    sha256: Sha256

    @classmethod
    def of(cls, attachment: entities.Attachment) -> Self:
        """Make the schema of an attachment."""
        return cls(
            id=attachment.uuid,
            field=attachment.field,
            name=attachment.name,
            content_type=attachment.content_type,
            size=attachment.content.size,
            sha256=attachment.content.sha256.hex(),
        )


class DumpDetails(Dump):
    """A dump without its bytes, with its report and its attachments."""

    report: CrashReport | None
    report_error: str | None = Field(description="Why the minidump could not be read.")
    attachments: list[DumpAttachment]

    @classmethod
    def of_details(cls, details: entities.DumpDetails) -> Self:
        """Make the schema of a dump with its report and attachments."""
        is_read = details.dump.report_state == "read"
        return cls.of(
            details.dump,
            report=CrashReport(**details.report) if is_read else None,
            report_error=details.report.get("error"),
            attachments=[DumpAttachment.of(attachment) for attachment in details.attachments],
        )


class DumpList(ListOf[Dump]):
    """A page of dumps, newest first."""


class DumpAttachmentList(ListOf[DumpAttachment]):
    """The attachments of a dump, in the order that they were sent in."""


class DumpLabel(BaseModel):
    """A label in use."""

    label: str = Field(examples=["acme 1.4"])
    count: int = Field(description="How many dumps have it.", examples=[12])
    size: int = Field(description="In bytes, of all of these dumps.", examples=[3_145_728])
    first_seen: datetime
    last_seen: datetime

    @classmethod
    def of(cls, group: entities.Group) -> Self:
        """Make the schema of a label."""
        return cls(
            label=group.name,
            count=group.count,
            size=group.size,
            first_seen=clock.to_datetime(group.first_seen),
            last_seen=clock.to_datetime(group.last_seen),
        )


class DumpLabelList(ListOf[DumpLabel]):
    """A page of labels, in order."""


_Wanted = Annotated[Text, Field(max_length=1024)] | None
_Moment = AwareDatetime | None


def dump_filters(
    label: Annotated[_Wanted, Query(description="Only dumps with this label.")] = None,
    q: Annotated[
        _Wanted,
        Query(
            description="Only dumps with this text anywhere in their name, label, description or "
            "an annotation's value, ignoring case."
        ),
    ] = None,
    archived: Annotated[
        bool | None, Query(description="Only archived dumps, or only others.")
    ] = None,
    since: Annotated[_Moment, Query(description="Only dumps created then or later.")] = None,
    until: Annotated[_Moment, Query(description="Only dumps created then or earlier.")] = None,
    platform: Annotated[_Wanted, Query(description="The report's platform.")] = None,
    architecture: Annotated[_Wanted, Query(description="The report's architecture.")] = None,
    exception: Annotated[_Wanted, Query(description="The exception's name.")] = None,
    module: Annotated[_Wanted, Query(description="The name of the module that crashed.")] = None,
    signature: Annotated[_Wanted, Query(description="The crash's signature.")] = None,
    version: Annotated[_Wanted, Query(description="The application's version.")] = None,
) -> Filters:
    """Read the filters of a list from the query."""
    return Filters(
        label=label,
        q=q or None,
        archived=archived,
        since=None if since is None else clock.from_datetime(since),
        until=None if until is None else clock.from_datetime(until),
        platform=platform,
        architecture=architecture,
        exception=exception,
        module=module,
        signature=signature,
        version=version,
    )


class UploadedName(BaseModel):
    """The name of an uploaded file."""

    file: FileName
