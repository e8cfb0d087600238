"""The label and the version of a crash report, under the names that each uploader has."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from app.dumps.entities import MAX_LABEL
from app.dumps.versions import MAX_VERSION
from app.security.characters import without_bidi

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_NAMES: Final = (
    (("_productName",), ("_version",)),  # the application's, where the next are Electron's own
    (("product", "prod"), ("version", "ver")),
    (("ProductName",), ("Version",)),  # Gecko
)
"""Annotations that name a product and its version, in order of precedence."""


def label_of(annotations: Mapping[str, str], release: str | None) -> str | None:
    """Return the label that a report's annotations make, or None.

    ``release`` is that of Sentry's JSON. A version without a product is the last resort.
    """
    found = [
        (_first(annotations, products), _first(annotations, versions))
        for products, versions in _NAMES
    ]
    named = [f"{product} {version}" for product, version in found if product]
    released = annotations.get("sentry[release]") or release
    versions = [version for _, version in found if version]
    label = next(iter([*named, *([released] if released else []), *versions]), "")
    return _tidy(label, MAX_LABEL)


def version_of(annotations: Mapping[str, str], release: str | None = None) -> str | None:
    """Return the version that crashed: that of the label, or None.

    Of Sentry's ``product@version`` it is what follows the ``@``.
    """
    found = [
        (_first(annotations, products), _first(annotations, versions))
        for products, versions in _NAMES
    ]
    named = next((version for product, version in found if product), "")
    released = (annotations.get("sentry[release]") or release or "").rpartition("@")[2]
    other = next((version for _, version in found if version), "")
    return _tidy(named or released or other, MAX_VERSION)


def _tidy(text: str, longest: int) -> str | None:
    return _CONTROL.sub(" ", without_bidi(text)).strip()[:longest] or None


def _first(annotations: Mapping[str, str], names: Sequence[str]) -> str:
    return next((annotations[name] for name in names if annotations.get(name)), "")
