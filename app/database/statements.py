"""Statements that are compiled once per dialect.

Running a Core statement costs about 150 µs, most of it spent on finding its compiled form again.
The hot statements take a short cut: they keep their SQL and give it to the driver, to the very
driver, which costs a tenth. Values go to the driver and come back as they are, so their
columns hold integers, text and bytes only.
"""

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
from sqlalchemy import Connection, Table, bindparam
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.util import await_only

_REQUIRED: Final = object()


@dataclass(frozen=True, slots=True)
class Result:
    """What a statement gave: its rows, all of them, and how many it changed."""

    rows: list[Any]
    rowcount: int

    def first(self) -> Any:  # noqa: ANN401 - a row, with its columns as attributes
        """Return the first row, or None."""
        return self.rows[0] if self.rows else None

    def scalar_one(self) -> Any:  # noqa: ANN401 - a value of any kind
        """Return the first column of the one row there is."""
        return self.one()[0]

    def one(self) -> Any:  # noqa: ANN401 - a row
        """Return the one row there is."""
        (row,) = self.rows
        return row


@dataclass(frozen=True, slots=True)
class _Compiled:
    sql: str
    parameters: tuple[tuple[str, object], ...]  # names in the order of the SQL, and defaults
    row: Callable[[Any], Any] | None  # makes a row of a tuple; None: the statement returns none


class Statement:
    """A statement with named bind parameters; call it with a connection and their values."""

    def __init__(self, clause: ClauseElement | Mapping[str, ClauseElement]) -> None:
        """``clause`` is for both dialects, or one for each by its name."""
        self._clause = clause
        self._compiled: dict[str, _Compiled] = {}

    def __call__(self, connection: Connection, /, **values: object) -> Result:
        dialect = connection.dialect
        compiled = self._compiled.get(dialect.name) or self._compile(dialect)
        parameters = tuple([values.get(name, default) for name, default in compiled.parameters])
        if _REQUIRED in parameters:
            missing = [n for n, default in compiled.parameters if default is _REQUIRED]
            raise TypeError(f"the statement wants values for {missing}, and got {list(values)}")
        if dialect.name == "sqlite":
            return _run_in_sqlite(connection, compiled, parameters)
        return _run_in_postgres(connection, compiled, parameters)

    def _compile(self, dialect: Dialect) -> _Compiled:
        clause = self._clause
        if isinstance(clause, Mapping):
            clause = clause[dialect.name]
        compiled = clause.compile(dialect=dialect)
        assert isinstance(compiled, SQLCompiler)
        parameters = tuple(
            (name, _REQUIRED if compiled.binds[name].required else compiled.params[name])
            for name in compiled.positiontup or ()
        )
        names = [column.keyname for column in compiled._result_columns]
        row: Any = namedtuple("Row", names, rename=True) if names else None
        make = None if row is None else row._make
        self._compiled[dialect.name] = _Compiled(str(compiled), parameters, make)
        return self._compiled[dialect.name]


def _run_in_sqlite(
    connection: Connection, compiled: _Compiled, parameters: tuple[object, ...]
) -> Result:
    raw = connection.connection.dbapi_connection
    assert raw is not None
    cursor = raw.cursor()
    try:
        cursor.execute(compiled.sql, parameters)
    except sqlite3.IntegrityError as error:  # what the callers of either dialect expect
        raise IntegrityError(compiled.sql, None, error) from error
    rows = [compiled.row(row) for row in cursor.fetchall()] if compiled.row else []
    return Result(rows, cursor.rowcount)


def _run_in_postgres(
    connection: Connection, compiled: _Compiled, parameters: tuple[object, ...]
) -> Result:
    driver: Any = connection.connection.driver_connection
    try:
        if compiled.row is None:
            status: str = await_only(driver.execute(compiled.sql, *parameters))
            return Result([], int(status.rpartition(" ")[2]))
        records = await_only(driver.fetch(compiled.sql, *parameters))
    except asyncpg.IntegrityConstraintViolationError as error:
        raise IntegrityError(compiled.sql, None, error) from error
    return Result([compiled.row(record) for record in records], len(records))


def insert_if_absent(table: Table, *columns: str) -> Statement:
    """Make an INSERT of these columns that skips a row which breaks a unique constraint.

    Its result has the new row's ``id``, or no row when nothing was inserted.
    """
    values = {name: bindparam(name, type_=table.c[name].type) for name in columns}
    in_sqlite = sqlite.insert(table).values(values).on_conflict_do_nothing()
    in_postgres = postgresql.insert(table).values(values).on_conflict_do_nothing()
    return Statement(
        {
            "sqlite": in_sqlite.returning(table.c.id),
            "postgresql": in_postgres.returning(table.c.id),
        }
    )
