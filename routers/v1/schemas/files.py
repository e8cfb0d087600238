"""Schemas of files."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, field_validator

from app import clock
from app.files import entities
from app.files.entities import MAX_LIFETIME
from app.objects.file_names import MAX_NAME_LENGTH, file_name
from routers.v1.schemas.fields import NOT_BOOLEAN, Id, Sha256, Size
from routers.v1.schemas.link_options import LinkPassword, MaxDownloads, Note
from routers.v1.schemas.lists import ListOf

UNNAMED: Final = "upload"
"""The name of a file that has none, as from a pipe."""

FileName = Annotated[
    str,
    Field(
        max_length=4096,
        description=f"Up to {MAX_NAME_LENGTH} characters; of a path, the last segment counts.",
        examples=["photo.jpg"],
        json_schema_extra={
            "pattern": r"^([\s\S]*[/\\])?(?!\.{1,2}$)"
            r"[^/\\\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]{1,255}$"
        },
    ),
    AfterValidator(file_name),
]
ExpiresIn = Annotated[
    int,
    Field(
        ge=0,
        le=MAX_LIFETIME,
        description="Seconds that the file lives from now; 0 keeps it. Default: `EXPIRE_TIME`.",
        examples=[3600],
    ),
    NOT_BOOLEAN,
]

INBOX_ID: Final[Any] = Field(
    description="The inbox that it came by; null: none, or one that was deleted.",
    examples=["0199a8b0-7f6e-7b1c-9a55-3d2f6c1e8a90"],
)
INBOX_TITLE: Final[Any] = Field(description="Of that inbox.", examples=["Photos of the party"])

Evict = Annotated[
    Literal["any", "none"] | UUID,
    Field(
        description="What may be evicted when `MAX_FILES` expire: those that expire first; "
        "nothing, which is a 409; or one file by its id, which goes in any case.",
    ),
]


class FileFields(BaseModel):
    """The fields of a file's form beside the file."""

    expires_in: ExpiresIn | None = None
    evict: Evict = "any"
    max_downloads: MaxDownloads | None = None
    password: LinkPassword | None = None
    note: Note | None = None

    @field_validator("max_downloads", "password", "note", mode="before")
    @classmethod
    def _given(cls, value: object) -> object:
        return None if value == "" else value  # a browser sends fields that nobody filled in

    @property
    def options(self) -> dict[str, Any]:
        """What the file's link is to allow and say, as far as a new file takes it as it is."""
        return {"max_downloads": self.max_downloads, "note": self.note}


class FileForm(FileFields):
    """A file that is to be stored, as a form; its fields may come in any order."""

    file: Annotated[str, Field(description="The file.", json_schema_extra={"format": "binary"})]


class SentForm(FileFields):
    """Files that are to be sent together, as a form; its fields may come in any order."""

    file: list[Annotated[str, Field(description="A file.", json_schema_extra={"format": "binary"})]]


class FileState(StrEnum):
    """Whether a file expires."""

    EXPIRING = "expiring"
    KEPT = "kept"


class FileChange(BaseModel):
    """Changes of a file and its link; what is absent stays. A null of the link's is none."""

    name: FileName | None = None
    expires_in: ExpiresIn | None = None
    max_downloads: MaxDownloads | None = None
    password: LinkPassword | None = None
    note: Note | None = None

    def facts(self) -> dict[str, Any]:
        """Return what is to change; null means something for what a link has."""
        sent = self.model_dump(exclude_unset=True)
        of_file = {"name", "expires_in"}
        return {n: value for n, value in sent.items() if value is not None or n not in of_file}


class StoredFile(BaseModel):
    """A file without its bytes."""

    id: Id
    name: str = Field(examples=["photo.jpg"])
    content_type: str = Field(examples=["image/jpeg"])
    size: Size
    sha256: Sha256
    created_at: datetime
    expires_at: datetime | None = Field(description="Null: it is kept.")
    link: str | None = Field(
        description="URL of a timelink to it: its own, which lives as long as the file, or else "
        "the newest that is active. Null: it has none.",
        examples=["https://holdall.example.org/t/n2XwG7aJ3kS5rT8vY1zBcA"],
    )

    max_downloads: int | None = Field(
        description="How many downloads the link allows; the file goes with the last of its own "
        "link. Null: any number.",
        examples=[3],
    )
    downloads: int | None = Field(
        description="The downloads that have begun, if `max_downloads` limits them.", examples=[1]
    )
    has_password: bool = Field(description="Whether the link asks for a password.")
    note: str | None = Field(
        description="What the link tells whoever opens it.", examples=["The photos of Sunday"]
    )
    inbox_id: str | None = INBOX_ID
    inbox_title: str | None = INBOX_TITLE

    @classmethod
    def of(cls, file: entities.File, link: str | None) -> Self:
        shared = file.sharing
        return cls(
            id=file.uuid,
            name=file.name,
            content_type=file.content_type,
            size=file.content.size,
            sha256=file.content.sha256.hex(),
            created_at=clock.to_datetime(file.created_at),
            expires_at=None if file.expires_at is None else clock.to_datetime(file.expires_at),
            link=link,
            max_downloads=shared.max_downloads,
            downloads=None if shared.max_downloads is None else shared.downloads,
            has_password=shared.has_password,
            note=shared.note,
            inbox_id=None if file.origin is None else file.origin.uuid,
            inbox_title=None if file.origin is None else file.origin.title,
        )


class FileList(ListOf[StoredFile]):
    """A page of files, newest first."""
