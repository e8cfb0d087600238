"""Pages of lists: a cursor is the sort key where one ended, so that an index finds the next."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.errors import InvalidCursor

T = TypeVar("T")
R = TypeVar("R")
P = TypeVar("P", int, str)

MAX_LIMIT = 1000
DEFAULT_LIMIT = 100
SORTED = 20_000
"""How many of an account's newest rows are sorted, where no index does it."""


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of a list, and the cursor of the next one, if any."""

    items: Sequence[T]
    next_cursor: str | None


def encode_cursor(list_name: str, position: int | str) -> str:
    """Return the cursor for the page after ``position``, the sort key of the last item."""
    text = json.dumps([list_name, position], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def cursor_after(list_name: str, position: int | str | None) -> str | None:
    """Return the cursor for the page after ``position``; None: there is no such page."""
    return None if position is None else encode_cursor(list_name, position)


def decode_cursor(list_name: str, cursor: str | None, kind: type[P]) -> P | None:
    """Return the position of a cursor; None without one.

    Raises `InvalidCursor` unless it is one of this list.
    """
    if cursor is None:
        return None
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        name, position = json.loads(text)
    except (ValueError, TypeError, binascii.Error, RecursionError):
        raise InvalidCursor from None
    if name != list_name or type(position) is not kind:
        raise InvalidCursor
    if isinstance(position, int):
        valid = -(2**63) <= position < 2**63
    else:
        valid = "\0" not in position and not any("\ud800" <= c <= "\udfff" for c in position)
    if not valid:
        raise InvalidCursor
    return position


def before_of(list_name: str, cursor: str | None) -> int:
    """Return the id before which a page lies of a list that begins with the newest."""
    position = decode_cursor(list_name, cursor, int)
    return 2**62 if position is None else position


def page_of(
    list_name: str,
    rows: Sequence[R],
    limit: int,
    make: Callable[[R], T],
    position: Callable[[R], int | str],
) -> Page[T]:
    """Return a page of up to ``limit + 1`` rows, the last of which only says that more follow.

    ``position`` returns the sort key of a row, ``make`` the item that it becomes.
    """
    items = [make(row) for row in rows[:limit]]
    if len(rows) <= limit:
        return Page(items, None)
    return Page(items, encode_cursor(list_name, position(rows[limit - 1])))
