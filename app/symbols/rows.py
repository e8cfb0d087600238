"""Symbols as rows: the transactions that create, find, list and delete them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, delete, func, insert, or_, select, update

from app import clock
from app.accounts import quota
from app.accounts.identity import Identity
from app.database.pagination import Page, before_of, page_of
from app.errors import NotFound
from app.objects import lifecycle as objects
from app.objects import removal
from app.objects.entities import new_uuid
from app.objects.reading import contents
from app.objects.tables import objects as object_rows
from app.symbols.entities import KIND, Filters, NewFile, Symbols, Wanted, debug_file_of
from app.symbols.tables import symbol_files, symbols

_USED: Final = 12 * 60 * clock.MINUTE
"""How exactly it is known when symbols were used: each use would be a write otherwise."""

_COLUMNS: Final = (
    symbols.c.id, symbols.c.uuid, symbol_files.c.name, symbols.c.debug_file, symbols.c.debug_id,
    symbols.c.code_id, symbols.c.arch, symbols.c.form, symbols.c.features, symbols.c.state,
    symbols.c.error, symbols.c.created_at, symbol_files.c.used_at, symbol_files.c.expires_at,
)  # fmt: skip

_FIELDS: Final = ("number", *(column.name for column in _COLUMNS[1:]))


def _select(account_id: int, now: int, *content: Any) -> Select[Any]:  # noqa: ANN401 - columns
    return (
        select(*_COLUMNS, *content)
        .select_from(
            symbols.join(symbol_files, symbols.c.file_id == symbol_files.c.id).join(
                object_rows, symbol_files.c.object_id == object_rows.c.id
            )
        )
        .where(symbols.c.account_id == account_id, is_kept(now))
    )


def is_kept(now: int) -> Any:  # noqa: ANN401 - a condition
    """Return the condition for files that haven't expired."""
    return or_(symbol_files.c.expires_at.is_(None), symbol_files.c.expires_at > now)


def admit(_connection: Connection, _identity: Identity) -> int:
    """Return the slots that a symbol file takes."""
    return 1


def create(
    connection: Connection,
    identity: Identity,
    files: Sequence[NewFile],
    kept_for: int | None,
    now: int,
) -> list[Symbols]:
    """Create symbols of files; of a file that is there already, return what there is.

    ``kept_for`` is how long symbols live that aren't used.
    """
    quota.lock_account(connection, identity.account_id)
    return [made for file in files for made in _create(connection, identity, file, kept_for, now)]


def _create(
    connection: Connection, identity: Identity, file: NewFile, kept_for: int | None, now: int
) -> list[Symbols]:
    known = _same(connection, identity, file, now)
    if known:
        if file.received.reservation is not None:
            objects.give_up(connection, file.received.reservation, now)
        return known
    object_id = objects.settle(connection, identity, file.received, kind=KIND, slots=1, now=now)
    file_id = connection.execute(
        insert(symbol_files)
        .values(
            account_id=identity.account_id,
            object_id=object_id,
            name=file.name,
            created_at=now,
            used_at=now,
            expires_at=None if kept_for is None else now + kept_for,
        )
        .returning(symbol_files.c.id)
    ).scalar_one()
    connection.execute(
        insert(symbols),
        [
            {
                "uuid": new_uuid(),
                "account_id": identity.account_id,
                "file_id": file_id,
                "object_id": None,
                "number": found.number,
                "debug_file": found.debug_file or debug_file_of(file.name),
                "debug_id": found.debug_id,
                "code_id": found.code_id,
                "arch": found.arch,
                "form": found.form,
                "features": " ".join(found.features),
                "state": "pending",
                "error": None,
                "claimed_until": 0,
                "created_at": now,
                "reread_below": None,
                "reread_at": None,
            }
            for found in file.identities
        ],
    )
    return _of_file(connection, identity, file_id, now)


def _same(connection: Connection, identity: Identity, file: NewFile, now: int) -> list[Symbols]:
    """Return the symbols of a file that has the same bytes."""
    own = select(symbol_files.c.id).join(object_rows, symbol_files.c.object_id == object_rows.c.id)
    file_id = connection.execute(
        own.where(
            symbol_files.c.account_id == identity.account_id,
            symbol_files.c.id.in_(
                select(symbols.c.file_id).where(
                    symbols.c.account_id == identity.account_id,
                    symbols.c.debug_id.in_([found.debug_id for found in file.identities]),
                )
            ),
            object_rows.c.sha256 == file.received.sha256,
            is_kept(now),
        ).limit(1)
    ).scalar()
    return [] if file_id is None else _of_file(connection, identity, file_id, now)


def _of_file(connection: Connection, identity: Identity, file_id: int, now: int) -> list[Symbols]:
    query = _select(identity.account_id, now, *contents.listed_columns())
    rows = connection.execute(query.where(symbols.c.file_id == file_id).order_by(symbols.c.id))
    return [_symbols(row) for row in rows]


