"""Limits of a connection, in bytes and seconds."""

from dataclasses import dataclass

from routers.connection.exchanges import PATIENCE


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of a connection."""

    head_bytes: int = 64 * 1024
    """Bytes of a head, and of trailers."""
    head_fields: int = 100
    head_seconds: float = 15.0
    """Seconds from connecting, or from the first byte of a head, to its end."""
    body_rate: int = 1024
    """Minimum bytes per second, averaged over each ``body_seconds`` but the first."""
    body_seconds: float = 60.0
    reading_seconds: float = PATIENCE
    """Seconds within which a client must read something that waits for it."""
    closing_seconds: float = 2.0
    """Seconds in which incoming bytes are dropped before the connection closes."""
