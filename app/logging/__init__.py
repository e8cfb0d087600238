"""Log lines: JSON for machines, text on a terminal; each with its request's id, no secrets."""

from app.logging.configuration import configure
from app.logging.rendering import request_id

__all__ = ["configure", "request_id"]
