"""Bodies of the tier routes."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field, StrictBool

from app import clock
from app.accounts import entities
from app.files.entities import MAX_LIFETIME
from app.links.entities import MAX_DOWNLOADS
from routers.v1.schemas.fields import Id
from routers.v1.schemas.lists import ListOf


def _distinct(heights: list[int]) -> list[int]:
    if len(set(heights)) < len(heights):
        raise ValueError("a height is there twice")
    return heights


def _number(value: object) -> object:
    if isinstance(value, bool | str):  # false is no limit of 0
        raise ValueError("this is not a number")  # noqa: TRY004 - what becomes a 422
    return value


Name = Annotated[
    str,
    Field(
        examples=["Team"],
        min_length=1,
        max_length=64,
        pattern=r"^[^\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]+$",
    ),
]
Heights = Annotated[
    list[Annotated[int, Field(ge=1, le=10_000), BeforeValidator(_number)]],
    Field(
        max_length=16,
        description="Heights of thumbnails, in px.",
        json_schema_extra={"uniqueItems": True},
    ),
    AfterValidator(_distinct),
]
LimitOf = Annotated[
    int,
    Field(ge=0, le=2**53, description="Null: no limit."),
    BeforeValidator(_number),
]
LifetimeDefault = Annotated[
    int,
    Field(
        ge=1,
        le=MAX_LIFETIME,
        description="Seconds that a file lives if nobody says otherwise, up to `max_lifetime`. "
        "Null: `EXPIRE_TIME`.",
        examples=[86_400],
    ),
    BeforeValidator(_number),
]
LifetimeLimit = Annotated[
    int,
    Field(
        ge=1,
        le=MAX_LIFETIME,
        description="Seconds that a link, or a file that has one, may live. Null: no limit.",
        examples=[7 * 86_400],
    ),
    BeforeValidator(_number),
]
DownloadsDefault = Annotated[
    int,
    Field(
        ge=1,
        le=MAX_DOWNLOADS,
        description="The `max_downloads` of a link that is made without, up to that of the tier. "
        "Null: the tier's.",
        examples=[10],
    ),
    BeforeValidator(_number),
]
DownloadsLimit = Annotated[
    int,
    Field(
        ge=1,
        le=MAX_DOWNLOADS,
        description="The most downloads that a link may allow. Null: any number.",
        examples=[100],
    ),
    BeforeValidator(_number),
]


class TierCreate(BaseModel):
    """A new tier; without a limit there is none."""

    name: Name
    heights: Heights = []
    allow_original: StrictBool = False
    allow_links: StrictBool = False
    max_object_bytes: LimitOf | None = None
    max_total_bytes: LimitOf | None = None
    max_objects: LimitOf | None = None
    default_lifetime: LifetimeDefault | None = None
    max_lifetime: LifetimeLimit | None = None
    default_downloads: DownloadsDefault | None = None
    max_downloads: DownloadsLimit | None = None


class TierChange(BaseModel):
    """What to change about a tier; what is absent stays. A limit of null is taken away."""

    name: Name | None = None
    heights: Heights | None = None
    allow_original: StrictBool | None = None
    allow_links: StrictBool | None = None
    max_object_bytes: LimitOf | None = None
    max_total_bytes: LimitOf | None = None
    max_objects: LimitOf | None = None
    default_lifetime: LifetimeDefault | None = None
    max_lifetime: LifetimeLimit | None = None
    default_downloads: DownloadsDefault | None = None
    max_downloads: DownloadsLimit | None = None

    def facts(self) -> dict[str, Any]:
        """Return what is to change; null means something for limits and defaults only."""
        sent = self.model_dump(exclude_unset=True)
        return {
            n: value
            for n, value in sent.items()
            if value is not None or n.startswith(("max_", "default_"))
        }


class Tier(BaseModel):
    """A tier: what its accounts may keep, and what their pictures and links may do."""

    id: Id
    name: str = Field(examples=["Premium"])
    heights: list[int] = Field(examples=[[200, 400]])
    allow_original: bool
    allow_links: bool
    max_object_bytes: int | None = Field(examples=[107_374_182_400])
    max_total_bytes: int | None = Field(examples=[1_099_511_627_776])
    max_objects: int | None = Field(examples=[100_000])
    default_lifetime: int | None = Field(examples=[86_400])
    max_lifetime: int | None = Field(examples=[7 * 86_400])
    default_downloads: int | None = Field(examples=[10])
    max_downloads: int | None = Field(examples=[100])
    created_at: datetime

    @classmethod
    def of(cls, tier: entities.TierRecord) -> Self:
        """Make the body that answers for a tier."""
        return cls(
            id=tier.uuid,
            name=tier.name,
            heights=list(tier.heights),
            allow_original=tier.allow_original,
            allow_links=tier.allow_links,
            max_object_bytes=tier.max_object_bytes,
            max_total_bytes=tier.max_total_bytes,
            max_objects=tier.max_objects,
            default_lifetime=tier.default_lifetime,
            max_lifetime=tier.max_lifetime,
            default_downloads=tier.default_downloads,
            max_downloads=tier.max_downloads,
            created_at=clock.to_datetime(tier.created_at),
        )


class TierList(ListOf[Tier]):
    """A page of the tiers, newest first."""
