"""The labels of crash reports: product and version, as each kind of uploader names them."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from app.dumps.rows import MAX_LABEL
from app.security.characters import without_bidi

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_NAMES: Final = (
    (("_productName",), ("_version",)),  # of the application, where the next are Electron's own
    (("product", "prod"), ("version", "ver")),
    (("ProductName",), ("Version",)),  # Gecko
)
"""Annotations that name a product and its version, those that count most first."""


def label_of(annotations: Mapping[str, str], release: str | None) -> str | None:
    """Return a report's label, if its annotations make one; ``release`` is what Sentry's JSON says.

    A version without a product is the last resort.
    """
    found = [
        (_first(annotations, products), _first(annotations, versions))
        for products, versions in _NAMES
    ]
    named = [f"{product} {version}" for product, version in found if product]
    released = annotations.get("sentry[release]") or release
    versions = [version for _, version in found if version]
    label = next(iter([*named, *([released] if released else []), *versions]), "")
    return _CONTROL.sub(" ", without_bidi(label)).strip()[:MAX_LABEL] or None


def _first(annotations: Mapping[str, str], names: Sequence[str]) -> str:
    return next((annotations[name] for name in names if annotations.get(name)), "")
