"""Schemas of signatures."""

from datetime import date, datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, Field

from app import clock
from app.dumps.signatures import entities
from app.dumps.signatures.entities import MAX_NOTE, MAX_RESOLVED_IN, RECENT, State
from app.security.characters import refuse_bidi
from routers.v1.schemas.fields import Id, Text, values_of
from routers.v1.schemas.lists import ListOf

ResolvedIn = Annotated[
    Annotated[Text, Field(max_length=MAX_RESOLVED_IN), AfterValidator(refuse_bidi)] | None,
    AfterValidator(lambda value: value or None),
    Field(
        description="The version that has the fix: a crash in a later one reopens the signature. "
        "Null: any crash does that comes after this.",
        examples=["1.5"],
    ),
]
_STATE = "What is to be done about it: a crash of an ignored one changes nothing."


class DumpSignatureChange(BaseModel):
    """Changes to a signature; absent fields stay as they are."""

    state: State | None = Field(None, description=_STATE)
    resolved_in: ResolvedIn = None
    note: Annotated[Text, Field(max_length=MAX_NOTE, examples=["A race in the parser"])] | None = (
        None
    )

    def changes(self) -> dict[str, Any]:
        """Return the fields to change, with their new values."""
        sent = self.model_dump(exclude_unset=True)
        return {n: value for n, value in sent.items() if value is not None or n == "resolved_in"}


class DumpsOfVersion(BaseModel):
    """How many dumps a version has."""

    version: str = Field(description="Empty: it isn't known.", examples=["1.4"])
    count: int = Field(examples=[12])


class DumpsOfPlatform(BaseModel):
    """How many dumps a platform has."""

    platform: str = Field(description="Empty: it isn't known.", examples=["linux"])
    count: int = Field(examples=[12])


class DumpsOfDay(BaseModel):
    """How many dumps came on a day, in UTC."""

    day: date = Field(examples=["2026-11-26"])
    count: int = Field(examples=[3])


class SignatureHead(BaseModel):
    """What is told of a signature everywhere."""

    id: Id
    signature: str = Field(examples=["std::vector<T>::at | acme::Parser::parse"])
    state: State = Field(description=_STATE)
    is_new: bool = Field(description="First seen in the last 7 days, and open.")
    is_regression: bool = Field(description="Open again, by a crash after it was resolved.")
    resolved_in: str | None = Field(
        description="The version that has the fix, or was to have it.", examples=["1.5"]
    )
    resolved_at: datetime | None
    regressed_in: str | None = Field(
        description="The version of the crash that reopened it.", examples=["1.6"]
    )
    regressed_at: datetime | None = Field(description="When that crash came.")
    note: str = Field(examples=["A race in the parser"])
    count: int = Field(description="How many dumps have it.", examples=[12])
    total: int = Field(
        description="How many ever had it, with those that are deleted.", examples=[120]
    )
    size: int = Field(description="In bytes, of the dumps that have it.", examples=[3_145_728])
    first_seen: datetime
    last_seen: datetime

    @classmethod
    def of_signature(cls, signature: entities.Signature, **more: Any) -> Self:  # noqa: ANN401 - fields of subclasses
        """Make the schema of a signature."""
        return cls(
            **values_of(signature, cls),
            **more,
            id=signature.uuid,
            signature=signature.name,
            is_new=signature.is_new(clock.now()),
            is_regression=signature.is_regression,
            total=signature.total,
            first_seen=clock.to_datetime(signature.first_seen_at),
            last_seen=clock.to_datetime(signature.last_seen_at),
        )


class DumpSignature(SignatureHead):
    """A signature of crashes, with its dumps of the last days."""

    recent: list[int] = Field(
        description=f"How many came on each of the last {RECENT} days in UTC; the last is today.",
        examples=[[0] * (RECENT - 3) + [2, 5, 1]],
    )
    versions: list[DumpsOfVersion] = Field(
        description="Their versions, as far as these are known, the newest first."
    )

    @classmethod
    def of(cls, listed: entities.Listed) -> Self:
        """Make the schema of a signature in a list."""
        return cls.of_signature(
            listed.signature,
            recent=list(listed.recent),
            versions=[DumpsOfVersion(version=name, count=n) for name, n in listed.versions],
        )


class DumpSignatureList(ListOf[DumpSignature]):
    """A page of signatures."""


class DumpSignatureDetails(SignatureHead):
    """A signature of crashes, with its dumps of some days."""

    days: list[DumpsOfDay] = Field(description="The oldest first; the last is today.")
    versions: list[DumpsOfVersion] = Field(description="The newest first.")
    platforms: list[DumpsOfPlatform] = Field(description="The most frequent first.")
    counted: int | None = Field(
        description="How many of the newest dumps these counts are of, where the filters want them "
        "counted one by one and there may be more. Null: of all.",
        examples=[2000],
    )

    @classmethod
    def of(cls, details: entities.Details) -> Self:
        """Make the schema of a signature with its counts."""
        counts = details.counts
        return cls.of_signature(
            details.signature,
            days=[DumpsOfDay(day=day, count=n) for day, n in counts.days],
            versions=[DumpsOfVersion(version=name, count=n) for name, n in counts.versions],
            platforms=[DumpsOfPlatform(platform=name, count=n) for name, n in counts.platforms],
            counted=counts.newest,
        )
