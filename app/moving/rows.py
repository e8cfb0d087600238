"""The move as a row: whose turn it is to copy, and how far it has come."""

from dataclasses import dataclass, replace
from typing import Final, Self

from sqlalchemy import Connection, delete, or_, select, update

from app import clock
from app.database import insert_if_absent
from app.tasks.tables import moves

LEASE: Final = clock.MINUTE
"""How long a turn lasts unless it is renewed."""

LONGEST_PAUSE: Final = 24 * 3600 * clock.SECOND
"""Between two turns at most."""

_note = insert_if_absent(moves, "id", "next_at", "failed_objects")


@dataclass(frozen=True, slots=True)
class Progress:
    """What is left to copy, and how many objects of it could not be copied."""

    objects: int
    bytes: int
    failed: int = 0

    def without(self, size: int) -> Self:
        """Return what is left when an object of a size is no longer left."""
        return replace(self, objects=self.objects - 1, bytes=self.bytes - size)

    def with_failure(self, size: int) -> Self:
        """Return what is left with one more that could not be copied."""
        return replace(
            self, objects=self.objects + 1, bytes=self.bytes + size, failed=self.failed + 1
        )


def claim(connection: Connection, now: int) -> int | None:
    """Take a turn if nobody has it; returns until when."""
    _note(connection, id=1, next_at=now, failed_objects=0)
    # what is further ahead was noted by a wrong clock
    due = or_(moves.c.next_at <= now, moves.c.next_at > now + LONGEST_PAUSE)
    taken = connection.execute(update(moves).where(due).values(next_at=now + LEASE))
    return now + LEASE if taken.rowcount else None


def hand_on(
    connection: Connection, until: int, next_at: int, progress: Progress | None
) -> int | None:
    """Note progress and that nobody's turn is before ``next_at``; returns that.

    None: another process has taken the turn that lasted ``until``.
    """
    values = {"next_at": next_at}
    if progress is not None:
        values |= {
            "left_objects": progress.objects,
            "left_bytes": progress.bytes,
            "failed_objects": progress.failed,
        }
    held = connection.execute(update(moves).where(moves.c.next_at == until).values(values))
    return next_at if held.rowcount else None


def next_turn(connection: Connection) -> int | None:
    """Return when the next turn is; None: there was none yet."""
    moment: int | None = connection.execute(select(moves.c.next_at)).scalar()
    return moment


def progress(connection: Connection) -> Progress | None:
    """Return how far it has come; None: nobody has counted yet."""
    row = connection.execute(select(moves).where(moves.c.left_objects.is_not(None))).first()
    return None if row is None else Progress(row.left_objects, row.left_bytes, row.failed_objects)


def forget(connection: Connection) -> None:
    """Forget what there was of an earlier move."""
    connection.execute(delete(moves))
