"""Features: the kinds of things that accounts keep, each declared once.

Purge and expiry walk their tables, API keys have their scopes, links lead to their targets, and the
home page counts them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Table, and_, or_, true

from app.accounts.tables import (
    api_keys,
    invitations,
    password_resets,
    recovery_codes,
    second_factors,
    sessions,
    tiers,
)
from app.blobs.tables import blobs
from app.buffer import history as buffer_history
from app.buffer import rows as buffer_rows
from app.buffer.tables import buffers, past_clips
from app.bundles import removal as bundle_removal
from app.bundles.tables import bundle_members, bundles
from app.database.instance import instance
from app.dumps import expiry as dump_expiry
from app.dumps.tables import (
    dump_attachments,
    dump_modules,
    dump_policies,
    dump_refusals,
    dumps,
    signature_rules,
    signatures,
)
from app.events.tables import deliveries, events, webhooks
from app.files import eviction as file_eviction
from app.files import expiry as file_expiry
from app.files.tables import files
from app.links import expiry as link_expiry
from app.links import spending
from app.links.entities import INBOX
from app.links.tables import inboxes, timelink_leases, timelinks
from app.links.targets import TargetTable, TargetType, text_of
from app.objects import media_types
from app.objects.tables import holds, tombstones
from app.pictures.tables import pictures, thumbnails
from app.symbols import rows as symbol_rows
from app.symbols.tables import symbol_files, symbols
from app.tasks.expiry import Expiring, next_of, rows_of, things_of
from app.tasks.tables import daily, moves
from app.trends.tables import daily_use
from app.uploads import rows as upload_rows
from app.uploads.tables import uploads

Lives = Callable[[int], ColumnElement[bool]]
"""Makes the condition for rows that haven't expired, at a moment in UTC microseconds."""

_READ_WRITE: Final = ("read", "write")


@dataclass(frozen=True, slots=True)
class Feature:
    """One kind of things; the name is the plural, as in scopes."""

    name: str
    tables: tuple[Table, ...]
    """Its tables, with an ``account_id``, and an ``object_id`` where rows own an object.

    A table that refers to another comes before it; the last one has a row for each thing.
    """
    verbs: tuple[str, ...] = _READ_WRITE
    """Its scopes: ``read`` makes ``files:read``."""
    expiring: tuple[Expiring, ...] = ()
    target: tuple[TargetType, TargetTable] | None = None
    """The type that links have for it, and how they find one; None: links can't lead to it."""
    counted: Lives | None = None
    """Those that the home page counts; None: it counts none."""


def _unexpired(table: Table) -> Lives:
    return lambda now: or_(table.c.expires_at.is_(None), table.c.expires_at > now)


FEATURES: Final = (
    Feature(
        "blobs",
        (blobs,),
        target=("blob", TargetTable(blobs, blobs.c.name, blobs.c.name, blobs.c.content_type)),
        counted=lambda _: true(),
    ),
    Feature(
        "dumps",
        (
            dump_modules,
            dump_attachments,
            dump_refusals,
            dump_policies,
            signature_rules,
            signatures,
            dumps,
        ),
        verbs=(*_READ_WRITE, "submit"),
        expiring=(things_of(dumps, dump_expiry.remove_all),),
        target=(
            "dump",
            TargetTable(
                dumps,
                dumps.c.uuid,
                dumps.c.original_name,
                text_of(media_types.UNKNOWN),
                dumps.c.expires_at,
                gone_at=dumps.c.dropped_at,
            ),
        ),
        counted=_unexpired(dumps),
    ),
    Feature(
        "files",
        (files,),
        expiring=(things_of(files, file_expiry.remove_all),),
        target=(
            "file",
            TargetTable(
                files,
                files.c.uuid,
                files.c.name,
                files.c.content_type,
                files.c.expires_at,
                file_eviction.remove_downloaded,
            ),
        ),
        counted=_unexpired(files),
    ),
    Feature(
        "bundles",
        (bundle_members, bundles),
        verbs=(),  # those of files
        expiring=(Expiring(bundle_removal.remove_expired, next_of(bundles)),),
        target=(
            "bundle",
            TargetTable(
                bundles,
                bundles.c.uuid,
                bundles.c.name,
                text_of("application/zip"),
                bundles.c.expires_at,
                resource="files",
                remove=bundle_removal.remove,
            ),
        ),
    ),
    Feature(
        "buffer",
        (past_clips, buffers),
        expiring=(
            Expiring(buffer_rows.remove_expired, next_of(buffers)),
            things_of(past_clips, buffer_history.remove_expired),
        ),
    ),
    Feature(
        "pictures",
        (thumbnails, pictures),
        target=(
            "picture",
            TargetTable(
                pictures,
                pictures.c.uuid,
                pictures.c.name,
                text_of("image/") + pictures.c.format,
                bare=pictures.c.bare,
            ),
        ),
        counted=lambda _: true(),
    ),
    Feature(
        "symbols",
        (symbols, symbol_files),
        verbs=(*_READ_WRITE, "submit"),
        expiring=(things_of(symbol_files, symbol_rows.remove_files),),
    ),
    Feature(
        "uploads",
        (uploads,),
        verbs=(),  # those of what they become
        expiring=(things_of(uploads, upload_rows.remove_all),),
    ),
    Feature(
        "timelinks",
        (timelink_leases, timelinks),
        expiring=(
            rows_of(timelink_leases),
            Expiring(link_expiry.remove_ended, link_expiry.next_removal),
        ),
        counted=lambda now: and_(
            timelinks.c.kind != INBOX,
            link_expiry.is_open(now),
            link_expiry.has_downloads_left(now),
        ),
    ),
    Feature(
        "inboxes",
        (inboxes,),
        verbs=(),  # those of links and files
        counted=lambda _: true(),
    ),
    Feature("events", (events,), verbs=("read",)),
    Feature(
        "webhooks",
        (deliveries, webhooks),
        verbs=("read",),  # who may write them, may listen to all that happens
        expiring=(rows_of(deliveries),),
    ),
    Feature(
        "accounts",
        (sessions, api_keys, invitations, password_resets, recovery_codes, second_factors),
        verbs=(),
        expiring=(
            rows_of(sessions),
            rows_of(api_keys),
            rows_of(invitations),
            rows_of(password_resets),
        ),
    ),
)

SCOPES: Final = frozenset(
    {f"{feature.name}:{verb}" for feature in FEATURES for verb in feature.verbs} | {"metrics:read"}
)
"""All scopes of API keys."""

TARGETS: Final = dict(feature.target for feature in FEATURES if feature.target is not None)
"""The targets of links, by type."""

COUNTED: Final[Mapping[str, tuple[Table, Lives]]] = {
    feature.name: (feature.tables[-1], feature.counted)
    for feature in FEATURES
    if feature.counted is not None
}

TABLES: Final = tuple(table for feature in FEATURES for table in feature.tables)
"""Tables that the purge empties of an account, in this order."""

OWN_TABLES: Final = (tiers, instance, tombstones, holds, daily, moves, daily_use)
"""Tables of the service itself. Every other one refers to an account, or to what is one's."""

EXPIRING: Final = (
    *(expiring for feature in FEATURES for expiring in feature.expiring),
    Expiring(spending.remover(TARGETS), spending.next_removal),
)
"""The expiry of all that expires."""
