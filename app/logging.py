"""Log lines: JSON for machines, text on a terminal; each with its request's id, no secrets."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Final

import structlog

from app.config import Settings

# what opens a door, wherever it turns up: API keys, JWTs, refresh tokens, passwords in URLs,
# keys and tokens in queries
_SECRETS: Final = re.compile(
    r"hk_[A-Za-z0-9]+|hr_[0-9a-f-]{36}\.\d+\.[\w-]+|eyJ[\w-]+\.[\w-]+\.[\w-]+"
    r"|(?<=://)[^/\s@]*:[^/\s@]+(?=@)|(?<=[?&]key=)[^&\s\"']+|(?<=[?&]token=)[^&\s\"']+"
    r"|(?<=[Bb]earer )[^\s\"']+"
)


def configure(settings: Settings) -> None:
    """Send everything that this process logs, libraries included, to standard error."""
    as_text = settings.log_format == "text" or (
        settings.log_format == "auto" and sys.stderr.isatty()
    )
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    renderer: list[Any] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
        if as_text
        else [structlog.processors.format_exc_info, _redact, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*shared, *([_redact] if as_text else []), *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _redact,
                *renderer,
            ],
        )
    )
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(max(level, logging.INFO))
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    logging.getLogger("uvicorn.access").disabled = True  # the edge logs requests, without queries
    logging.getLogger("alembic").setLevel(logging.WARNING)


def _redact(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = redacted(value)
    return event


def redacted(text: str) -> str:
    """Return the text with every secret that can be recognised blotted out."""
    return _SECRETS.sub("[redacted]", text)
