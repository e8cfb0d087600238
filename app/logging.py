"""Log lines: JSON for machines, text on a terminal; each with its request's id, no secrets."""

import asyncio
import atexit
import json
import logging
import os
import re
import select
import sys
import threading
from collections.abc import MutableMapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote, urlsplit

import structlog
from pydantic import SecretStr
from pydantic_core import PydanticSerializationError, to_json

from app import metrics
from app.config import Settings

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Of the request that is served here; every line says it, those of libraries too."""

Event = MutableMapping[str, Any]

# what opens a door, wherever it turns up: API keys, refresh tokens, passwords in URLs, keys and
# tokens in queries, headers, public links, JWTs. Strangers write lines too: nothing is looked at
# twice, so that the time goes with the length. What begins like a JWT is taken whole, and may
# prove to be none, so it is the last to be tried.
_SECRETS: Final = re.compile(
    r"hk_[A-Za-z0-9]++|hr_[0-9a-f-]{36}\.\d++\.[\w-]++"
    r"|(?<=://)[^/\s@:\"\\]*+:[^/\s@\"\\]++(?=@)"
    r"|(?<=[?&]key=)[^&\s\"'\\]++|(?<=[?&]token=)[^&\s\"'\\]++"
    r"|(?<=[?&]password=)[^&\s\"'\\]++"
    r"|(?<=[Bb]earer )[^\s\"'\\]++|(?<=[Bb]asic )[^\s\"'\\]++"
    r"|(?P<path>/t/++(?=[\w-]{16})|/timelink/++(?=[0-9a-fA-F-]{32}))[\w-]++"
    r"|(?P<start>eyJ[\w-]*+)(?P<rest>\.[\w-]++\.[\w-]++)?+"
)
_API_KEY: Final = re.compile(r"hk_[A-Za-z0-9]++")
_REDACTED: Final = "[redacted]"
# searching for these is far quicker, and most lines have none
_MARKS: Final = (
    "hk_", "hr_", "eyJ", "://", "key=", "token=", "word=", "earer ", "asic ", "/t/", "/timel"
)  # fmt: skip
_SHORTEST: Final = 4  # a shorter password would blot out half of every line
_TOGETHER: Final = 0.01  # seconds
_KEPT: Final = 1024 * 1024  # bytes of lines that wait for a reader


class Redaction:
    """Blots out every secret that can be recognised, and the settings' own by their value."""

    def __init__(self, values: frozenset[str] = frozenset()) -> None:
        """``values`` are to be found in whatever form a line may have them."""
        forms = {form for value in values if len(value) >= _SHORTEST for form in _forms(value)}
        self._values = tuple(sorted(forms, key=len, reverse=True))

    @classmethod
    def of(cls, settings: Settings) -> "Redaction":
        """Make the redaction that knows these settings' secrets."""
        values: set[str] = set()
        for name in type(settings).model_fields:
            value = getattr(settings, name)
            if isinstance(value, SecretStr):
                text = value.get_secret_value()
                values.add(_password_in(text) if "://" in text else text)
        return cls(frozenset(values))

    def __call__(self, text: str) -> str:
        """Return the text with its secrets blotted out."""
        for value in self._values:
            if value in text:
                text = text.replace(value, _REDACTED)
        for mark in _MARKS:
            if mark in text:
                return _SECRETS.sub(_redacted, text)
        return text


def _redacted(match: re.Match[str]) -> str:
    if match["start"] is not None and match["rest"] is None:
        return _API_KEY.sub(_REDACTED, match[0])
    return f"{match['path'] or ''}{_REDACTED}"


def _password_in(url: str) -> str:
    return unquote(urlsplit(url).password or "")


def _forms(value: str) -> set[str]:
    plain = {value, quote(value), quote(value, safe=""), quote_plus(value)}
    escaped = {
        json.dumps(form, ensure_ascii=only)[1:-1] for form in plain for only in (True, False)
    }
    return plain | escaped | {repr(value)[1:-1]}


class Renderer:
    """Makes lines of events: JSON, or text."""

    def __init__(self, redact: Redaction, *, as_text: bool, colors: bool) -> None:
        self._redact = redact
        # the default would show local variables, and so secrets, where it finds the rich package
        self._console = (
            structlog.dev.ConsoleRenderer(
                colors=colors, exception_formatter=structlog.dev.plain_traceback
            )
            if as_text
            else None
        )

    def __call__(self, level: str, event: Event) -> str:
        """Return the line for an event, without its end."""
        moment = datetime.now(UTC).isoformat(timespec="microseconds")[:-6]
        line = {"timestamp": f"{moment}Z", "level": level, "event": event.pop("event", "")}
        if (current := request_id.get()) is not None:
            line["request_id"] = current
        line.update(event)
        return self._redact(self._text(line) if self._console else _json(line))

    def _text(self, line: dict[str, Any]) -> str:
        assert self._console is not None
        for name, value in line.items():
            if isinstance(value, str) and not value.isprintable():
                line[name] = repr(value)  # nobody writes lines of their own, or to the terminal
        return str(self._console(None, "", line))


