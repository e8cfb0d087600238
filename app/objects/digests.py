"""Digests of bodies, computed as these arrive; those that clients announce are checked."""

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Self

from isal.isal_zlib import crc32

from app.errors import DigestMismatch

SHA256: Final = "SHA-256"
SHA512: Final = "SHA-512"
MD5: Final = "MD5"

ALGORITHMS: Final[dict[str, Callable[[], Any]]] = {
    SHA256: hashlib.sha256,
    SHA512: hashlib.sha512,
    MD5: partial(hashlib.md5, usedforsecurity=False),  # against accidents only
}

Digests = frozenset[tuple[str, bytes]]
"""Expected digests by algorithm."""

NONE: Final[Digests] = frozenset()


class Hashing:
    """The hashes of a body: SHA-256, those that were announced, and CRC-32 (ZIP, APPNOTE 4.4.7)."""

    def __init__(self, announced: Digests = NONE) -> None:
        self._announced = announced
        self._hashes = {name: ALGORITHMS[name]() for name, _ in announced}
        self._hashes.setdefault(SHA256, hashlib.sha256())
        self.crc32 = 0

    def copy(self) -> Self:
        """Return hashes of the same bytes, which go on by themselves."""
        other = type(self)(self._announced)
        other._hashes = {name: algorithm.copy() for name, algorithm in self._hashes.items()}
        other.crc32 = self.crc32
        return other

    def expecting(self, announced: Digests) -> Self | None:
        """Return a copy that checks these digests, or None if it hasn't computed them."""
        if any(name not in self._hashes for name, _ in announced):
            return None
        other = self.copy()
        other._announced = announced
        return other

    def update(self, data: bytes | memoryview) -> None:
        """Hash the next bytes."""
        for algorithm in self._hashes.values():
            algorithm.update(data)
        self.crc32 = crc32(data, self.crc32)

    def sha256(self) -> bytes:
        """Return the SHA-256 of the bytes so far."""
        digest: bytes = self._hashes[SHA256].digest()
        return digest

    def check(self) -> None:
        """Raise `DigestMismatch` unless the announced digests are right."""
        for name, expected in self._announced:
            if self._hashes[name].digest() != expected:
                raise DigestMismatch(f"The {name} of the bytes that arrived is another one")
