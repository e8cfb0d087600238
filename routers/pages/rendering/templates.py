"""Pages from templates: no scripts and nothing from elsewhere, unless a page says otherwise."""

from functools import partial
from pathlib import Path
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from app.errors import ProblemError
from app.words import plural, size_in_words, time_in_words
from routers.pages.assets import static_url
from routers.pages.rendering import times
from routers.pages.rendering.wrong import Wrong, mark, wrong_with
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


_templates: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent.parent / "templates"),
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
    seconds_left=times.seconds_left,
    iso=times.iso,
)
_templates.globals.update(when=times.when, left=times.left)


def render(
    request: Request,
    template: str,
    status: int = 200,
    headers: dict[str, str] | None = None,
    **context: Any,  # noqa: ANN401 - what the template shows
) -> HTMLResponse:
    """Answer with a page.

    In templates ``static(name)`` is the URL of a file of ours, ``icon(name)`` one of the icons,
    ``base`` what paths begin with, ``when(moment)`` a time in words, and ``left(moment)`` what is
    left until then.
    """
    given = {"private": True} | context
    wrong = given["wrong"] = _wrong_in(given)
    page = _templates.get_template(template).render(
        static=partial(static_url, request),
        icon=partial(_icon, static_url(request, "icons.svg")),
        base=base_path(request),
        **given,
    )
    own = {
        "Content-Security-Policy": CSP,
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }
    if isinstance(wrong, Wrong):
        page = mark(page, wrong)
    return HTMLResponse(page, status, own | (headers or {}))


def _wrong_in(context: dict[str, Any]) -> object:
    """Return what is wrong on a page, which routes give as an error."""
    wrong = context.get("wrong", False)
    return wrong_with(wrong) if isinstance(wrong, ProblemError) else wrong


def _icon(sprite: str, name: str) -> Markup:
    """Return an icon, which says nothing that isn't said beside it."""
    return Markup('<svg class="icon" aria-hidden="true"><use href="{}#{}"/></svg>').format(
        sprite, name
    )


def refuse(
    request: Request, error: ProblemError, words: tuple[str, str] | None = None
) -> HTMLResponse:
    """Answer with a page that says what is wrong; ``words`` are a heading and a text of its own."""
    if words is None and error.detail == error.title:
        words = _REFUSALS.get(error.status)
    if words is None and error.errors:
        words = ("Please check what was entered", wrong_with(error).words)
    heading, text = words or (error.title, error.detail)
    return render(request, "refusal.html", error.status, error.headers, heading=heading, text=text)
