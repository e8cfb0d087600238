"""Binds a store to its database, so that no sweep runs against somebody else's objects.

The store carries the database's instance id under its marks, which are made once. A mark that is
missing later means that the store is: no start makes it again, see docs/operating.md.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import BigInteger, Column, Connection, String, Table, select, update

from app.config import ConfigError, Settings
from app.database import Database, insert_if_absent
from app.database.migrate import alone
from app.database.schema import Id, metadata
from storage.base import ObjectStore
from storage.errors import ObjectNotFound, StoreUnmarked

# one for each place that a store may consist of: dumps can have a folder of their own
MARKS: Final = tuple(f"{kind}/0/0/{'0' * 32}" for kind in ("instance", "dumps"))

PART_MARKS: Final = tuple(f"{kind}/f/f/{'f' * 32}" for kind in ("instance", "dumps"))
"""Marks of a store that holds a part of the objects, while these move to another one."""

instance = Table(
    "instance",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    Column("uuid", String(36), nullable=False),  # the store carries it too
    Column("generation", BigInteger, nullable=False),  # 0: it has marked no store yet
)

_create = insert_if_absent(instance, "id", "uuid", "generation")


@dataclass(frozen=True, slots=True)
class Instance:
    """The identity of a database; its generation is 0 until it has marked a store."""

    uuid: str
    generation: int

    @property
    def marks(self) -> tuple[str, ...]:
        """The marks that its store must have."""
        return MARKS if self.generation else ()


def is_mark(key: str) -> bool:
    """Tell whether an object is a mark, or records a generation."""
    return key in MARKS or key in PART_MARKS or key.startswith("instance/")


def identify(connection: Connection, fresh: str) -> Instance:
    """Return the identity of the database; ``fresh`` becomes its id when it has none yet."""
    _create(connection, id=1, uuid=fresh, generation=0)
    row = connection.execute(select(instance.c.uuid, instance.c.generation)).one()
    return Instance(row.uuid, row.generation)


def instance_id(connection: Connection) -> str:
    """Return the id of a database that has been identified."""
    found: str = connection.execute(select(instance.c.uuid)).scalar_one()
    return found


async def bind(settings: Settings, database: Database, store: ObjectStore, own: Instance) -> None:
    """Mark the store of a database that has none yet, or check the marks.

    Raises `ConfigError` when the store belongs to another database, and `StoreUnmarked` when it
    lacks a mark.
    """
    if own.marks:
        await require_marks(store, own.marks, own.uuid)
        return
    # one process at a time: keys are for one writer
    async with alone(settings):
        await put_marks(store, MARKS, own.uuid)
        await database.write(_note_marked)


async def require_marks(
    store: ObjectStore, marks: Sequence[str], own: str, setting: str = "ACTIVE_STORAGE"
) -> None:
    """Raise `StoreUnmarked` if a store lacks one of these marks, `ConfigError` if it isn't ours."""
    missing = await unmarked(store, marks, own, setting)
    if missing:
        raise StoreUnmarked(lacking(missing[0]))


async def put_marks(store: ObjectStore, marks: Sequence[str], own: str) -> list[str]:
    """Put those of the marks that a store lacks; returns them."""
    missing = await unmarked(store, marks, own)
    for mark in missing:
        await store.delete([mark])  # left incomplete by a start that was killed
        await store.put(mark, once(own.encode()), size=len(own))
    return missing


def lacking(mark: str) -> str:
    """Return the message for a store that lacks a mark."""
    return (
        f"{mark} is missing, which this database's store has: "
        "is its disk not mounted, is it another bucket? See docs/operating.md"
    )


async def unmarked(
    store: ObjectStore, marks: Sequence[str], own: str, setting: str = "ACTIVE_STORAGE"
) -> list[str]:
    """Return those of the marks that a store lacks; raises `ConfigError` if it isn't ours."""
    missing = []
    for mark in marks:
        try:
            found = await _read(store, mark)
        except ObjectNotFound:
            missing.append(mark)
            continue
        if found != own:
            raise ConfigError(
                f"{setting}: the store belongs to another database (its instance is {found}, "
                f"this database's is {own}); point both to the same instance"
            )
    return missing


def _note_marked(connection: Connection) -> None:
    unmarked = instance.c.generation == 0
    connection.execute(update(instance).where(unmarked).values(generation=1))


async def _read(store: ObjectStore, key: str) -> str:
    async with store.open(key) as reader:
        return b"".join([chunk async for chunk in reader]).decode()


async def once(data: bytes) -> AsyncIterator[bytes]:
    """Yield a body of one chunk."""
    yield data
