"""What a client has of a connection, at most and at least."""

from dataclasses import dataclass

from routers.connection.exchanges import PATIENCE


@dataclass(frozen=True, slots=True)
class Limits:
    """What a client has of a connection."""

    head_bytes: int = 64 * 1024
    """Of a head, and of trailers."""
    head_fields: int = 100
    head_seconds: float = 15.0
    """From connecting, or from a head's first byte, to its end."""
    body_rate: int = 1024
    """Bytes a second, at least, on the average of each ``body_seconds`` but the first."""
    body_seconds: float = 60.0
    reading_seconds: float = PATIENCE
    """In which a client must take something of what waits for it."""
    closing_seconds: float = 2.0
    """In which what still comes is dropped before the connection closes."""
