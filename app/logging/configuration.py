"""Configuration of logging: all log lines of the process go to standard error."""

import atexit
import logging
import sys
from typing import Final

import structlog

from app.config import Settings
from app.logging.output import LogOutput
from app.logging.redaction import Redaction
from app.logging.rendering import Event, Renderer


class _Handler(logging.Handler):
    """The handler of records that libraries log."""

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
    """The logger that structlog passes finished lines to."""

    def __init__(self, output: LogOutput) -> None:
        self.debug = self.info = output.write_soon
        self.warning = self.error = self.critical = output.write


_outputs: Final[list[LogOutput]] = []  # of this process so far


@atexit.register
def flush() -> None:
    """Write what lines wait to be written."""
    for output in _outputs:
        output.flush()


def configure(settings: Settings) -> None:
    """Send all log lines of this process, of libraries and warnings too, to standard error."""
    terminal = sys.stderr is not None and sys.stderr.isatty()
    as_text = settings.log_format == "text" or (settings.log_format == "auto" and terminal)
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    render = Renderer(Redaction.of(settings), as_text=as_text, colors=terminal)
    output = LogOutput()
    _outputs.append(output)

    def finish(_logger: object, method: str, event: Event) -> str:
        return render("error" if method == "exception" else method, event)

    structlog.configure(
        processors=[finish],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: _LineLogger(output),
        cache_logger_on_first_use=True,
    )
    logging.root.handlers[:] = [_Handler(render, output)]
    logging.root.setLevel(max(level, logging.INFO))  # debug records of libraries hold secrets
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    # the edge logs requests, without queries; the server builds no line where nobody would get it
    logging.getLogger("uvicorn.access").handlers.clear()
    logging.getLogger("uvicorn.access").propagate = False
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
