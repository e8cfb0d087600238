"""The request that is served: what every line that is logged meanwhile says of it."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final


@dataclass(slots=True)
class CurrentRequest:
    """A request, and who asks, as soon as that is known."""

    id: str
    trace_id: str | None = None
    """That of the trace it is part of, where the client says so (W3C Trace Context)."""
    account: str | None = None
    """Uuid of the account."""
    key: str | None = None
    """Uuid of the API key that it came by."""
    session: str | None = None
    """Uuid of the session, likewise."""
    address: str | None = None
    """That of its client."""


current_request: Final[ContextVar[CurrentRequest | None]] = ContextVar(
    "current_request", default=None
)
