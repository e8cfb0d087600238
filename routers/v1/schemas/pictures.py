"""Schemas of pictures."""

import base64
import unicodedata
from datetime import datetime
from typing import Annotated, Literal, Self

from fastapi import Path
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app import clock
from app.pictures import entities
from app.pictures.entities import MAX_NAME_LENGTH
from app.security.characters import refuse_bidi
from routers.v1.schemas.fields import Id
from routers.v1.schemas.lists import ListOf


def check_name(value: str) -> str:
    """Return the name if it can be shown; raises `ValueError`."""
    if any(unicodedata.category(c) in {"Cc", "Cs"} for c in value):
        raise ValueError("a name holds no control characters or lone surrogates")
    return refuse_bidi(value)


PictureName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_NAME_LENGTH,
        examples=["The harbour at night"],
        json_schema_extra={
            "pattern": r"^[^\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]*$"
        },
    ),
    AfterValidator(check_name),
]
Height = Annotated[
    int, Path(ge=1, le=65535, description="In pixels, one of the owner's tier.", examples=[200])
]


class PictureForm(BaseModel):
    """A new picture as a form; its fields may come in any order."""

    name: PictureName
    img: Annotated[
        str,
        Field(
            description="A JPEG, PNG, WebP, GIF, AVIF or HEIC.",
            json_schema_extra={"format": "binary"},
        ),
    ]


class PictureFields(BaseModel):
    """The fields of a new picture's form, without its file."""

    name: PictureName


class PictureChange(BaseModel):
    """Changes to a picture; absent fields stay as they are."""

    name: PictureName | None = None


class Exif(BaseModel):
    """What the camera wrote into a picture; null: it didn't."""

    model_config = ConfigDict(from_attributes=True)

    camera: str | None = Field(examples=["FUJIFILM X100V"])
    lens: str | None = Field(examples=["23mm F2"])
    taken_at: str | None = Field(
        description="In local time, without an offset where the camera knew none.",
        examples=["2026-05-01T18:20:00+02:00"],
    )
    exposure_time: float | None = Field(description="In seconds.", examples=[0.004])
    f_number: float | None = Field(examples=[5.6])
    iso: int | None = Field(examples=[160])
    focal_length: float | None = Field(
        description="In mm, of 35 mm film where that is known.", examples=[35]
    )
    latitude: float | None = Field(description="In degrees north.", examples=[52.520008])
    longitude: float | None = Field(description="In degrees east.", examples=[13.404954])


class Picture(BaseModel):
    """A picture without its bytes."""

    id: Id
    name: str = Field(examples=["The harbour at night"])
    width: int = Field(description="In pixels, as shown.", examples=[4032])
    height: int = Field(description="In pixels, as shown.", examples=[3024])
    format: Literal["jpeg", "png", "webp", "gif", "avif", "heic"]
    size: int = Field(description="In bytes, of the original.", examples=[2_516_582])
    is_complete: bool = Field(
        description="False: the file is cut off or damaged, and is shown as far as it goes.",
        examples=[True],
    )
    thumbhash: str | None = Field(
        description="A placeholder by ThumbHash, in Base64; null: there is none (yet).",
        examples=["1QcSHQRnh493V4dIh4eXh1h4kJUI"],
    )
    exif: Exif = Field(description="How it was taken, as far as its file says.")
    created_at: datetime
    urls: list[str] = Field(
        description="Paths below the service's URL: a thumbnail for each height of the owner's "
        "tier, then the original where the tier allows it.",
        examples=[["/v1/pictures/0199a8b0-7f6e-7b1c-9a55-3d2f6c1e8a90/thumbnails/200"]],
    )

    @classmethod
    def of(cls, picture: entities.Picture) -> Self:
        """Make the schema of a picture."""
        facts, path = picture.facts, f"/v1/pictures/{picture.uuid}"
        urls = [f"{path}/thumbnails/{height}" for height in picture.tier.heights]
        if picture.tier.allow_original:
            urls.append(f"{path}/original")
        return cls(
            id=picture.uuid,
            name=picture.name,
            width=facts.width,
            height=facts.height,
            format=facts.format,
            size=picture.content.size,
            is_complete=facts.is_complete,
            thumbhash=base64.b64encode(facts.thumbhash).decode() if facts.thumbhash else None,
            exif=Exif.model_validate(facts.exif),
            created_at=clock.to_datetime(picture.created_at),
            urls=urls,
        )


class PictureList(ListOf[Picture]):
    """A page of pictures, newest first."""