def find(connection: Connection, identity: Identity, uuid: str, now: int) -> Symbols:
    """Return symbols, whose file is ready to be read; raises `NotFound`."""
    query = _select(identity.account_id, now, *contents.content_columns(with_data=False))
    row = connection.execute(query.where(symbols.c.uuid == uuid)).first()
    if row is None:
        raise unknown()
    return _symbols(row)


def page(
    connection: Connection,
    identity: Identity,
    filters: Filters,
    limit: int,
    cursor: str | None,
    now: int,
) -> Page[Symbols]:
    """Return a page of the account's symbols, newest first."""
    query = _select(identity.account_id, now, *contents.listed_columns())
    query = query.where(symbols.c.id < before_of(KIND, cursor))
    if filters.debug_file is not None:
        query = query.where(symbols.c.debug_file == filters.debug_file)
    if filters.debug_id is not None:
        query = query.where(symbols.c.debug_id == filters.debug_id)
    rows = connection.execute(query.order_by(symbols.c.id.desc()).limit(limit + 1)).all()
    return page_of(KIND, rows, limit, _symbols, lambda row: int(row.id))


def remove(connection: Connection, identity: Identity, uuid: str, now: int) -> None:
    """Delete symbols, and their file with the last of them; raises `NotFound`."""
    quota.lock_account(connection, identity.account_id)
    found = find(connection, identity, uuid, now)
    mine = symbols.c.id == found.number
    file_id, cache = connection.execute(
        select(symbols.c.file_id, symbols.c.object_id).where(mine)
    ).one()
    others = select(func.count()).where(symbols.c.file_id == file_id, ~mine)
    if connection.execute(others).scalar_one() == 0:
        remove_files(connection, identity.account_id, {file_id: found.content.object_id}, now)
        return
    connection.execute(delete(symbols).where(mine))
    if cache is not None:
        removal.remove_all(connection, [cache], due_at=now + objects.GRACE)


def remove_files(
    connection: Connection, _account_id: int, object_ids: Mapping[int, int], now: int
) -> None:
    """Delete symbol files of a locked account, given with their objects, and all made of them."""
    belonging = symbols.c.file_id.in_(object_ids)
    caches: Sequence[int] = (
        connection.execute(
            select(symbols.c.object_id).where(belonging, symbols.c.object_id.is_not(None))
        )
        .scalars()
        .all()
    )
    connection.execute(delete(symbols).where(belonging))
    connection.execute(delete(symbol_files).where(symbol_files.c.id.in_(object_ids)))
    removal.remove_all(connection, [*caches, *object_ids.values()], due_at=now + objects.GRACE)


def note_use(connection: Connection, ids: Sequence[int], kept_for: int | None, now: int) -> None:
    """Note that symbols are used, by their rows' ids, so that they live on."""
    files = select(symbols.c.file_id).where(symbols.c.id.in_(ids))
    connection.execute(
        update(symbol_files)
        .where(symbol_files.c.id.in_(files), symbol_files.c.used_at < now - _USED)
        .values(used_at=now, expires_at=None if kept_for is None else now + kept_for)
    )


def newest(connection: Connection, identity: Identity, debug_id: str, now: int) -> int | None:
    """Return when the newest symbols of a debug id came, unless they can't be read."""
    query = _select(identity.account_id, now)
    found = query.where(symbols.c.debug_id == debug_id, symbols.c.state != "failed")
    row = connection.execute(found.order_by(symbols.c.id.desc()).limit(1)).first()
    return None if row is None else int(row.created_at)


def find_wanted(connection: Connection, identity: Identity, wanted: Wanted, now: int) -> Symbols:
    """Return the newest file that a debugger asks for; raises `NotFound`."""
    query = _select(identity.account_id, now, *contents.content_columns(with_data=False))
    if wanted.debug_id is not None:
        query = query.where(symbols.c.debug_id == wanted.debug_id)
    if wanted.code_id is not None:
        query = query.where(symbols.c.code_id == wanted.code_id)
    if wanted.forms:
        query = query.where(symbols.c.form.in_(wanted.forms))
    for row in connection.execute(query.order_by(symbols.c.id.desc())):
        found = _symbols(row)
        if wanted.feature is None or wanted.feature in found.features:
            return found
    raise unknown()


def _symbols(row: Row[Any]) -> Symbols:
    values: tuple[Any, ...] = tuple(row)
    head, content = values[: len(_COLUMNS)], values[len(_COLUMNS) :]
    facts = dict(zip(_FIELDS, head, strict=True))
    facts["features"] = facts["features"].split()
    return Symbols(**facts, content=contents.content_of(content))


def unknown() -> NotFound:
    """Return the error for symbols that don't exist."""
    return NotFound("No such symbols")
