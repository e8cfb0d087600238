"""An account's policy for dumps that come very often."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

MAX_KEPT: Final = 1_000_000
MAX_LABELS: Final = 100
MAX_REFUSALS: Final = 50
ANY_LABEL: Final = "*"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Crash reports to refuse: those with an annotation."""

    name: str
    value: str
    is_prefix: bool
    """Whether the annotation's value only begins with ``value``."""
    count: int = 0
    """How many came."""
    last_at: int | None = None

    def refuses(self, annotations: Mapping[str, str]) -> bool:
        """Tell whether a report with these annotations isn't wanted."""
        found = annotations.get(self.name)
        if found is None:
            return False
        return found.startswith(self.value) if self.is_prefix else found == self.value


@dataclass(frozen=True, slots=True)
class Policy:
    """What is kept of a flood of dumps."""

    kept: int | None = None
    """Of how many dumps of a signature and version the bytes are kept; None: of all."""
    retention: Mapping[str, int] = field(default_factory=dict)
    """Seconds that new dumps of a label are kept, if they don't say so themselves."""
    refuse: Sequence[Refusal] = ()

    def retention_of(self, label: str | None) -> int | None:
        """Return how many seconds a new dump of a label is kept; None: for ever."""
        own = None if label is None else self.retention.get(label)
        return self.retention.get(ANY_LABEL) if own is None else own
