"""Proofs that somebody's password was right, while a code of the second factor is asked for.

A proof names the account and is good for a while, or until the password changes. It is signed, so
that nothing has to be kept of it.
"""

import base64
import hmac
import struct
import uuid
from collections.abc import Sequence
from typing import Final

from app import clock

LIFETIME: Final = 10 * clock.MINUTE
"""How long a code is waited for, in microseconds."""

MAX_LENGTH: Final = 128
"""Characters that a proof may have; ours have 75."""

_ID: Final = 16  # bytes
_SAID: Final = _ID + 8  # the id, and when it ends


def proof_of(keys: Sequence[bytes], account: str, password_hash: str, now: int) -> str:
    """Make the proof that the password of an account was right; the first key signs it."""
    said = uuid.UUID(account).bytes + struct.pack(">Q", now + LIFETIME)
    return base64.urlsafe_b64encode(said + _mac(keys[0], said, password_hash)).decode()


def account_of(proof: str) -> str | None:
    """Return the account that a proof names, whether it is good or not; None for none."""
    said = _decoded(proof)[:_ID]
    return str(uuid.UUID(bytes=said)) if len(said) == _ID else None


def is_proof(keys: Sequence[bytes], proof: str, password_hash: str, now: int) -> bool:
    """Tell whether a proof is good: signed by one of the keys, for this password, not too old."""
    decoded = _decoded(proof)
    said, mac = decoded[:_SAID], decoded[_SAID:]
    made = (_mac(key, said, password_hash) for key in keys)
    is_signed = any(hmac.compare_digest(mac, each) for each in made)
    return is_signed and now < struct.unpack(">Q", said[_ID:])[0]


def _decoded(proof: str) -> bytes:
    try:
        return base64.b64decode(proof.encode(), altchars=b"-_", validate=True)
    except ValueError:
        return b""


def _mac(key: bytes, said: bytes, password_hash: str) -> bytes:
    return hmac.digest(key, said + password_hash.encode(), "sha256")
