"""Digests of bodies: those that their senders announced, checked as the bytes arrive."""

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from app.errors import DigestMismatch

SHA256: Final = "SHA-256"
SHA512: Final = "SHA-512"
MD5: Final = "MD5"

ALGORITHMS: Final[dict[str, Callable[[], Any]]] = {
    SHA256: hashlib.sha256,
    SHA512: hashlib.sha512,
    MD5: partial(hashlib.md5, usedforsecurity=False),  # it finds accidents, as it was meant to
}

Digests = frozenset[tuple[str, bytes]]
"""Algorithms, each with the digest that is expected."""

NONE: Final[Digests] = frozenset()


class Hashing:
    """The hashes of a body: its SHA-256, and all that its sender announced."""

    def __init__(self, announced: Digests = NONE) -> None:
        self._announced = announced
        self._hashes = {name: ALGORITHMS[name]() for name, _ in announced}
        self._hashes.setdefault(SHA256, hashlib.sha256())

    def update(self, data: bytes | memoryview) -> None:
        """Take in what arrives next."""
        for algorithm in self._hashes.values():
            algorithm.update(data)

    def sha256(self) -> bytes:
        """Return the SHA-256 of what has arrived."""
        digest: bytes = self._hashes[SHA256].digest()
        return digest

    def check(self) -> None:
        """Raise `DigestMismatch` unless what has arrived is what was announced."""
        for name, expected in self._announced:
            if self._hashes[name].digest() != expected:
                raise DigestMismatch(f"The {name} of the bytes that arrived is another one")
