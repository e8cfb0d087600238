"""The terms of an upload as JSON, as its row has them."""

import json
from typing import Any

from app.objects.preconditions import Preconditions
from app.uploads.entities import NO_TERMS, Terms


def to_json(terms: Terms) -> str | None:
    """Return terms as JSON, or None for none."""
    if terms == NO_TERMS:
        return None
    conditions = terms.conditions
    return json.dumps(
        {
            "target": terms.target,
            "encoding": terms.encoding,
            "digests": [[name, digest.hex()] for name, digest in sorted(terms.digests)],
            "if_match": _listed(conditions.if_match),
            "if_none_match": _listed(conditions.if_none_match),
            "if_unmodified_since": conditions.if_unmodified_since,
        }
    )


def from_json(text: str | None) -> Terms:
    """Return the terms that `to_json` has written."""
    if text is None:
        return NO_TERMS
    values: dict[str, Any] = json.loads(text)
    return Terms(
        values["target"],
        values["encoding"],
        frozenset((name, bytes.fromhex(digest)) for name, digest in values["digests"]),
        Preconditions(
            _tags(values["if_match"]),
            _tags(values["if_none_match"]),
            values["if_unmodified_since"],
        ),
    )


def _listed(tags: frozenset[str] | None) -> list[str] | None:
    return None if tags is None else sorted(tags)


def _tags(listed: list[str] | None) -> frozenset[str] | None:
    return None if listed is None else frozenset(listed)
