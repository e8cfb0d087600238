"""Contents of objects, as queries of features select them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, case, null

from app.objects import segments
from app.objects.entities import Content
from app.objects.tables import object_bytes, objects


def content_columns(*, with_data: bool = True) -> tuple[ColumnElement[Any], ...]:
    """Columns of ``objects`` for `content_of`; the data is in ``object_bytes``, outer-joined."""
    # an object has a key of its own or is small, but for the few that came in pieces
    if with_data:
        is_in_pieces = and_(objects.c.key.is_(None), object_bytes.c.object_id.is_(None))
        return _columns(object_bytes.c.data, _segments_if(is_in_pieces))
    return _columns(null(), _segments_if(objects.c.key.is_(None)))


def _segments_if(condition: ColumnElement[bool]) -> ColumnElement[Any]:
    return case((condition, segments.SEGMENTS), else_=null()).label("segments")


def listed_columns() -> tuple[ColumnElement[Any], ...]:
    """Columns of ``objects`` for `content_of`, for content that isn't read."""
    return _columns(null(), null())


def _columns(*where: ColumnElement[Any]) -> tuple[ColumnElement[Any], ...]:
    return (
        objects.c.id.label("content_id"),
        objects.c.key,
        objects.c.size,
        objects.c.sha256,
        objects.c.created_at.label("content_at"),
        objects.c.encoding,
        objects.c.crc32,
        *where,
    )


def content_of(columns: Sequence[Any]) -> Content:
    """Make a `Content` of the values of `content_columns`."""
    object_id, key, size, sha256, modified_at, encoding, crc32, data, found = columns
    parts = segments.parse(found)
    return Content(object_id, key, size, bytes(sha256), modified_at, data, encoding, parts, crc32)
