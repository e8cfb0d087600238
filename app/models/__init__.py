"""The tables. Every one has an integer ``id``; what clients see is its ``uuid``, if it has one."""

from app.models.accounts import accounts, tiers
from app.models.base import metadata
from app.models.blobs import blobs
from app.models.buffers import buffers
from app.models.credentials import api_keys, sessions
from app.models.dumps import dump_attachments, dumps
from app.models.files import files
from app.models.objects import daily, instance, object_bytes, objects, tombstones
from app.models.pictures import pictures, thumbnails
from app.models.timelinks import timelink_leases, timelinks

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
