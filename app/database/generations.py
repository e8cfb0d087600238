"""Generations of database and store, which are raised every day: a restored database is older.

Objects that were stored after the backup look like orphans to it, and must not be deleted as such.
It is recognised when the backup is more than a day old.
"""

from typing import Final

from sqlalchemy import Connection, select, update

from app.database import Database
from app.database.instance import instance, once
from storage.base import ObjectStore

_STEM: Final = "instance/0/0/00"


class OlderDatabase(Exception):
    """The store has seen a later generation of the database."""


async def raise_generation(database: Database, store: ObjectStore) -> None:
    """Raise the generation of both, the database's first.

    So it is never the lower one, wherever a crash comes between, and no number comes twice.
    Raises `OlderDatabase`.
    """
    marks = [info.key async for info in store.list(_STEM)]
    cut_off = [info.key async for info in store.unfinished() if info.key.startswith(_STEM)]
    stored = _highest(marks)
    own, uuid = await database.write(_advance, stored)
    _require(own, stored)
    await store.put(_mark(own), once(uuid.encode()), size=len(uuid))
    await store.delete([mark for mark in (*marks, *cut_off) if _generation(mark) > 0])


async def require_current(database: Database, store: ObjectStore) -> None:
    """Raise `OlderDatabase` when the store's generation is the higher one."""
    stored = await stored_generation(store)
    _require(await database.read(_own), stored)


async def catch_up(database: Database, store: ObjectStore) -> None:
    """Raise the database's generation to its store's: the administrator says that it is right."""
    await database.write(_raise_to, await stored_generation(store))


async def stored_generation(store: ObjectStore) -> int:
    """Return the generation that a store has seen."""
    return _highest([info.key async for info in store.list(_STEM)])


def _require(own: int, stored: int) -> None:
    if own < stored:
        raise OlderDatabase(
            f"the database is older than its store (generation {own}, the store's is {stored}), "
            "so what it doesn't know may be newer than it: nothing is deleted, "
            "see docs/operating.md"
        )


def _advance(connection: Connection, stored: int) -> tuple[int, str]:
    """Raise the database's generation unless it is the lower one; returns it, and the id."""
    generation = instance.c.generation
    connection.execute(
        update(instance).where(generation >= stored).values(generation=generation + 1)
    )
    row = connection.execute(select(generation, instance.c.uuid)).one()
    return row.generation, row.uuid


def _own(connection: Connection) -> int:
    generation: int = connection.execute(select(instance.c.generation)).scalar_one()
    return generation


def _raise_to(connection: Connection, stored: int) -> None:
    lower = instance.c.generation < stored
    connection.execute(update(instance).where(lower).values(generation=stored))


def _mark(generation: int) -> str:
    return f"{_STEM}{generation:030x}"


def _generation(mark: str) -> int:
    return int(mark.removeprefix(_STEM), 16)


def _highest(marks: list[str]) -> int:
    return max(map(_generation, marks), default=0)
