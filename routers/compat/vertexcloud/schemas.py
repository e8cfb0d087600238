"""Schemas of VertexCloud."""

from datetime import UTC
from typing import Annotated, Literal, Self
from urllib.parse import quote

from pydantic import BaseModel, Field

from app import clock
from app.files.entities import File
from routers.v1.schemas.accounts.accounts import GivenPassword

PRODUCER = "holdall"
MEDIA = "/media/cloud/media/static/files/"
"""The prefix of the paths of files."""

Text = Annotated[str, Field(max_length=1024)]
Key = Annotated[str, Field(description="The session's key.", examples=["hv_n2XwG7aJ3kS5"])]


class VertexcloudSignup(BaseModel):
    """A new account; an empty address counts as absent."""

    username: Text = Field(examples=["ada"])
    email: Text | None = Field(default=None, examples=["ada@example.org"])
    password: GivenPassword


class VertexcloudLogin(BaseModel):
    """User name and password."""

    username: Text = Field(examples=["ada"])
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
    message: str = Field(examples=["Invalid User Credentials"])
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
    message: str = Field(examples=["New User ada has been created successfully"])
    key: str = Field(serialization_alias="your session key", examples=["hv_n2XwG7aJ3kS5"])


class VertexcloudLoggedIn(BaseModel):
    """A new session."""

    status: Literal[True] = True
    session: Literal[True] = True
    session_name: str = "current_user"
    logged_in: Literal[True] = True
    user: str = Field(examples=["ada"])
    session_key: str = Field(examples=["hv_n2XwG7aJ3kS5"])


class VertexcloudExistingKey(BaseModel):
    """The key of the session whose cookie was sent."""

    status: Literal[True] = True
    message: str = "Your Existing Key is still available"
    key: str = Field(examples=["hv_n2XwG7aJ3kS5"])


class VertexcloudKeyDetails(BaseModel):
    """A key, and the name of its account."""

    user: str = Field(examples=["ada"])
    key: str = Field(examples=["hv_n2XwG7aJ3kS5"])


class VertexcloudNewKey(BaseModel):
    """The key of a new session."""

    status: Literal[True] = True
    message: str = "A new key has been created for you"
    details: VertexcloudKeyDetails


class VertexcloudCreated(BaseModel):
    """A file that has just been stored, under a name of its own."""

    status: Literal[True] = True
    message: str = "File Created Successfully! and has been saved."
    file_type: str = Field(examples=["application/pdf"])
    filename: str = Field(examples=["a_1.pdf"])
    size: int = Field(examples=[14])


class VertexcloudFile(BaseModel):
    """A file."""

    id: int = Field(examples=[7])
    url: str = Field(
        description="Its path; add `?key=`.", examples=["/media/cloud/media/static/files/a_1.pdf"]
    )
    type: str = Field(examples=["application/pdf"])
    size: int = Field(description="In bytes.", examples=[14])
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
    message: str = Field(examples=["User : ada sessions has been Flushed and Now logged out."])


class VertexcloudFileDeleted(VertexcloudDone):
    """Confirmation that a file was deleted."""

    authorization: str = "user-token"
