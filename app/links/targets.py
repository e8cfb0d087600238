"""Targets of timelinks: things of several types, found by their id on the wire or their row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Row,
    Select,
    Table,
    Text,
    and_,
    bindparam,
    literal_column,
    null,
    or_,
    select,
)

from app.accounts.identity import Identity, Tier
from app.database import Statement
from app.objects.entities import Content
from app.objects.reading import contents
from app.objects.tables import object_bytes
from app.objects.tables import objects as object_rows

AS_IT_IS: Final = ""
"""Instead of the parts of a content: strangers get all of it."""

TargetType = str
"""The name of a type of targets, such as ``file``."""


Remove = Callable[[Connection, int, int], None]
"""Removes a row, by its id, of a locked account at a moment, if it is still there."""


@dataclass(frozen=True, slots=True)
class Target:
    """A link's target, ready to be read; ``expires_at`` in UTC microseconds, None: never."""

    id: int
    public_id: str
    name: str
    content_type: str
    expires_at: int | None
    content: Content | None
    """None: it is a set of things, each with its own."""
    bare: str | None = AS_IT_IS
    """What strangers get of it unless originals are shared; see `TargetTable.bare`."""


@dataclass(frozen=True, slots=True)
class TargetTable:
    """The table of one type of targets, and its columns that links need."""

    table: Table
    public_id: Column[Any]
    name: Column[Any]
    content_type: ColumnElement[Any]
    expires_at: ColumnElement[Any] | None = None
    remove: Remove | None = None
    """Removes one that goes with its link's last download; None: none does."""
    gone_at: ColumnElement[Any] | None = None
    """When its bytes went, where these can go before it does."""
    resource: str | None = None
    """Whose scope permits to read it; None: its table's name."""
    bare: Column[Any] | None = None
    """The parts of its bytes without what tells of its owner, see `Content.excerpted`.

    None: it has nothing to be left out.
    """

    @property
    def has_content(self) -> bool:
        """Whether a target is an object; else it is a set of things."""
        return "object_id" in self.table.c

    @property
    def scope(self) -> str:
        """The scope that permits to read it."""
        return f"{self.resource or self.table.name}:read"

    def alive(self, now: ColumnElement[int] | int) -> ColumnElement[bool]:
        """Say which rows have not expired, and have their bytes."""
        if self.expires_at is None:
            return self.table.c.id.is_not(None)
        lives = or_(self.expires_at.is_(None), self.expires_at > now)
        return lives if self.gone_at is None else and_(lives, self.gone_at.is_(None))

    def select(self) -> Select[Any]:
        """Select targets for `_target`."""
        expires_at = null() if self.expires_at is None else self.expires_at
        found: Select[Any] = select(
            self.table.c.id,
            self.public_id.label("public_id"),
            self.name.label("name"),
            self.content_type.label("content_type"),
            expires_at.label("expires_at"),
            bare_of(self).label("bare"),
        ).where(self.alive(bindparam("now", type_=BigInteger)))
        if not self.has_content:
            return found
        return found.add_columns(*contents.content_columns()).select_from(
            self.table.join(object_rows, self.table.c.object_id == object_rows.c.id).outerjoin(
                object_bytes
            )
        )


def bare_of(target: TargetTable) -> ColumnElement[Any]:
    """Return the column of what strangers get of a target."""
    return text_of(AS_IT_IS) if target.bare is None else target.bare


def text_of(value: str) -> ColumnElement[str]:
    """Return a column that is the same text in every row."""
    return literal_column(f"'{value}'", Text)


def allows(target_type: str, tier: Tier) -> bool:
    """Tell whether a tier lets its accounts link to such targets."""
    return target_type != "picture" or (tier.allow_links and tier.allow_original)


class Targets:
    """Everything that a link can lead to, by type."""

    def __init__(self, tables: Mapping[TargetType, TargetTable]) -> None:
        self.tables = tables
        self._by_id = {
            target_type: Statement(
                target.select().where(target.table.c.id == bindparam("target_id"))
            )
            for target_type, target in tables.items()
        }
        self._by_public_id = {
            target_type: Statement(
                target.select().where(
                    and_(
                        target.table.c.account_id == bindparam("account_id"),
                        target.public_id == bindparam("public_id"),
                    )
                )
            )
            for target_type, target in tables.items()
        }

    def read(
        self, connection: Connection, target_type: TargetType, target_id: int, now: int
    ) -> Target | None:
        """Return a target by the id of its row; None if it is gone or has expired.

        What a link of another kind leads to is no target.
        """
        if target_type not in self._by_id:
            return None
        row = self._by_id[target_type](connection, target_id=target_id, now=now).first()
        return None if row is None else _target(row)

    def find_named(
        self,
        connection: Connection,
        identity: Identity,
        target_type: TargetType,
        name: str,
        now: int,
    ) -> str | None:
        """Return the id on the wire of the newest target of a name; None if there is none."""
        target = self.tables[target_type]
        named = (
            select(target.public_id)
            .where(target.table.c.account_id == identity.account_id)
            .where(target.name == name, target.alive(now))
        )
        newest = named.order_by(target.table.c.id.desc()).limit(1)
        found: str | None = connection.execute(newest).scalar()
        return found

    def find(
        self,
        connection: Connection,
        identity: Identity,
        target_type: TargetType,
        public_id: str,
        now: int,
    ) -> Target | None:
        """Return a target of the caller's account by its id on the wire; None if it isn't there."""
        row = self._by_public_id[target_type](
            connection, account_id=identity.account_id, public_id=public_id, now=now
        ).first()
        return None if row is None else _target(row)


def _target(row: Row[Any]) -> Target:
    target_id, public_id, name, content_type, expires_at, bare, *content = tuple(row)
    found = contents.content_of(content) if content else None
    return Target(target_id, public_id, name, content_type, expires_at, found, bare)
