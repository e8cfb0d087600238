"""Pages of lists that no index sorts: the newest rows of an account are, up to `SORTED` of them."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    func,
    literal,
    or_,
    select,
    true,
)

from app.database.pagination import SORTED, decode_cursor, encode_cursor
from app.errors import InvalidCursor

_LONGEST: Final = 200  # characters of a text that sort: a cursor has them
_NEVER: Final = 2**62  # when what has no end ends
_INT64: Final = 2**63


@dataclass(frozen=True, slots=True)
class Order:
    """What a list is sorted by: a key that no row lacks, and then the row's id."""

    list_name: str
    """What cursors of the list have, so that none is taken for one of another."""
    id: ColumnElement[int]
    key: ColumnElement[Any]
    descends: bool = False
    is_text: bool = False


def by_text(list_name: str, id_: ColumnElement[int], text: ColumnElement[str]) -> Order:
    """Sort by a text, whatever its case."""
    return Order(list_name, id_, func.substr(func.lower(text), 1, _LONGEST), is_text=True)


def by_end(list_name: str, id_: ColumnElement[int], moment: ColumnElement[Any]) -> Order:
    """Sort by a moment, what has none last."""
    return Order(list_name, id_, func.coalesce(moment, literal(_NEVER, BigInteger)))


def newest_of(rows: Table, account_id: int) -> Any:  # noqa: ANN401 - a subquery
    """Select the newest rows of an account, of which a list is made."""
    newest = select(rows).where(rows.c.account_id == account_id).order_by(rows.c.id.desc())
    return newest.limit(SORTED).subquery()


def sorted_ids(
    connection: Connection, rows: Select[Any], order: Order, limit: int, cursor: str | None
) -> tuple[list[int], str | None]:
    """Return the ids of a page of rows in an order, and the cursor of the next page, if any."""
    columns = (order.key.desc(), order.id.desc()) if order.descends else (order.key, order.id)
    page = (
        rows.with_only_columns(order.id.label("id"), order.key.label("key"))
        .where(_is_after(order, cursor))
        .order_by(*columns)
        .limit(limit + 1)
    )
    found = connection.execute(page).all()
    ids = [int(row.id) for row in found[:limit]]
    if len(found) <= limit:
        return ids, None
    last = found[limit - 1]
    return ids, encode_cursor(order.list_name, f"{last.id} {last.key}")


def _is_after(order: Order, cursor: str | None) -> ColumnElement[bool]:
    position = decode_cursor(order.list_name, cursor, str)
    if position is None:
        return true()
    number, _, text = position.partition(" ")
    try:
        last_id = int(number)
        last: int | str = text if order.is_text else int(text)
    except ValueError:
        raise InvalidCursor from None
    if any(isinstance(part, int) and abs(part) >= _INT64 for part in (last_id, last)):
        raise InvalidCursor
    if order.descends:
        return or_(order.key < last, and_(order.key == last, order.id < last_id))
    return or_(order.key > last, and_(order.key == last, order.id > last_id))
