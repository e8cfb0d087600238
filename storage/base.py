"""The contract of an object store: five verbs over opaque keys and immutable bytes."""

import re
import secrets
from abc import ABC, abstractmethod
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

_KEY = re.compile(r"(?P<kind>[a-z]+)/(?P<a>[0-9a-f])/(?P<b>[0-9a-f])/(?P=a)(?P=b)[0-9a-f]{30}")


_LISTED = 500  # objects of a batch


def new_key(kind: str) -> str:
    """Make a fresh key ``<kind>/<a>/<b>/<32 hex>`` of 128 random bits.

    ``a`` and ``b`` are the first two digits, so that objects spread evenly over 256 folders.
    """
    name = secrets.token_hex(16)
    return f"{kind}/{name[0]}/{name[1]}/{name}"


def is_key(text: str) -> bool:
    """Tell whether ``text`` is a well-formed key."""
    return _KEY.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class ByteRange:
    """The bytes from ``start`` up to, not including, ``stop``; both within the object."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        return self.stop - self.start


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What a store itself knows of an object; ``modified_at`` is UTC in microseconds."""

    key: str
    size: int
    modified_at: int


class ObjectReader(ABC):
    """An opened object. Iterating yields the bytes asked for, in chunks of bounded size."""

    size: int
    """Size of the whole object in bytes, whatever range was asked for."""

    @abstractmethod
    def __aiter__(self) -> AsyncIterator[bytes]: ...


class ObjectStore(ABC):
    """Immutable objects under keys that are made fresh for each and never written twice.

    Any verb may raise `StoreUnavailable` when the store does not answer. Nothing blocks the event
    loop, memory does not grow with an object's size, and no thread or connection of a shared pool
    is held while a body or a reader's consumer is slow.
    """

    @property
    def late(self) -> float:
        """Seconds for which a `put` that has ended in an error may still take effect.

        A server gets a request whole that its sender has given up, or answers one that was lost.
        Whoever wants such a key gone deletes it again after that time.
        """
        return 0.0

    @abstractmethod
    async def put(
        self, key: str, body: AsyncIterable[bytes | memoryview], *, size: int | None
    ) -> None:
        """Store the body under ``key``; ``size`` is its length in bytes where that is known.

        Nothing is visible before it returns, and then the bytes survive a crash of process and
        host. An error or a cancellation leaves nothing behind; a kill leaves at most what
        `delete` of the same key takes away. An error of the body's own passes through unchanged.
        A full store raises `StoreFull`.

        A chunk may be a view of memory that the body's maker uses again: its bytes stay as they
        are until the chunk *after the next* is asked for, those of the last two until ``put``
        returns. So a store may write one chunk while it asks for the next.
        """

    @abstractmethod
    def open(
        self, key: str, byte_range: ByteRange | None = None
    ) -> AbstractAsyncContextManager[ObjectReader]:
        """Open an object, or a part of it, for reading.

        Raises `ObjectNotFound` on entering. A delete meanwhile may cut the reading short (an
        error, never wrong bytes).
        """

    @abstractmethod
    async def stat(self, key: str) -> ObjectInfo:
        """Return what is known of an object; raises `ObjectNotFound`."""

    @abstractmethod
    async def delete(self, keys: Sequence[str]) -> None:
        """Delete objects, and whatever interrupted `put`s of these keys left; missing is fine."""

    @abstractmethod
    def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        """Yield every complete object whose key starts with ``prefix``, in no given order."""

    @abstractmethod
    def unfinished(self) -> AsyncIterator[ObjectInfo]:
        """Yield what `put`s have begun and not ended: those under way, and what others left.

        ``modified_at`` is 0 and ``size`` is -1 where the store doesn't know them. A key may come
        more than once; `delete` takes away what there is of it.
        """

    @abstractmethod
    async def ping(self) -> None:
        """Return when the store can serve, else raise `StoreUnavailable`."""

    @abstractmethod
    async def aclose(self) -> None:
        """Let go of connections and threads. The store is of no use afterwards."""


@runtime_checkable
class SupportsLocalPath(Protocol):
    """A store whose objects are files of this host, so that the kernel can send them."""

    def local_path(self, key: str) -> Path:
        """Return where the object's file is, if it exists; complete files only."""


async def in_batches(infos: AsyncIterator[ObjectInfo]) -> AsyncIterator[list[ObjectInfo]]:
    """Yield what a listing yields, a few hundred at a time."""
    batch: list[ObjectInfo] = []
    async for info in infos:
        batch.append(info)
        if len(batch) == _LISTED:
            yield batch
            batch = []
    if batch:
        yield batch
