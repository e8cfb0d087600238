"""Rows of tiers: the limits of accounts, and the rights of their pictures and links."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from uuid_utils import uuid7

from app import clock
from app.accounts.entities import TierRecord
from app.accounts.identity import Identity, parse_heights
from app.accounts.tables import tiers
from app.database import require_storage
from app.database.pagination import Page, decode_cursor, page_of
from app.errors import Conflict, InvalidRequest, NotFound
from app.events.entities import EventType, Subject

GIB: Final = 1024**3
SERVICE_TIER: Final = "service"
"""Name key of the built-in tier without limits, which only the account `service` has."""

_LIST = "tiers"
_listed = tiers.c.name_key != SERVICE_TIER


def new_tier(**facts: Any) -> TierRecord:  # noqa: ANN401 - the fields of the record
    """Return a new tier of these facts."""
    return TierRecord(uuid=str(uuid7()), created_at=clock.now(), **facts)


def row_of(tier: TierRecord) -> dict[str, Any]:
    """Return the columns of a tier."""
    return columns_of(asdict(tier))


def columns_of(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of some facts of a tier."""
    columns = dict(facts)
    if "name" in facts:
        columns["name_key"] = key_of(facts["name"])
    if "heights" in facts:
        columns["heights"] = ",".join(str(height) for height in facts["heights"])
    return columns


def key_of(name: str) -> str:
    """Return the name without case, in which tiers must differ."""
    return name.casefold()


def list_all(
    connection: Connection, _: Identity, limit: int, cursor: str | None
) -> Page[TierRecord]:
    """List the tiers, newest first."""
    page = select(tiers).where(_listed).order_by(tiers.c.id.desc()).limit(limit + 1)
    after = decode_cursor(_LIST, cursor, int)
    if after is not None:
        page = page.where(tiers.c.id < after)
    rows = connection.execute(page).all()
    return page_of(_LIST, rows, limit, _record_of, lambda row: row.id)


def get(connection: Connection, _: Identity, uuid: str) -> TierRecord:
    """Return a tier; raises `NotFound`."""
    row = connection.execute(select(tiers).where(_listed, tiers.c.uuid == uuid)).first()
    if row is None:
        raise NotFound("No such tier")
    return _record_of(row)


def create(connection: Connection, identity: Identity, new: TierRecord) -> TierRecord:
    """Make a tier; raises `Conflict` when its name is taken."""
    require_storage(connection)
    try:
        connection.execute(insert(tiers).values(row_of(new)))
    except IntegrityError:
        raise Conflict("A tier of this name exists") from None
    identity.record(connection, EventType.TIER_CREATED, _subject(new), **_limits(new))
    return new


def change(
    connection: Connection,
    identity: Identity,
    uuid: str,
    facts: Mapping[str, Any],
    default_tier: str,
) -> TierRecord:
    """Change a tier; raises `Conflict` if its new name is taken, or the old one must stay."""
    before = get(connection, identity, uuid)
    if "name" in facts and key_of(facts["name"]) != key_of(before.name):
        _refuse_default(before, default_tier)
    if facts:
        changing = update(tiers).where(tiers.c.uuid == uuid).values(columns_of(facts))
        try:
            connection.execute(changing)
        except IntegrityError:
            raise Conflict("A tier of this name exists") from None
    changed = get(connection, identity, uuid)
    identity.record(connection, EventType.TIER_CHANGED, _subject(changed), **facts)
    return changed


def remove(connection: Connection, identity: Identity, uuid: str, default_tier: str) -> None:
    """Delete a tier; raises `Conflict` while accounts have it, or new ones will get it."""
    tier = get(connection, identity, uuid)
    _refuse_default(tier, default_tier)
    try:
        connection.execute(delete(tiers).where(tiers.c.uuid == uuid))
    except IntegrityError:
        raise Conflict("Accounts have this tier, or invitations give it") from None
    identity.record(connection, EventType.TIER_DELETED, _subject(tier))


def tier_id_of(connection: Connection, name: str) -> int:
    """Return the id of a tier by its name; raises `InvalidRequest` if there is none."""
    row = select(tiers.c.id).where(_listed, tiers.c.name_key == key_of(name))
    tier_id: int | None = connection.execute(row).scalar()
    if tier_id is None:
        detail = "No tier of this name"
        raise InvalidRequest(detail, errors=[{"loc": ["body", "tier"], "msg": detail}])
    return tier_id


def _refuse_default(tier: TierRecord, default_tier: str) -> None:
    if key_of(tier.name) == key_of(default_tier):
        raise Conflict("New accounts get this tier (DEFAULT_TIER): it must keep its name")


def _subject(tier: TierRecord) -> Subject:
    return Subject("tier", tier.uuid, tier.name)


def _limits(tier: TierRecord) -> dict[str, Any]:
    """Return what a tier allows."""
    facts = asdict(tier)
    return {name: facts[name] for name in facts if name not in {"uuid", "created_at"}}


def _record_of(row: Row[Any]) -> TierRecord:
    return TierRecord(
        uuid=row.uuid,
        name=row.name,
        heights=parse_heights(row.heights),
        allow_original=row.allow_original,
        allow_links=row.allow_links,
        max_object_bytes=row.max_object_bytes,
        max_total_bytes=row.max_total_bytes,
        max_objects=row.max_objects,
        created_at=row.created_at,
        default_lifetime=row.default_lifetime,
        max_lifetime=row.max_lifetime,
        default_downloads=row.default_downloads,
        max_downloads=row.max_downloads,
    )
