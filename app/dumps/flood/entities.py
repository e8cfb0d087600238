"""An account's policy for dumps that come very often."""

from dataclasses import dataclass
from typing import Final

MAX_KEPT: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Policy:
    """What is kept of a flood of dumps."""

    kept: int | None = None
    """Of how many dumps of a signature and version the bytes are kept; None: of all."""


OFF: Final = Policy()
