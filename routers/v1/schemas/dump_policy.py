"""Schemas of what an account keeps of a flood of dumps."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, Field

from app.dumps.flood import entities
from app.dumps.flood.entities import MAX_KEPT
from routers.v1.schemas.fields import values_of

Kept = Annotated[
    int | None,
    Field(
        ge=1,
        le=MAX_KEPT,
        description="Of how many dumps of a signature and version the bytes are kept: those that "
        "were read first. Null: of all.",
        examples=[50],
    ),
]


class DumpPolicyChange(BaseModel):
    """Changes to the policy; absent fields stay as they are."""

    kept: Kept = None

    def changes(self) -> dict[str, Any]:
        """Return the fields to change, with their new values."""
        return self.model_dump(exclude_unset=True)


class DumpPolicy(BaseModel):
    """What an account keeps of a flood of dumps."""

    kept: Kept

    @classmethod
    def of(cls, policy: entities.Policy) -> Self:
        """Make the schema of a policy."""
        return cls(**values_of(policy, cls))
