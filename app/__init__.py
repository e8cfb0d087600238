"""Holdall, apart from HTTP."""

from typing import Final

VERSION: Final = "0.2.0"
"""The version, known without an installation too: the package's metadata is made from it."""

DESCRIPTION: Final = "One storage service that gives every kind of thing its natural API."
