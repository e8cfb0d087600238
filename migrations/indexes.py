"""Indexes on tables that may have millions of rows, built while others write."""

from collections.abc import Sequence
from typing import Any

from alembic import op


def create_index(
    name: str,
    table: str,
    columns: Sequence[Any],
    **options: Any,  # noqa: ANN401 - those of Alembic's
) -> None:
    """Create an index; on PostgreSQL without keeping anybody from writing.

    That is in no transaction there, so it has to be all that its migration does. A build that was
    broken off has left an index that isn't valid, which is dropped first. Where one transaction
    holds all migrations, nobody else is there.
    """
    context = op.get_context()
    if context.dialect.name != "postgresql" or context.opts.get("is_one_transaction"):
        op.create_index(name, table, columns, **options)
        return
    with context.autocommit_block():
        op.drop_index(name, table, if_exists=True, postgresql_concurrently=True)
        op.create_index(name, table, columns, postgresql_concurrently=True, **options)