def _json(line: dict[str, Any]) -> str:
    if "exc_info" in line:
        structlog.processors.format_exc_info(None, "", line)
    try:
        return to_json(line, fallback=repr).decode()
    except (PydanticSerializationError, UnicodeError):  # half a character, as in a broken name
        return json.dumps(line, default=repr)


class LogOutput:
    """Writes lines to standard error, and never waits for whoever reads them.

    What a full pipe does not take is kept, up to a limit, until it takes more, which is tried with
    every line and at the end of the process. What comes beyond the limit is dropped, counted, and
    told of in a line. Any thread may write.
    """

    def __init__(self, file: int = 2, *, limit: int = _KEPT) -> None:
        """``file`` is a descriptor, and ``limit`` how many bytes to keep."""
        self._file = file
        self._limit = limit
        self._kept = bytearray()
        self._dropped = 0
        self._due = False  # a flush is scheduled
        self._poll = select.poll()
        self._poll.register(file, select.POLLOUT)
        self._lock = threading.Lock()

    def write_soon(self, line: str) -> None:
        """Write a line with those of the next 10 ms: a system call for each costs more than all."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.write(line)
            return
        self._keep(line)
        if not self._due:
            self._due = True
            loop.call_later(_TOGETHER, self.flush)

    def write(self, line: str) -> None:
        """Write a line, now or as soon as it can be."""
        self._keep(line)
        self.flush()

    def _keep(self, line: str) -> None:
        data = line.encode("utf-8", "backslashreplace") + b"\n"
        with self._lock:
            if self._dropped and len(self._kept) < self._limit // 2:
                self._kept += _lost(self._dropped)
                self._dropped = 0
            if len(self._kept) + len(data) > self._limit:
                self._dropped += 1
                metrics.dropped_log_lines.inc()
            else:
                self._kept += data

    def flush(self) -> None:
        """Write what is kept, as far as that is possible without waiting."""
        self._due = False
        with self._lock:
            self._flush()

    def _flush(self) -> None:
        try:
            while self._kept and self._takes_more():
                # whole lines, and no more than a pipe takes without waiting when it takes some
                end = self._kept.rfind(b"\n", 0, select.PIPE_BUF) + 1
                written = os.write(self._file, self._kept[: end or select.PIPE_BUF])
                del self._kept[:written]
        except OSError:  # nobody reads any more, and there is nobody else to tell
            self._kept.clear()

    def _takes_more(self) -> bool:
        return any(events & select.POLLOUT for _, events in self._poll.poll(0))


def _lost(count: int) -> bytes:
    facts = {
        "level": "warning",
        "event": "log lines were dropped: nobody read them",
        "count": count,
    }
    return json.dumps(facts).encode() + b"\n"


class _Handler(logging.Handler):
    """Takes what libraries log."""

    def __init__(self, render: Renderer, output: LogOutput) -> None:
        super().__init__()
        self._render = render
        self._output = output

    def emit(self, record: logging.LogRecord) -> None:
        try:
            event: Event = {"event": record.getMessage(), "logger": record.name}
            if record.exc_info:
                event["exc_info"] = record.exc_info
            self._output.write(self._render(record.levelname.lower(), event))
        except Exception:  # noqa: BLE001 - as the standard handlers do
            self.handleError(record)


class _LineLogger:
    """What structlog gives its finished lines to."""

    def __init__(self, output: LogOutput) -> None:
        self.debug = self.info = output.write_soon
        self.warning = self.error = self.critical = output.write


def configure(settings: Settings) -> None:
    """Send everything that this process logs, libraries and warnings included, to stderr."""
    terminal = sys.stderr is not None and sys.stderr.isatty()
    as_text = settings.log_format == "text" or (settings.log_format == "auto" and terminal)
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    render = Renderer(Redaction.of(settings), as_text=as_text, colors=terminal)
    output = LogOutput()
    atexit.register(output.flush)

    def finish(_logger: object, method: str, event: Event) -> str:
        return render("error" if method == "exception" else method, event)

    structlog.configure(
        processors=[finish],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _LineLogger(output),
        cache_logger_on_first_use=True,
    )
    logging.root.handlers[:] = [_Handler(render, output)]
    logging.root.setLevel(max(level, logging.INFO))  # what libraries tell at debug holds secrets
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    logging.getLogger("uvicorn.access").disabled = True  # the edge logs requests, without queries
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
