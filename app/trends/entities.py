"""What trends say."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Trends:
    """Numbers of the last days, including today, the oldest first."""

    stored: Sequence[tuple[date, int]]
    """Bytes that were kept; 0 where nobody has looked."""
    received: Sequence[tuple[date, int]]
    """Files, bundles and pictures that came."""
    crashes: Sequence[tuple[date, int]]
    """Dumps that came and are still there."""
