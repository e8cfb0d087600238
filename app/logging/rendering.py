"""Rendering of log events as lines: JSON for machines, text on a terminal."""

import json
import time
from collections.abc import MutableMapping
from functools import lru_cache
from typing import Any

import structlog
from pydantic_core import PydanticSerializationError, to_json

from app.logging.current_request import current_request
from app.logging.redaction import Redaction

Event = MutableMapping[str, Any]


class Renderer:
    """Renders events as lines of JSON or text."""

    def __init__(self, redact: Redaction, *, as_text: bool, colors: bool) -> None:
        self._redact = redact
        # the default would show local variables, and so secrets, if the rich package is installed
        self._console = (
            structlog.dev.ConsoleRenderer(
                colors=colors, exception_formatter=structlog.dev.plain_traceback
            )
            if as_text
            else None
        )

    def __call__(self, level: str, event: Event) -> str:
        """Return the line of an event, without a line feed."""
        line = {"timestamp": _timestamp(), "level": level, "event": event.pop("event", "")}
        if (request := current_request.get()) is not None:  # lines of libraries have it too
            line["request_id"] = request.id
            if request.trace_id is not None:
                line["trace_id"] = request.trace_id
        line.update(event)
        return self._redact(self._text(line) if self._console else _json(line))

    def _text(self, line: dict[str, Any]) -> str:
        assert self._console is not None
        for name, value in line.items():
            if isinstance(value, str) and not value.isprintable():
                line[name] = repr(value)  # against forged lines and terminal escapes
        return str(self._console(None, "", line))


def _timestamp() -> str:
    seconds, rest = divmod(time.time_ns(), 1_000_000_000)
    return f"{_second(seconds)}.{rest // 1000:06d}Z"


@lru_cache(maxsize=1)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def _json(line: dict[str, Any]) -> str:
    if "exc_info" in line:
        structlog.processors.format_exc_info(None, "", line)
    try:
        return to_json(line, fallback=repr).decode()
    except (PydanticSerializationError, UnicodeError):  # half a character, as in a broken name
        return json.dumps(line, default=repr)
