"""Pages from templates: no scripts and nothing from elsewhere, unless a page says otherwise."""

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app import clock
from app.errors import ProblemError
from routers.pages.assets import static_url
from routers.web.urls import base_path

CSP: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; media-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
SCRIPTED_CSP: Final = f"{CSP}; script-src 'self'; connect-src 'self'"
"""The policy of pages with scripts, which are files of ours too, and talk to nobody else."""

APP_CSP: Final = SCRIPTED_CSP.replace("img-src 'self'", "img-src 'self' blob:") + (
    "; manifest-src 'self'"
)
"""The policy of pages that can be installed, and show what is in the buffer."""

_REFUSALS: Final = {
    404: ("There is no such page", "The address may be mistyped, or what was here is gone."),
    405: ("This address is not a page", "Forms and programs send something to it."),
}
"""What people are told of errors that say no more than their name: a heading, and a text."""

_KIB: Final = 1024
_UNITS: Final = ("KiB", "MiB", "GiB", "TiB")
_MANY: Final = 100  # of a unit: a decimal more says nothing


def plural(number: int, noun: str) -> str:
    """Return a number of things in words: ``1 byte``, ``2 bytes``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def size_in_words(size: int) -> str:
    """Return a number of bytes as people say it: ``1.5 MiB``."""
    if size < _KIB:
        return plural(size, "byte")
    value, units = size / _KIB, iter(_UNITS)
    unit = next(units)
    while value >= _KIB and unit != _UNITS[-1]:
        value, unit = value / _KIB, next(units)
    return f"{value:,.0f} {unit}" if value >= _MANY else f"{value:.1f} {unit}"


def time_in_words(seconds: int) -> str:
    """Return a time in its two largest units, rounded up to minutes: ``2 hours 5 minutes``."""
    if seconds < 60:  # noqa: PLR2004
        return "less than a minute"
    parts, minutes = [], -(-seconds // 60)
    for length, noun in ((24 * 60, "day"), (60, "hour"), (1, "minute")):
        count, minutes = divmod(minutes, length)
        if count:
            parts.append(plural(count, noun))
    return " ".join(parts[:2])


def seconds_left(moment: datetime) -> int:
    """Return the whole seconds until a moment; negative once it has passed."""
    return int((moment - clock.to_datetime(clock.now())).total_seconds())


def iso_time(moment: int) -> str:
    """Return a moment in UTC microseconds as RFC 3339, for ``<time datetime>``."""
    return clock.to_datetime(moment).strftime("%Y-%m-%dT%H:%M:%SZ")


def day(moment: int) -> str:
    """Return the day of a moment in UTC microseconds, until a script shows it in local time."""
    return clock.to_datetime(moment).strftime("%Y-%m-%d")


_templates: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    auto_reload=False,
)
_templates.filters.update(
    plural=plural,
    size=size_in_words,
    time=time_in_words,
    seconds_left=seconds_left,
    iso=iso_time,
    day=day,
)


def render(
    request: Request,
    template: str,
    status: int = 200,
    headers: dict[str, str] | None = None,
    **context: Any,  # noqa: ANN401 - what the template shows
) -> HTMLResponse:
    """Answer with a page.

    In templates ``static(name)`` is the URL of a file of ours, ``base`` what paths begin with.
    """
    given = {"private": True} | context
    page = _templates.get_template(template).render(
        static=partial(static_url, request), base=base_path(request), **given
    )
    own = {
        "Content-Security-Policy": CSP,
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }
    return HTMLResponse(page, status, own | (headers or {}))


def refuse(
    request: Request, error: ProblemError, words: tuple[str, str] | None = None
) -> HTMLResponse:
    """Answer with a page that says what is wrong; ``words`` are a heading and a text of its own."""
    if words is None and error.detail == error.title:
        words = _REFUSALS.get(error.status)
    heading, text = words or (error.title, error.detail)
    return render(request, "refusal.html", error.status, error.headers, heading=heading, text=text)
