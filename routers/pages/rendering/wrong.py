"""What is wrong with a form, in the words of its page, and the marks of the fields it is about."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from fastapi.exceptions import RequestValidationError
from markupsafe import Markup

from app.errors import FieldError, ProblemError
from routers.pages.assets import ASSETS
from routers.web.problems import invalid


def _complaints() -> dict[str, Any]:
    script = ASSETS["complaints.js"].content.decode()
    complaints: dict[str, Any] = json.loads(script[script.index("{") : script.rindex("}") + 1])
    return complaints


_LABELS: Final[dict[str, str]] = _complaints()["labels"]
_MESSAGES: Final = [
    (re.compile(pattern), re.sub(r"\$(\d)", r"\\\1", words))
    for pattern, words in _complaints()["messages"]
]


class Complaint(NamedTuple):
    """What is wrong with one thing that was sent."""

    field: str | None
    """None: it is none that a form has."""
    beside: str
    """What is said beside the field."""
    words: str
    """What is said elsewhere, which names the field."""


def _control(field: str) -> re.Pattern[str]:
    """Return what finds the tag of a field that people fill in, but for its end."""
    kinds = r'<(?P<kind>input|select|textarea)\b(?![^>]* type="(?:hidden|checkbox|radio)")'
    return re.compile(rf'{kinds}[^>]* name="{field}"[^>]*')


@dataclass(frozen=True, slots=True)
class Wrong:
    """What a page says is wrong; templates show it as a notice."""

    words: str
    complaints: Sequence[Complaint] = ()

    def __str__(self) -> str:
        return self.words


def wrong_with(error: ProblemError | RequestValidationError) -> Wrong:
    """Return an error as a page says it."""
    problem = invalid(error) if isinstance(error, RequestValidationError) else error
    if not problem.errors:
        return Wrong(_worded(problem.detail))
    complaints = list(dict.fromkeys(_complaint_of(wrong) for wrong in problem.errors))
    return Wrong(". ".join(complaint.words for complaint in complaints), complaints)


def mark(page: str, wrong: Wrong) -> str:
    """Mark the fields of a page that are wrong, say so beside each, and focus the first."""
    said_of = {each.field: each.beside for each in wrong.complaints if each.field is not None}
    first = next((field for field in said_of if _control(field).search(page)), None)
    if first is not None:
        page = page.replace(" autofocus", "")
    for field, beside in said_of.items():
        found = _control(field).search(page)
        if found is None:
            continue
        tag, end = found[0], found.end() + 1
        if found["kind"] != "input":
            closing = f"</{found['kind']}>"
            end = page.index(closing, end) + len(closing)
        rest = page[found.end() : end]
        described = f' aria-describedby="wrong-{field}'
        tag = tag.replace(' aria-describedby="', f"{described} ")
        marks = "" if described in tag else f'{described}"'
        marks += ' aria-invalid="true"' + (" autofocus" if field == first else "")
        said = Markup('<small class="complaint" id="wrong-{}">{}</small>').format(field, beside)
        page = f"{page[: found.start()]}{tag}{marks}{rest}{said}{page[end:]}"
    return page


def _complaint_of(wrong: FieldError) -> Complaint:
    field = next((str(part) for part in reversed(wrong["loc"]) if part in _LABELS), None)
    words = _worded(wrong["msg"])
    beside = words[:1].upper() + words[1:]
    if field is None or words == wrong["msg"]:
        return Complaint(field, beside, beside)
    return Complaint(field, beside, f"{_LABELS[field]}: {words}")


def _worded(message: str) -> str:
    return next((p.sub(words, message) for p, words in _MESSAGES if p.search(message)), message)
