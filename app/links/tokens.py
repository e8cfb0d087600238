"""Secrets of links: the token in a link's URL, and the lease of one download.

A token is derived from its link's id and a signing key, and only its hash is kept: a copy of the
database opens no link, and yet the owner can see the URL again. The hash also tells which key the
token was made with, so that links keep their URLs when another one is put in front.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from typing import Final

from app.links.entities import LinkRef

MAX_SECRET: Final = 64
"""Characters that a secret may have; ours have 22."""

_LENGTH: Final = 16  # bytes


def token_of(key: bytes, uuid: str) -> str:
    """Derive the token of a link from its id."""
    digest = hmac.digest(key, uuid.encode(), "sha256")
    return base64.urlsafe_b64encode(digest[:_LENGTH]).rstrip(b"=").decode()


def find_token(keys: Sequence[bytes], ref: LinkRef) -> str | None:
    """Return the token of a link that was made; None if it was by none of these keys."""
    tokens = (token_of(key, ref.uuid) for key in keys)
    return next((token for token in tokens if hash_of(token) == ref.token_hash), None)


def proof_of(key: bytes, uuid: str, password_hash: str) -> str:
    """Derive what proves that a visitor knows the password of a link, until that changes."""
    digest = hmac.digest(key, f"{uuid} {password_hash}".encode(), "sha256")
    return base64.urlsafe_b64encode(digest[:_LENGTH]).rstrip(b"=").decode()


def new_lease() -> str:
    """Make the secret of a new lease."""
    return secrets.token_urlsafe(_LENGTH)


def hash_of(secret: str) -> bytes:
    """Return the hash by which a token or a lease is kept."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
