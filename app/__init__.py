"""Holdall, apart from HTTP."""

from typing import Final

VERSION: Final = "0.1.0"
"""The version, which `pyproject.toml` names too."""

DESCRIPTION: Final = "One storage service that gives every kind of thing its natural API."
