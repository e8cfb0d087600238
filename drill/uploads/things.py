"""What is uploaded: things of several kinds and sizes, each by one of the clients' ways."""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final

MIB: Final = 1024 * 1024

KINDS: Final = ("file", "blob", "dump")


class Way(StrEnum):
    """How a client uploads."""

    PIECES = "tus, in pieces"
    WHOLE = "tus, in one request"
    CREATION = "tus, bytes with the creation"
    DRAFT_PIECES = "draft, in pieces"
    DRAFT_WHOLE = "draft, in one request"

    @property
    def is_in_pieces(self) -> bool:
        """Whether it is many requests, even if nothing breaks off."""
        return self in {Way.PIECES, Way.DRAFT_PIECES}

    @property
    def is_drafts(self) -> bool:
        return self in {Way.DRAFT_PIECES, Way.DRAFT_WHOLE}


@dataclass(frozen=True)
class Thing:
    """A thing that is to be uploaded."""

    seed: str
    kind: str
    way: Way
    size: int

    @property
    def data(self) -> bytes:
        """Its bytes; made each time, as they are many."""
        return random.Random(self.seed).randbytes(self.size)

    @cached_property
    def digest(self) -> str:
        """Their SHA-256."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def name(self) -> str:
        return f"{self.seed}.bin"


def things(seed: str, count: int, largest: int) -> Iterator[Thing]:
    """Yield things of 1 MiB to ``largest`` bytes; each order of magnitude is as frequent."""
    randomness = random.Random(seed)
    for number in range(count):
        size = int(MIB * (largest / MIB) ** randomness.random())
        way = [*Way][number % len(Way)]
        yield Thing(f"{seed}-{number}", randomness.choice(KINDS), way, size)
