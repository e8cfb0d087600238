"""Expiry of files."""

from collections.abc import Mapping

from sqlalchemy import Connection, delete

from app.bundles import removal as bundles
from app.files.tables import files
from app.objects import removal


def remove_all(
    connection: Connection, _account_id: int, object_ids: Mapping[int, int], now: int
) -> None:
    """Remove expired files, given with their objects; their links have ended as well."""
    bundles.forget(connection, "file", list(object_ids))
    connection.execute(delete(files).where(files.c.id.in_(object_ids)))
    removal.remove_all(connection, [*object_ids.values()], due_at=now)
