"""How long a test waits for what must happen: so long that a busy machine fails no test."""

from typing import Final

DEADLINE: Final = 120.0  # seconds
