"""Schemas of VertexCloud."""

from datetime import UTC
from typing import Annotated, Literal, Self
from urllib.parse import quote

from pydantic import BaseModel, Field

from app import clock
from app.files.entities import File
from routers.v1.schemas.accounts import GivenPassword

PRODUCER = "holdall"
MEDIA = "/media/cloud/media/static/files/"
"""The prefix of the paths of files."""

Text = Annotated[str, Field(max_length=1024)]
Key = Annotated[str, Field(description="The session's key.")]


class VertexcloudSignup(BaseModel):
    """A new account; an empty address counts as absent."""

    username: Text
    email: Text | None = None
    password: GivenPassword


class VertexcloudLogin(BaseModel):
    """User name and password."""

    username: Text
    password: GivenPassword


class VertexcloudKey(BaseModel):
    """A session's key."""

    key: Key | None = None


class VertexcloudDeletion(VertexcloudKey):
    """A session's key, and its account's password."""

    password: GivenPassword = ""


class VertexcloudUpload(BaseModel):
    """A file and a session's key, in any order."""

    file: Annotated[str, Field(description="The file.", json_schema_extra={"format": "binary"})]
    key: Key


class VertexcloudRefusal(BaseModel):
    """A refusal, with status 200 if the client can correct its request."""

    status: Literal[False] = False
    message: str
    authorization: str | None = None
    producer: str | None = None
    current_user_status: bool | None = None


class VertexcloudHealth(BaseModel):
    """Confirmation that the service runs."""

    status: Literal[True] = True
    request_method: str = Field("GET", serialization_alias="request method")
    message: str = "Api is Running Correctly!"
    runtime: str = "Active"
    producer: str = PRODUCER


class VertexcloudSignedUp(BaseModel):
    """A new account, and the key of its first session."""

    status: Literal[True] = True
    session: Literal[True] = True
    session_name: str = "current_user"
    message: str
    key: str = Field(serialization_alias="your session key")


class VertexcloudLoggedIn(BaseModel):
    """A new session."""

    status: Literal[True] = True
    session: Literal[True] = True
    session_name: str = "current_user"
    logged_in: Literal[True] = True
    user: str
    session_key: str


class VertexcloudExistingKey(BaseModel):
    """The key of the session whose cookie was sent."""

    status: Literal[True] = True
    message: str = "Your Existing Key is still available"
    key: str


class VertexcloudKeyDetails(BaseModel):
    """A key, and the name of its account."""

    user: str
    key: str


class VertexcloudNewKey(BaseModel):
    """The key of a new session."""

    status: Literal[True] = True
    message: str = "A new key has been created for you"
    details: VertexcloudKeyDetails


class VertexcloudCreated(BaseModel):
    """A file that has just been stored, under a name of its own."""

    status: Literal[True] = True
    message: str = "File Created Successfully! and has been saved."
    file_type: str
    filename: str
    size: int


class VertexcloudFile(BaseModel):
    """A file."""

    id: int
    url: str = Field(description="Its path; add `?key=`.")
    type: str
    size: int = Field(description="In bytes.")
    created_at: str = Field(description="UTC.", examples=["2025-01-01T12:00:00.000Z"])

    @classmethod
    def of(cls, file: File, base: str) -> Self:
        """Make the schema of a file; ``base`` is the prefix of the service's paths."""
        created = clock.to_datetime(file.created_at).astimezone(UTC).replace(tzinfo=None)
        return cls(
            id=file.number,
            url=base + MEDIA + quote(file.name, safe=""),
            type=file.content_type,
            size=file.content.size,
            created_at=f"{created.isoformat(timespec='milliseconds')}Z",
        )


class VertexcloudFiles(BaseModel):
    """Files by name."""

    file: dict[str, VertexcloudFile]


class VertexcloudDone(BaseModel):
    """Confirmation."""

    status: Literal[True] = True
    message: str


class VertexcloudFileDeleted(VertexcloudDone):
    """Confirmation that a file was deleted."""

    authorization: str = "user-token"
