"""The tables. Every one has an integer ``id``; what clients see is its ``uuid``, if it has one."""

from app.accounts.tables import accounts, api_keys, sessions, tiers
from app.blobs.tables import blobs
from app.buffer.tables import buffers
from app.database.schema import metadata
from app.dumps.tables import dump_attachments, dumps
from app.files.tables import files
from app.links.tables import timelink_leases, timelinks
from app.objects.tables import daily, instance, object_bytes, objects, tombstones
from app.pictures.tables import pictures, thumbnails

__all__ = [
    "accounts",
    "api_keys",
    "blobs",
    "buffers",
    "daily",
    "dump_attachments",
    "dumps",
    "files",
    "instance",
    "metadata",
    "object_bytes",
    "objects",
    "pictures",
    "sessions",
    "thumbnails",
    "tiers",
    "timelink_leases",
    "timelinks",
    "tombstones",
]
