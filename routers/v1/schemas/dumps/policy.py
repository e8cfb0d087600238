"""Schemas of what an account keeps of a flood of dumps."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, model_validator

from app import clock
from app.dumps.entities import MAX_LABEL, MAX_RETENTION
from app.dumps.flood import entities
from app.dumps.flood.entities import MAX_KEPT, MAX_LABELS, MAX_REFUSALS
from routers.v1.schemas.fields import NOT_BOOLEAN, Text

Kept = Annotated[
    int | None,
    Field(
        ge=1,
        le=MAX_KEPT,
        description="Of how many dumps of a signature and version the bytes are kept: those that "
        "were read first. Null: of all.",
        examples=[50],
    ),
    NOT_BOOLEAN,
]
Retention = Annotated[
    dict[
        Annotated[Text, Field(min_length=1, max_length=MAX_LABEL)],
        Annotated[int, Field(ge=1, le=MAX_RETENTION), NOT_BOOLEAN],
    ],
    Field(
        max_length=MAX_LABELS,
        description="Labels with the seconds that their new dumps are kept, if these don't say so "
        "themselves; `*` stands for all others.",
        examples=[{"acme nightly": 604_800, "*": 7_776_000}],
    ),
]
_LONGEST = 1024
_Value = Annotated[Text, Field(min_length=1, max_length=_LONGEST)]


class DumpRefusal(BaseModel):
    """Crash reports to refuse: by an annotation, and its `value` or a `prefix` of it."""

    name: _Value = Field(examples=["channel"])
    value: _Value | None = Field(None, examples=["dev"])
    prefix: _Value | None = Field(None, examples=["dev-"])

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.value is None) == (self.prefix is None):
            raise ValueError("give either a value or a prefix")
        return self

    def refusal(self) -> entities.Refusal:
        """Return it as the service has it."""
        return entities.Refusal(self.name, self.value or self.prefix or "", self.value is None)


class CountedDumpRefusal(DumpRefusal):
    """Crash reports to refuse, and how many came."""

    count: int = Field(examples=[1200])
    last_at: datetime | None = Field(description="When the last one came.")


class DumpPolicyChange(BaseModel):
    """Changes to the policy; absent fields stay as they are."""

    kept: Kept = None
    retention: Retention | None = None
    refuse: (
        Annotated[
            list[DumpRefusal],
            Field(
                max_length=MAX_REFUSALS,
                description="What is refused, in place of what was. What stays keeps its count.",
            ),
        ]
        | None
    ) = None

    def changes(self) -> dict[str, Any]:
        """Return the fields to change, with their new values."""
        changes = self.model_dump(include={"kept", "retention"}, exclude_unset=True)
        if self.refuse is not None:
            changes["refuse"] = list(dict.fromkeys(each.refusal() for each in self.refuse))
        return {n: value for n, value in changes.items() if value is not None or n == "kept"}


class DumpPolicy(BaseModel):
    """What an account keeps of a flood of dumps."""

    kept: Kept
    retention: Retention
    refuse: list[CountedDumpRefusal]

    @classmethod
    def of(cls, policy: entities.Policy) -> Self:
        """Make the schema of a policy."""
        refuse = [
            CountedDumpRefusal(
                name=each.name,
                value=None if each.is_prefix else each.value,
                prefix=each.value if each.is_prefix else None,
                count=each.count,
                last_at=None if each.last_at is None else clock.to_datetime(each.last_at),
            )
            for each in policy.refuse
        ]
        return cls(kept=policy.kept, retention=dict(policy.retention), refuse=refuse)
