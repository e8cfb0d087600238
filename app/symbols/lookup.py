"""The caches of symbols that a report needs, by the debug ids of modules."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from app.objects.entities import Content
from app.objects.reading import contents
from app.objects.tables import object_bytes
from app.objects.tables import objects as object_rows
from app.symbols.rows import is_kept
from app.symbols.tables import symbol_files, symbols


@dataclass(frozen=True, slots=True)
class Cache:
    """A cache of symbols, ready to be read."""

    symbols: int
    """The id of their row."""
    debug_id: str
    features: frozenset[str]
    content: Content


def find(
    connection: Connection, account_id: int, debug_ids: Sequence[str], most: int, now: int
) -> list[Cache]:
    """Return up to ``most`` caches of an account, those of the first debug ids before others.

    Of a module there are up to two: one for unwinding, one for functions and lines.
    """
    rows = connection.execute(
        select(symbols.c.id, symbols.c.debug_id, symbols.c.features, *contents.content_columns())
        .select_from(
            symbols.join(symbol_files, symbols.c.file_id == symbol_files.c.id)
            .join(object_rows, symbols.c.object_id == object_rows.c.id)
            .outerjoin(object_bytes, object_bytes.c.object_id == symbols.c.object_id)
        )
        .where(
            symbols.c.account_id == account_id,
            symbols.c.debug_id.in_(debug_ids),
            is_kept(now),
        )
        .order_by(symbols.c.id.desc())
    )
    found: dict[str, list[Cache]] = {}
    for number, debug_id, features, *content in (tuple(row) for row in rows):
        cache = Cache(number, debug_id, frozenset(features.split()), contents.content_of(content))
        found.setdefault(debug_id, []).append(cache)
    return [cache for debug_id in debug_ids for cache in _best(found, debug_id)][:most]


def _best(found: Mapping[str, Sequence[Cache]], debug_id: str) -> Iterator[Cache]:
    """Yield the newest cache with most functions, and one for unwinding if that has no rules."""
    caches = found.get(debug_id, ())
    named = max(caches, key=lambda c: ("debug" in c.features, "symtab" in c.features), default=None)
    if named is None:
        return
    yield named
    if "unwind" not in named.features:
        yield from [cache for cache in caches if "unwind" in cache.features][:1]


def schedule_rereading(connection: Connection, symbols_id: int, now: int) -> None:
    """Have dumps read again whose stacks pass through a module, the newest at once."""
    connection.execute(
        update(symbols).where(symbols.c.id == symbols_id).values(reread_below=NEWEST, reread_at=now)
    )


NEWEST = 2**62
"""Above the id of every dump."""
