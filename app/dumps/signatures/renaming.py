"""Signatures whose dumps get another one by rules: what is known of them goes along.

Functions of transactions that have locked the account. Nothing here is an alarm.
"""

from typing import Any, Final

from sqlalchemy import Connection, Row, delete, select, update

from app.dumps.signatures import life
from app.dumps.signatures.entities import MAX_NOTE, State
from app.dumps.tables import signatures

_BATCH: Final = 100
_SEVERAL: Final = ""

_OF_DUMPS: Final = ("name", "count", "size", "hour", "in_hour", "in_hour_before", "spike_day")
_OF_STATE: Final = ("state", "resolved_in", "resolved_at", "regressed_in", "regressed_at")


def note(
    connection: Connection, account_id: int, old: str | None, new: str | None, *, is_made: bool
) -> None:
    """Note that a dump has moved; ``is_made`` tells that this has made the new signature."""
    own = signatures.c.account_id == account_id
    before = life.find(connection, account_id, old)
    to = new or _SEVERAL
    if before is not None and before.becomes != to:
        if before.becomes is not None and not _leads_to(connection, account_id, before, to):
            to = _SEVERAL
        moved = update(signatures).where(signatures.c.id == before.id)
        connection.execute(moved.values(becomes=to))
    if is_made:
        connection.execute(
            update(signatures).where(own, signatures.c.name == new).values(made_of=0)
        )


def _leads_to(connection: Connection, account_id: int, old: Row[Any], to: str) -> bool:
    """Tell whether those that moved already have moved on, since rules have changed again."""
    between = life.find(connection, account_id, old.becomes)
    return between is not None and between.made_of is not None and between.becomes == to


def settle(connection: Connection, account_id: int) -> bool:
    """Rename signatures of which all dumps have moved to the same new one, a batch.

    Others keep what people said of them; those that never meant anything else are forgotten.
    Returns whether none is left.
    """
    own = signatures.c.account_id == account_id
    moved = (
        select(signatures)
        .where(own, signatures.c.becomes.is_not(None))
        .order_by(signatures.c.id)
        .limit(_BATCH)
    )
    rows = connection.execute(moved).all()
    for old in rows:
        has_dumps = old._mapping["count"] > 0
        if not has_dumps and _goes_along(connection, old):
            continue
        at_old = signatures.c.id == old.id
        if has_dumps or old.gone or old.state != State.OPEN or old.note:
            connection.execute(update(signatures).where(at_old).values(becomes=None))
        else:
            connection.execute(delete(signatures).where(at_old))
    if len(rows) == _BATCH:
        return False
    made = own & signatures.c.made_of.is_not(None)
    connection.execute(update(signatures).where(made).values(made_of=None))
    return True


def _goes_along(connection: Connection, old: Row[Any]) -> bool:
    """Let the new signature have what is known of an old one; False: it was there before."""
    new = life.find(connection, old.account_id, old.becomes)
    if new is None or new.made_of is None:
        return False
    is_empty = old.made_of == 0  # it was only on the way
    # the first one stays, so that links to it lead on, and gets the name
    stays, goes = (new, old) if new.made_of or is_empty else (old, new)
    values: dict[str, Any] = {name: new._mapping[name] for name in _OF_DUMPS} | {
        "gone": old.gone + new.gone,
        "first_seen_at": min(old.first_seen_at, new.first_seen_at),
        "last_seen_at": max(old.last_seen_at, new.last_seen_at),
        "becomes": new.becomes,
        "made_of": new.made_of + (not is_empty),
    }
    if new.made_of and not is_empty:
        values["note"] = "\n\n".join(filter(None, (new.note, old.note)))[:MAX_NOTE]
        if (old.state, old.resolved_in) != (new.state, new.resolved_in):
            values |= dict.fromkeys(_OF_STATE) | {"state": State.OPEN}
    connection.execute(delete(signatures).where(signatures.c.id == goes.id))
    connection.execute(update(signatures).where(signatures.c.id == stays.id).values(values))
    return True
