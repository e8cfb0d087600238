"""The tables. Every one has an integer ``id``; what clients see is its ``uuid``, if it has one."""

from app.models.accounts import accounts, tiers
from app.models.base import metadata
from app.models.blobs import blobs
from app.models.credentials import api_keys, sessions
from app.models.objects import instance, object_bytes, objects, tombstones

__all__ = [
    "accounts",
    "api_keys",
    "blobs",
    "instance",
    "metadata",
    "object_bytes",
    "objects",
    "sessions",
    "tiers",
    "tombstones",
]
