"""The books of a service: what its database and its store say, and whether they agree."""

import hashlib
import zlib
from collections import Counter, defaultdict
from typing import Any

from sqlalchemy import Connection, func, select

from app.accounts.tables import accounts
from app.blobs.tables import blobs
from app.objects.tables import object_bytes, object_segments, objects, tombstones
from storage.base import ObjectStore
from storage.errors import ObjectNotFound
from tests.api.conftest import Service


async def stored_keys(service: Service) -> set[str]:
    """Return the keys of all blobs in the store, which other services may share."""
    return {info.key async for info in service.runtime.parts.store.list("blobs/")}


async def used(service: Service) -> tuple[int, int]:
    """Return what all accounts together are charged for: bytes and objects."""

    def read(connection: Connection) -> tuple[int, int]:
        sums = select(func.sum(accounts.c.used_bytes), func.sum(accounts.c.used_objects))
        size, number = connection.execute(sums).one()
        return int(size), int(number)

    return await service.runtime.parts.database.read(read)


async def audit(service: Service, before: set[str]) -> None:
    """Check that database and store agree, to the byte; ``before`` are keys of other services.

    Everything that is ready is whole and belongs to one blob, nothing is pending, every account is
    charged for what it has, and no bytes lie in the store that no row knows.
    """
    books = await service.runtime.parts.database.read(_read_books)
    assert [row for row in books["objects"] if row.state != "ready"] == []
    for row in books["objects"]:
        assert row.charged_bytes == row.size
        assert row.lease_until is None
        data = books["bytes"].get(row.id)
        keys = books["segments"].get(row.id) or ([] if row.key is None else [row.key])
        if keys:
            assert data is None
            store = service.runtime.parts.store
            data = b"".join([await _read(store, key) for key in keys])
        assert (len(data), hashlib.sha256(data).digest()) == (row.size, bytes(row.sha256))
        assert row.crc32 in (None, zlib.crc32(data))
    assert sorted(books["owned"]) == sorted(row.id for row in books["objects"])
    charged: Counter[int] = Counter()
    slots: Counter[int] = Counter()
    for row in books["objects"]:
        charged[row.account_id] += row.charged_bytes
        slots[row.account_id] += row.charged_slots
    for account_id, (size, number) in books["used"].items():
        assert (size, number) == (charged[account_id], slots[account_id])
    known = {row.key for row in books["objects"] if row.key is not None}
    known |= {key for keys in books["segments"].values() for key in keys}
    assert await stored_keys(service) - before <= known | books["tombstones"]


def _read_books(connection: Connection) -> dict[str, Any]:
    segments: dict[int, list[str]] = defaultdict(list)
    for row in connection.execute(select(object_segments).order_by(object_segments.c.n)):
        segments[row.object_id].append(row.key)
    used_by = select(accounts.c.id, accounts.c.used_bytes, accounts.c.used_objects)
    return {
        "objects": list(connection.execute(select(objects)).all()),
        "segments": segments,
        "bytes": {
            row.object_id: bytes(row.data) for row in connection.execute(select(object_bytes))
        },
        "owned": list(connection.execute(select(blobs.c.object_id)).scalars()),
        "used": {row[0]: (row[1], row[2]) for row in connection.execute(used_by)},
        "tombstones": set(connection.execute(select(tombstones.c.key)).scalars()),
    }


async def _read(store: ObjectStore, key: str) -> bytes:
    try:
        async with store.open(key) as reader:
            return b"".join([chunk async for chunk in reader])
    except ObjectNotFound:
        raise AssertionError(f"the bytes of a ready object are missing: {key}") from None
