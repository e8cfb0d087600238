"""Fields that many schemas have."""

from typing import Annotated

from pydantic import Field

Id = Annotated[
    str,
    Field(
        description="A UUID, version 7 (RFC 9562).",
        examples=["0199a8b0-7f6e-7b1c-9a55-3d2f6c1e8a90"],
    ),
]
Size = Annotated[int, Field(description="In bytes.", examples=[14])]
Sha256 = Annotated[
    str,
    Field(
        description="In hex.",
        examples=["d9014c4624844aa5bac314773d6b689ad467fa4e1d1a50a1b8a99d5a95f72ff5"],
    ),
]
