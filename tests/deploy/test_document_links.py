"""Links of the documents lead to files, and to headings, that are there."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy import ROOT

LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
BLOCK = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def _links() -> Iterator[tuple[str, str]]:
    for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "bench" / "README.md"):
        for target in LINK.findall(BLOCK.sub("", path.read_text())):
            if "://" not in target:
                yield path.relative_to(ROOT).as_posix(), target


def _anchors(path: Path) -> set[str]:
    """Return the anchors of headings, as forges make them."""
    headings = HEADING.findall(BLOCK.sub("", path.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(("document", "target"), sorted(set(_links())))
def test_a_link_leads_somewhere(document: str, target: str) -> None:
    name, _, anchor = target.partition("#")
    path = (ROOT / document).parent / name if name else ROOT / document
    assert path.exists()
    if anchor:
        assert anchor in _anchors(path)
