"""What holds for every template and style sheet of the pages, whichever page shows it."""

import re
from pathlib import Path
from typing import Final

import pytest

import routers.pages

FOLDER: Final = Path(routers.pages.__file__).parent
FORMS: Final = [
    (path.name, opening, content)
    for path in sorted((FOLDER / "templates").glob("*.html"))
    for opening, content in re.findall(
        r"<form\b([^>]*(?:\{[{%].*?[%}]\}[^>]*)*)>(.*?)</form>", path.read_text(), re.DOTALL
    )
]
SECRET: Final = re.compile(r'type="password"|name="[^"]*(?:password|secret|token|key)[^"]*"')


def test_no_form_is_missed() -> None:
    templates = (FOLDER / "templates").glob("*.html")
    assert len(FORMS) == sum(path.read_text().count("<form") for path in templates) > 20
    assert sum(SECRET.search(content) is not None for _, _, content in FORMS) >= 6


@pytest.mark.parametrize(("template", "opening", "content"), FORMS)
def test_a_form_never_puts_a_secret_into_a_url(template: str, opening: str, content: str) -> None:
    """Without scripts a browser sends a form as its method says, and GET where it says nothing."""
    method = re.search(r'\bmethod="(\w+)"', opening)
    assert method is not None, f"a form of {template} says no method"
    assert method[1] in {"get", "post", "dialog"}
    assert method[1] == "post" or SECRET.search(content) is None


def test_selectors_of_different_vendors_never_share_a_rule() -> None:
    """A selector that a browser doesn't know voids its whole rule."""
    seen = 0
    for path in (FOLDER / "static").glob("*.css"):
        css = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
        for selectors in re.findall(r"([^{}]+)\{", css):
            vendors = set(re.findall(r":-(webkit|moz|ms)-", selectors))
            assert not vendors or "," not in selectors, (path.name, selectors)
            seen += len(vendors)
    assert seen >= 4
