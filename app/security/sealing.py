"""Sealing: secrets that are needed again, and so can't be kept as hashes, are encrypted."""

import os
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE: Final = 12  # bytes; random ones are good for 2**32 secrets a key (NIST SP 800-38D §8.3)


class Seal:
    """Seals by AES-256-GCM with the first of its keys, and opens what any of them has sealed."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        """``keys`` have 32 bytes."""
        self._keys = [AESGCM(key) for key in keys]

    def close(self, secret: bytes, owner: bytes) -> bytes:
        """Return the sealed form of a secret, which opens for its owner alone."""
        nonce = os.urandom(_NONCE)
        return nonce + self._keys[0].encrypt(nonce, secret, owner)

    def open(self, sealed: bytes, owner: bytes) -> bytes | None:
        """Return a secret that was sealed; None if it was by another key, or for another owner."""
        for key in self._keys:
            try:
                return key.decrypt(sealed[:_NONCE], sealed[_NONCE:], owner)
            except InvalidTag:
                continue
        return None
