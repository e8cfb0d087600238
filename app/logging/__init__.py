"""Log lines: JSON for machines, text on a terminal; each with its request's id, no secrets."""

from app.logging.configuration import configure, flush
from app.logging.current_request import CurrentRequest, current_request

__all__ = ["CurrentRequest", "configure", "current_request", "flush"]
