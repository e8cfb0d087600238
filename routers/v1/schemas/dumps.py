"""Dumps on the wire."""

import unicodedata
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from fastapi import Query
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field

from app import clock
from app.dumps import attachments as dump_attachments
from app.dumps import groups as dump_groups
from app.dumps import rows as dumps
from app.dumps.rows import MAX_DESCRIPTION, MAX_LABEL, MAX_RETENTION
from app.dumps.search import Filters
from app.security.characters import refuse_bidi
from routers.v1.schemas.files import FileName
from routers.v1.schemas.lists import ListOf


def _check_text(value: str) -> str:
    if any(unicodedata.category(c) in {"Cc", "Cs"} and c not in "\t\r\n" for c in value):
        raise ValueError("a text holds no control characters or lone surrogates")
    return value


def _none_if_empty(value: str | None) -> str | None:
    return value or None


Text = Annotated[
    str,
    AfterValidator(_check_text),
    Field(
        json_schema_extra={"pattern": r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$"}
    ),
]
Label = Annotated[
    Annotated[Text, Field(max_length=MAX_LABEL), AfterValidator(refuse_bidi)] | None,
    AfterValidator(_none_if_empty),
    Field(description="What it is filed under; empty: nothing.", examples=["acme 1.4"]),
]
Description = Annotated[Text, Field(max_length=MAX_DESCRIPTION)]
Retention = Annotated[
    int | None,
    Field(ge=1, le=MAX_RETENTION, description="Seconds until it is deleted. Default: never."),
]
ReportState = Literal["pending", "read", "failed", "none"]
_FILE: Any = Field(json_schema_extra={"format": "binary"})
_STATE = (
    "Whether the minidump has been read: not yet, yes, in vain, or never, as it is no minidump."
)


class DumpFields(BaseModel):
    """What a new dump's form says beside the file."""

    label: Label = None
    description: Description = ""
    retention: Retention = None


class DumpForm(DumpFields):
    """A dump to be stored, as a form; its fields may come in any order."""

    file: Annotated[str, _FILE]


class DumpReplacementFields(BaseModel):
    """What the form of a replacement says beside the file; without a label it has none."""

    label: Label = None

    def changes(self) -> dict[str, Any]:
        """Return the columns to change, with their new values."""
        return {"label": self.label}


class DumpReplacementForm(DumpReplacementFields):
    """What takes a dump's place, as a form."""

    file: Annotated[str, _FILE]


class DumpChange(BaseModel):
    """What to change about a dump; what is absent stays. A label of null is taken away."""

    label: Label = None
    description: Description | None = None
    archived: bool | None = None

    def changes(self) -> dict[str, Any]:
        """Return the columns to change, with their new values."""
        sent = self.model_dump(exclude_unset=True)
        return {n: value for n, value in sent.items() if value is not None or n == "label"}


class DumpChangeForm(DumpChange):
    """The same as a form, which may have a file to take the place of the dump's own."""

    file: Annotated[str | None, _FILE] = None


class MinidumpForm(BaseModel):
    """A crash report, as Crashpad and Breakpad send it.

    Every other field is an annotation, every other file an attachment.
    """

    upload_file_minidump: Annotated[str, _FILE]
    product: Annotated[str | None, Field(description="Or `prod`: the label's first half.")] = None
    version: Annotated[str | None, Field(description="Or `ver`: the label's second half.")] = None


class CrashModule(BaseModel):
    """Where it crashed."""

    name: str
    offset: str = Field(description="From the module's base, in hex.", examples=["0x1a2b"])
    is_caller: bool = Field(
        default=False,
        description="Whether it called what crashed, which was in no module itself.",
    )


class CrashException(BaseModel):
    """What made it crash."""

    code: int
    name: str = Field(examples=["SIGSEGV", "EXCEPTION_ACCESS_VIOLATION_READ"])
    reason: str | None = Field(
        default=None,
        description="What more the system said.",
        examples=["SEGV_MAPERR", "KERN_INVALID_ADDRESS", "FAST_FAIL_FATAL_APP_EXIT"],
    )
    address: str = Field(
        description="Of what was accessed, or else as the exception tells it; in hex."
    )


class CrashThreads(BaseModel):
    """The threads there were."""

    count: int
    crashing: int | None = Field(description="The id of the one that crashed.")


class LoadedModule(BaseModel):
    """A module that was loaded."""

    name: str
    version: str | None
    base: str = Field(description="In hex.", examples=["0x7f0000000000"])
    size: int = Field(description="In bytes.")


class CrashReport(BaseModel):
    """What a minidump says."""

    platform: str | None = Field(examples=["linux"])
    architecture: str | None = Field(examples=["x86_64"])
    os_version: str | None
    exception: CrashException | None
    crashing_module: CrashModule | None
    threads: CrashThreads
    modules: list[LoadedModule]
    damaged: list[str] = Field(
        default=[],
        description="What of the minidump could not be read, or not wholly.",
        examples=[["modules: 12 of 80 can be read"]],
    )


class DumpFacts(BaseModel):
    """A dump without its bytes."""

    id: str
    original_name: str
    size: int = Field(description="In bytes.")
    sha256: str = Field(description="In hex.")
    label: str | None
    description: str
    archived: bool
    annotations: dict[str, str] = Field(description="What else its uploader said.")
    created_at: datetime
    modified_at: datetime
    expires_at: datetime | None = Field(description="Null: it is kept.")
    report_state: ReportState = Field(description=_STATE)
    platform: str | None
    architecture: str | None
    exception: str | None
    module: str | None = Field(description="The one that it crashed in.")
    signature: str | None = Field(description="Equal crashes have the same.")

    @classmethod
    def of(cls, dump: dumps.Dump, **more: Any) -> Self:  # noqa: ANN401 - fields of subclasses
        """Make the body that answers for a dump."""
        names = cls.model_fields.keys() & type(dump).__slots__
        values = {name: getattr(dump, name) for name in names} | {
            name: None if moment is None else clock.to_datetime(moment)
            for name in ("created_at", "modified_at", "expires_at")
            for moment in (getattr(dump, name),)
        }
        content = dump.content
        return cls(**values, **more, id=dump.uuid, size=content.size, sha256=content.sha256.hex())


class DumpAttachment(BaseModel):
    """A file that came along with a dump."""

    id: str
    field: str = Field(description="Of the form that it came in.")
    name: str
    content_type: str
    size: int = Field(description="In bytes.")
    sha256: str = Field(description="In hex.")

    @classmethod
    def of(cls, attachment: dump_attachments.Attachment) -> Self:
        """Make the body that answers for an attachment."""
        return cls(
            id=attachment.uuid,
            field=attachment.field,
            name=attachment.name,
            content_type=attachment.content_type,
            size=attachment.content.size,
            sha256=attachment.content.sha256.hex(),
        )


class DumpDetails(DumpFacts):
    """A dump without its bytes, with what was read out of them and what came along."""

    report: CrashReport | None
    report_error: str | None = Field(description="Why it could not be read.")
    attachments: list[DumpAttachment]


class DumpList(ListOf[DumpFacts]):
    """A page of dumps, newest first."""


class DumpAttachmentList(ListOf[DumpAttachment]):
    """The attachments of a dump, in the order that they came."""


class DumpLabel(BaseModel):
    """A label that dumps have."""

    label: str
    count: int = Field(description="How many dumps have it.")
    size: int = Field(description="In bytes, of all of these.")
    first_seen: datetime
    last_seen: datetime

    @classmethod
    def of(cls, group: dump_groups.Group) -> Self:
        """Make the body that answers for a label."""
        return cls(label=group.name, **_facts(group))


class DumpLabelList(ListOf[DumpLabel]):
    """A page of labels, in their order."""


class DumpSignature(BaseModel):
    """A signature that crashes have in common."""

    signature: str
    count: int = Field(description="How many dumps have it.")
    size: int = Field(description="In bytes, of all of these.")
    first_seen: datetime
    last_seen: datetime

    @classmethod
    def of(cls, group: dump_groups.Group) -> Self:
        """Make the body that answers for a signature."""
        return cls(signature=group.name, **_facts(group))


class DumpSignatureList(ListOf[DumpSignature]):
    """A page of signatures, in their order."""


def _facts(group: dump_groups.Group) -> dict[str, Any]:
    return {
        "count": group.count,
        "size": group.size,
        "first_seen": clock.to_datetime(group.first_seen),
        "last_seen": clock.to_datetime(group.last_seen),
    }


_Wanted = Annotated[Text, Field(max_length=1024)] | None
_Moment = AwareDatetime | None


def dump_filters(
    label: Annotated[_Wanted, Query(description="Only dumps with this label.")] = None,
    q: Annotated[
        _Wanted,
        Query(
            description="Only dumps with this text anywhere in their name, label, description or "
            "an annotation's value; without case."
        ),
    ] = None,
    archived: Annotated[
        bool | None, Query(description="Only those that are archived, or are not.")
    ] = None,
    since: Annotated[_Moment, Query(description="Only those made then or later.")] = None,
    until: Annotated[_Moment, Query(description="Only those made then or sooner.")] = None,
    platform: Annotated[_Wanted, Query(description="Of the report.")] = None,
    architecture: Annotated[_Wanted, Query(description="Of the report.")] = None,
    exception: Annotated[_Wanted, Query(description="The exception's name.")] = None,
    module: Annotated[_Wanted, Query(description="The name of the one that crashed.")] = None,
    signature: Annotated[_Wanted, Query(description="Of the crash.")] = None,
) -> Filters:
    """Read the filters of a list of dumps from the query."""
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
    )


class UploadedName(BaseModel):
    """What an uploaded file is called."""

    file: FileName
