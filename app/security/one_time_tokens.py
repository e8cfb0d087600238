"""Tokens of one-time links: 256 random bits, kept as a hash, and so shown once."""

import hashlib
import secrets
from typing import Final

_BYTES: Final = 32

MAX_LENGTH: Final = 128
"""Characters that a token may have; ours have 43."""


def generate() -> str:
    """Make a new token."""
    return secrets.token_urlsafe(_BYTES)


def hash_of(token: str) -> bytes:
    """Return the SHA-256 of a token, the only form in which it is kept."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
