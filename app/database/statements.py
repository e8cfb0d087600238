"""Statements that are compiled once per dialect.

Running a Core statement costs about 150 µs, most of it spent on finding its compiled form again;
the same SQL run through the driver costs a tenth. The hot statements take this short cut. Values
go to the driver and come back as they are, so their columns hold integers, text and bytes only.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, CursorResult, Table, bindparam
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

_REQUIRED = object()


class Statement:
    """A statement with named bind parameters; call it with a connection and their values."""

    def __init__(self, clause: ClauseElement | Mapping[str, ClauseElement]) -> None:
        self._clause = clause
        self._compiled: dict[str, tuple[str, tuple[tuple[str, object], ...]]] = {}

    def __call__(self, connection: Connection, /, **values: object) -> CursorResult[Any]:
        dialect = connection.dialect
        sql, parameters = self._compiled.get(dialect.name) or self._compile(dialect)
        row = tuple([values.get(name, default) for name, default in parameters])
        if _REQUIRED in row:
            missing = [name for name, default in parameters if default is _REQUIRED]
            raise TypeError(f"a statement wants values for {missing}, and got {list(values)}")
        return connection.exec_driver_sql(sql, row)

    def _compile(self, dialect: Dialect) -> tuple[str, tuple[tuple[str, object], ...]]:
        clause = self._clause
        if isinstance(clause, Mapping):
            clause = clause[dialect.name]
        compiled = clause.compile(dialect=dialect)
        assert isinstance(compiled, SQLCompiler)
        parameters = tuple(
            (name, _REQUIRED if compiled.binds[name].required else compiled.params[name])
            for name in compiled.positiontup or ()
        )
        self._compiled[dialect.name] = (str(compiled), parameters)
        return self._compiled[dialect.name]


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
