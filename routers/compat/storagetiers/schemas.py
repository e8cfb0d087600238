"""Schemas of storagetiers."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, RootModel

from app.accounts.identity import Identity, Tier
from app.links.entities import Timelink
from routers.v1.schemas.accounts.accounts import GivenPassword

_URLS = Field(
    description="A list of paths as Python writes it: one for each height of the owner's tier, "
    "then the original's where the tier allows it.",
    examples=["['/api/picture/0199a8b0-7f6e-7b1c-9a55-3d2f6c1e8a90/200']"],
)


class StoragetiersLogin(BaseModel):
    """User name and password."""

    username: Annotated[str, Field(max_length=255)] = Field(examples=["ada"])
    password: GivenPassword


class StoragetiersTokens(BaseModel):
    """The tokens of a login."""

    refresh: str = Field(examples=["hr_0199a8b07f6e7b1c.7.n2Xw"])
    access: str = Field(examples=["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dGhpcyBpcyBub25l"])


class StoragetiersRefresh(BaseModel):
    """A refresh token, which stays valid."""

    refresh: str = Field(examples=["hr_0199a8b07f6e7b1c.7.n2Xw"])


class StoragetiersAccess(BaseModel):
    """A new access token."""

    access: str = Field(examples=["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dGhpcyBpcyBub25l"])


class StoragetiersPicture(BaseModel):
    """A picture as its owner sees it."""

    owner: str = Field(description="The owner's user name.", examples=["ada"])
    name: str = Field(examples=["The harbour at night"])
    urls: Annotated[str, _URLS]

    @classmethod
    def of(cls, uuid: str, name: str, owner: Identity, **more: Any) -> Self:  # noqa: ANN401 - fields of subclasses
        """Make the schema of a picture."""
        return cls(owner=owner.username, name=name, urls=str(_paths(uuid, owner.tier)), **more)


class StoragetiersUpload(StoragetiersPicture):
    """A picture that has just been created."""

    img: str = Field(
        description="The path of the original, which the tier may forbid.",
        examples=["/api/picture/0199a8b0-7f6e-7b1c-9a55-3d2f6c1e8a90"],
    )


class StoragetiersLinkRequest(BaseModel):
    """The lifetime of a new link."""

    time: int = Field(
        ge=300,
        le=30_000,
        description="Seconds, as a number or as text, within those that the settings allow.",
        examples=[400],
    )


class StoragetiersLink(BaseModel):
    """A new link to a picture."""

    url: str = Field(examples=["/api/timelink/0363825a-cb79-45d3-8d93-fbf8118c701b"])
    picture: StoragetiersPicture
    time: int = Field(description="The lifetime in seconds.", examples=[400])

    @classmethod
    def of(cls, link: Timelink, url: str, owner: Identity, **more: Any) -> Self:  # noqa: ANN401 - fields of subclasses
        """Make the schema of a link whose picture still exists."""
        assert link.target_id is not None
        assert link.target_name is not None
        assert link.lifetime is not None
        picture = StoragetiersPicture.of(link.target_id, link.target_name, owner)
        return cls(url=url, picture=picture, time=link.lifetime, **more)


class StoragetiersShared(StoragetiersLink):
    """A link to a picture, and the time it has left."""

    time_left: int | Literal["Expired"] = Field(description="Whole seconds.", examples=[340])


class StoragetiersError(BaseModel):
    """An error."""

    detail: str = Field(examples=["Not found"])


class StoragetiersFieldErrors(RootModel[dict[str, list[str]]]):
    """The errors of each field of the request."""


def original_path(uuid: str) -> str:
    """Return the path of a picture's original, which is also the prefix of its thumbnails'."""
    return f"/api/picture/{uuid}"


def _paths(uuid: str, tier: Tier) -> list[str]:
    path = original_path(uuid)
    paths = [f"{path}/{height}" for height in tier.heights]
    return [*paths, path] if tier.allow_original else paths
