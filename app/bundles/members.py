"""The members of bundles as rows: found, listed and counted, whatever they point to."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
)

from app.accounts.tables import accounts, tiers
from app.bundles.entities import Member
from app.bundles.tables import bundle_members, bundles
from app.database import Statement
from app.database.pagination import Page, decode_cursor, page_of
from app.links.targets import AS_IT_IS, Targets, bare_of
from app.objects.file_names import is_storable
from app.objects.reading import contents
from app.objects.tables import object_bytes
from app.objects.tables import objects as object_rows

_LIST: Final = "members"

_now = bindparam("now", type_=BigInteger)
_of_bundle = bundle_members.c.bundle_id == bindparam("bundle_id")
_after = bundle_members.c.id > bindparam("after", type_=BigInteger)
_may_be_shown = or_(
    bundle_members.c.kind != "picture",
    select(accounts.c.id)
    .select_from(accounts.join(tiers))
    .where(
        accounts.c.id == bundle_members.c.account_id,
        and_(tiers.c.allow_links, tiers.c.allow_original),
    )
    .exists(),
)
"""Strangers see a picture only if its owner's tier allows links to it."""


class Members:
    """Reads members together with the things that they point to; what is gone is no member."""

    def __init__(self, targets: Targets) -> None:
        self.targets = targets
        self._things = {
            kind: target for kind, target in targets.tables.items() if target.has_content
        }
        listed = self._select(*contents.listed_columns()).where(_of_bundle)
        ready = self._select(*contents.content_columns()).where(_of_bundle)
        stored = self._select(*contents.content_columns(with_data=False)).where(_of_bundle)
        named = bundle_members.c.name == bindparam("name")
        self._find = Statement(ready.where(bundle_members.c.uuid == bindparam("uuid")))
        self._named = Statement(listed.where(named))
        self._find_shown = Statement(ready.where(_may_be_shown, named))
        in_order = stored.order_by(bundle_members.c.id)
        self._all = {False: Statement(in_order), True: Statement(in_order.where(_may_be_shown))}
        self._page = {
            False: Statement(_paged(listed)),
            True: Statement(_paged(listed.where(_may_be_shown))),
        }

    @property
    def kinds(self) -> Sequence[str]:
        """The types of things that a bundle can point to."""
        return list(self._things)

    def find(self, connection: Connection, bundle_id: int, uuid: str, now: int) -> Member | None:
        """Return a member, ready to be read."""
        row = self._find(connection, bundle_id=bundle_id, uuid=uuid, now=now).first()
        return None if row is None else _member(row)

    def find_shown(
        self, connection: Connection, bundle_id: int, name: str, now: int
    ) -> Member | None:
        """Return a member that strangers may see by its name, ready to be read."""
        if not is_storable(name):
            return None
        row = self._find_shown(connection, bundle_id=bundle_id, name=name, now=now).first()
        return None if row is None else _member(row)

    def page(
        self,
        connection: Connection,
        bundle_id: int,
        limit: int,
        cursor: str | None,
        now: int,
        *,
        name: str | None = None,
        only_shown: bool = False,
    ) -> Page[Member]:
        """Return a page of members in their order: all, that of a name, or what strangers see."""
        if name is not None:
            is_possible = is_storable(name)
            named = {"bundle_id": bundle_id, "name": name, "now": now}
            rows = self._named(connection, **named).rows if is_possible else []
            return Page([_member(row) for row in rows], None)
        after = decode_cursor(_LIST, cursor, int)
        rows = self._page[only_shown](
            connection,
            bundle_id=bundle_id,
            after=-1 if after is None else after,
            now=now,
            limit=limit + 1,
        ).rows
        return page_of(_LIST, rows, limit, _member, lambda row: int(row.id))

    def all(
        self, connection: Connection, bundle_id: int, now: int, *, only_shown: bool = False
    ) -> list[Member]:
        """Return all members, or all that strangers see, without the bytes of small ones."""
        rows = self._all[only_shown](connection, bundle_id=bundle_id, now=now).rows
        return [_member(row) for row in rows]

    def first_targets(
        self, connection: Connection, bundle_ids: Sequence[int], now: int
    ) -> Mapping[int, str]:
        """Return the ids on the wire of what the first members point to, by the bundle's id."""
        first = (
            select(func.min(bundle_members.c.id))
            .where(bundle_members.c.bundle_id.in_(bundle_ids))
            .group_by(bundle_members.c.bundle_id)
        )
        found = self._select().add_columns(bundle_members.c.bundle_id)
        rows = connection.execute(found.where(bundle_members.c.id.in_(first)), {"now": now})
        return {row.bundle_id: row.target for row in rows if row.target is not None}

    def count(
        self,
        connection: Connection,
        bundle_ids: Sequence[int],
        now: int,
        *,
        only_shown: bool = False,
    ) -> Mapping[int, tuple[int, int]]:
        """Return how many members bundles have and the bytes of these, by the bundle's id."""
        found = self._select().with_only_columns(
            bundle_members.c.bundle_id, func.count(), func.sum(object_rows.c.size)
        )
        if only_shown:
            found = found.where(_may_be_shown)
        rows = connection.execute(
            found.where(bundle_members.c.bundle_id.in_(bundle_ids)).group_by(
                bundle_members.c.bundle_id
            ),
            {"now": now},
        )
        return {bundle_id: (int(count), int(size)) for bundle_id, count, size in rows}

    def _select(self, *content: Any) -> Select[Any]:  # noqa: ANN401 - columns
        """Select members, whose things are there ``now``."""
        joined: Any = bundle_members.join(bundles)
        things = self._things
        for kind, target in things.items():
            on = (bundle_members.c.kind == kind) & (bundle_members.c.target_id == target.table.c.id)
            joined = joined.outerjoin(target.table, on & target.alive(_now))
        object_id = func.coalesce(
            bundle_members.c.object_id, *(target.table.c.object_id for target in things.values())
        )
        joined = joined.join(object_rows, object_rows.c.id == object_id)
        joined = joined.outerjoin(object_bytes, object_bytes.c.object_id == object_rows.c.id)
        types = [(bundle_members.c.kind == kind, of.content_type) for kind, of in things.items()]
        bare = [(bundle_members.c.kind == kind, bare_of(of)) for kind, of in things.items()]
        return select(
            bundle_members.c.id,
            bundle_members.c.uuid,
            bundles.c.uuid.label("bundle"),
            bundle_members.c.kind,
            func.coalesce(*(target.public_id for target in things.values())).label("target"),
            bundle_members.c.name,
            func.coalesce(bundle_members.c.content_type, case(*types)).label("content_type"),
            bundle_members.c.created_at,
            case(*bare, else_=AS_IT_IS).label("bare"),
            *content,
        ).select_from(joined)


def _paged(members: Select[Any]) -> Select[Any]:
    return members.where(_after).order_by(bundle_members.c.id).limit(bindparam("limit"))


def _member(row: Row[Any]) -> Member:
    number, uuid, bundle, kind, target, name, content_type, created_at, bare, *content = tuple(row)
    return Member(
        number,
        uuid,
        bundle,
        kind,
        target,
        name,
        content_type,
        created_at,
        contents.content_of(content),
        bare,
    )
