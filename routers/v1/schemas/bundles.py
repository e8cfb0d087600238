"""Schemas of bundles and their members."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, Field, StrictBool

from app import clock
from app.bundles import entities
from app.bundles.entities import MAX_MEMBERS, NewBundle
from app.features import TARGETS
from app.objects.file_names import relative_name
from routers.v1.schemas.fields import Id, Sha256, Size, Text
from routers.v1.schemas.files import INBOX_ID, INBOX_TITLE, ExpiresIn, FileFields
from routers.v1.schemas.link_options import ORIGINALS, LinkPassword, MaxDownloads, Note
from routers.v1.schemas.lists import ListOf
from routers.v1.schemas.timelinks import TargetId

MAX_BUNDLE_NAME: Final = 200

BundleName = Annotated[
    Text,
    Field(
        min_length=1,
        max_length=MAX_BUNDLE_NAME,
        description="What its page and its archive are called.",
        examples=["Holiday"],
    ),
]
MemberKind = StrEnum(  # type: ignore[misc]
    "MemberKind", [(kind, kind) for kind, target in TARGETS.items() if target.has_content]
)
MemberKind.__doc__ = "The types of things that a bundle may point to."

MemberName = Annotated[
    str,
    Field(max_length=4096, description="A file name, or a relative path.", examples=["photo.jpg"]),
    AfterValidator(relative_name),
]
"""The name of a member; one that came in a folder may have a path."""


class BundleOptions(FileFields):
    """What a bundle and its link are to be, all of it optional."""

    name: BundleName = entities.UNNAMED
    originals: Annotated[StrictBool, ORIGINALS] = False

    def new_bundle(self, password_hash: str | None) -> NewBundle:
        """Return the bundle that is to be made."""
        return NewBundle(
            self.name,
            self.expires_in,
            str(self.evict),
            password_hash=password_hash,
            originals=self.originals,
            **self.options,
        )


class BundleChange(BaseModel):
    """Changes of a bundle and its link; what is absent stays. A null of the link's is none."""

    name: BundleName | None = None
    expires_in: ExpiresIn | None = None
    is_open: StrictBool | None = Field(
        None, description="Whether more may be added; false closes it.", examples=[False]
    )
    max_downloads: MaxDownloads | None = None
    password: LinkPassword | None = None
    note: Note | None = None
    originals: Annotated[StrictBool | None, ORIGINALS] = None

    def facts(self) -> dict[str, Any]:
        """Return what is to change; null means something for what a link has."""
        sent = self.model_dump(exclude_unset=True)
        own = {"name", "expires_in", "is_open", "originals"}
        return {n: value for n, value in sent.items() if value is not None or n not in own}


class Pointer(BaseModel):
    """A thing of the account that a bundle is to point to."""

    kind: MemberKind = Field(examples=["picture"])
    id: TargetId


class MemberForm(BaseModel):
    """Files that a bundle is to own, as a form."""

    file: list[Annotated[str, Field(description="A file.", json_schema_extra={"format": "binary"})]]


class Member(BaseModel):
    """A member of a bundle."""

    id: Id
    kind: MemberKind = Field(examples=["file"])
    target: str | None = Field(
        description="The id of the thing that it points to; null: the bundle owns it.",
        examples=["0199a8b0-7f6e-7b1c-9a55-3d2f6c1e8a90"],
    )
    name: str = Field(
        description="No other member of the bundle has this name; it may be a relative path.",
        examples=["photo.jpg"],
    )
    content_type: str = Field(examples=["image/jpeg"])
    size: Size
    sha256: Sha256
    created_at: datetime

    @classmethod
    def of(cls, member: entities.Member) -> Self:
        return cls(
            id=member.uuid,
            kind=MemberKind(member.kind),
            target=member.target,
            name=member.name,
            content_type=member.content_type,
            size=member.content.size,
            sha256=member.content.sha256.hex(),
            created_at=clock.to_datetime(member.created_at),
        )


class MemberList(ListOf[Member]):
    """A page of a bundle's members, in their order."""


class Bundle(BaseModel):
    """A bundle without its members."""

    id: Id
    name: str = Field(examples=["Holiday"])
    link: str | None = Field(
        description="URL of a timelink to it: its own, which lives as long as the bundle, or else "
        "the newest that is active. Null: it has none.",
        examples=["https://holdall.example.org/t/n2XwG7aJ3kS5rT8vY1zBcA"],
    )
    created_at: datetime
    expires_at: datetime | None = Field(description="Null: it is kept.")
    is_open: bool = Field(description="Whether more may be added.")
    max_downloads: int | None = Field(description="Of the link.", examples=[10])
    downloads: int = Field(description="Of the link, if they are limited.", examples=[1])
    has_password: bool = Field(description="Whether the link has one.")
    note: str | None = Field(description="Of the link.", examples=["The photos of Sunday"])
    originals: bool = Field(description="Whether the link gives pictures with all in their files.")
    count: int = Field(description=f"Of members, up to {MAX_MEMBERS}.", examples=[3])
    size: Size
    inbox_id: str | None = INBOX_ID
    inbox_title: str | None = INBOX_TITLE

    @classmethod
    def of(cls, bundle: entities.Bundle, link: str | None, **more: Any) -> Self:  # noqa: ANN401 - of subclasses
        shared = bundle.sharing
        return cls(
            id=bundle.uuid,
            name=bundle.name,
            link=link,
            created_at=clock.to_datetime(bundle.created_at),
            expires_at=None if bundle.expires_at is None else clock.to_datetime(bundle.expires_at),
            is_open=bundle.is_open,
            max_downloads=shared.max_downloads,
            downloads=shared.downloads,
            has_password=shared.has_password,
            note=shared.note,
            originals=shared.originals,
            count=bundle.count,
            size=bundle.size,
            inbox_id=None if bundle.origin is None else bundle.origin.uuid,
            inbox_title=None if bundle.origin is None else bundle.origin.title,
            **more,
        )


class WholeBundle(Bundle):
    """A bundle with the first of its members."""

    items: list[Member] = Field(description="The first 100 members; its `items` are all.")


class BundleList(ListOf[Bundle]):
    """A page of bundles, newest first."""
