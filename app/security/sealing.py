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

    def renew(self, sealed: bytes, owner: bytes) -> bytes | None:
        """Seal by the first key what another of them has sealed; None: there is nothing to do."""
        if _open(self._keys[0], sealed, owner) is not None:
            return None
        secret = self.open(sealed, owner)
        return None if secret is None else self.close(secret, owner)

    def open(self, sealed: bytes, owner: bytes) -> bytes | None:
        """Return a secret that was sealed; None if it was by another key, or for another owner."""
        opened = (_open(key, sealed, owner) for key in self._keys)
        return next((secret for secret in opened if secret is not None), None)


def _open(key: AESGCM, sealed: bytes, owner: bytes) -> bytes | None:
    try:
        return key.decrypt(sealed[:_NONCE], sealed[_NONCE:], owner)
    except InvalidTag:
        return None
