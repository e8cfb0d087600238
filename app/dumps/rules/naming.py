"""Signatures from stored reports, by an account's rules.

This runs in a child process: a regular expression can take for ever.
"""

import json
from collections.abc import Sequence
from typing import Final

from app.dumps.minidump import older
from app.dumps.signatures import own_rules
from app.dumps.signatures.making import signature

SECONDS: Final = 5.0
MEMORY: Final = 256 * 1024 * 1024
"""Limits on making the signatures of a batch; memory in bytes."""

CHILD_MODULES: Final = ("app.dumps.rules.naming",)
"""The modules that child processes import."""

BATCH: Final = 16
"""Reports at a time; one can have megabytes."""


def names(rules: str, reports: Sequence[str]) -> list[str | None]:
    """Return the signatures of reports, given as JSON."""
    own = own_rules.read(rules)
    return [signature(older.current(json.loads(report)), own) for report in reports]
