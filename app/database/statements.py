"""Statements that are compiled once per dialect.

Running a Core statement costs about 150 µs, most of which is spent on finding its compiled form.
Hot statements take a short cut that costs a tenth: they keep their SQL, and pass it to the driver
itself. Values are not converted, so their columns hold integers, text and bytes only.
"""

from collections import namedtuple
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Insert, Table, bindparam, insert
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

_REQUIRED: Final = object()


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a statement: all its rows, and the number that it changed."""

    rows: list[Any]
    rowcount: int

    def first(self) -> Any:  # noqa: ANN401 - a row, with its columns as attributes
        """Return the first row, or None."""
        return self.rows[0] if self.rows else None

    def scalar_one(self) -> Any:  # noqa: ANN401 - a value of any kind
        """Return the first column of the only row."""
        return self.one()[0]

    def one(self) -> Any:  # noqa: ANN401 - a row
        """Return the only row."""
        (row,) = self.rows
        return row


@dataclass(frozen=True, slots=True)
class Compiled:
    """A statement in the SQL of one dialect."""

    sql: str
    parameters: tuple[tuple[str, object], ...]  # names in the order of the SQL, and defaults
    row: Callable[[Any], Any] | None  # makes a row of a tuple; None: the statement returns none


runners: dict[str, Callable[[Connection, Compiled, tuple[object, ...]], Result]] = {}
"""By dialect, how its driver runs a compiled statement; its module registers here on import."""


def insert_into(table: Table) -> Insert:
    """Return the statement that inserts a row, of values for all columns but its ``id``."""
    columns = [column for column in table.c if column is not table.c.id]
    return insert(table).values(
        {column.name: bindparam(column.name, type_=column.type) for column in columns}
    )


class Statement:
    """A statement with named bind parameters; call it with a connection and their values."""

    def __init__(self, clause: ClauseElement | Mapping[str, ClauseElement]) -> None:
        """``clause`` is for both dialects, or one for each by its name."""
        self._clause = clause
        self._compiled: dict[str, Compiled] = {}

    def __call__(self, connection: Connection, /, **values: object) -> Result:
        dialect = connection.dialect
        return runners[dialect.name](connection, *self.bound(dialect, values))

    def bound(
        self, dialect: Dialect, values: Mapping[str, object]
    ) -> tuple[Compiled, tuple[object, ...]]:
        """Return the statement in a dialect's SQL, and its parameters."""
        compiled = self._compiled.get(dialect.name) or self._compile(dialect)
        parameters = tuple([values.get(name, default) for name, default in compiled.parameters])
        if _REQUIRED in parameters:
            missing = [n for n, default in compiled.parameters if default is _REQUIRED]
            raise TypeError(f"the statement wants values for {missing}, and got {list(values)}")
        return compiled, parameters

    def _compile(self, dialect: Dialect) -> Compiled:
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
        self._compiled[dialect.name] = Compiled(str(compiled), parameters, make)
        return self._compiled[dialect.name]


def insert_if_absent(table: Table, *columns: str) -> Statement:
    """Make an INSERT of these columns that skips rows which break a unique constraint.

    Its result is the new row's ``id``, or no row if nothing was inserted.
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
