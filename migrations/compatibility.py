"""Notes, with each migration, the oldest program that can work with the schema after it."""

from typing import Any

from alembic.migration import MigrationContext
from alembic.runtime.migration import MigrationInfo
from sqlalchemy import update

from app.database.compatibility import schema_compatibility

_FIRST = "0017"  # which makes the table


def note(ctx: MigrationContext, step: MigrationInfo, heads: object, run_args: object) -> None:  # noqa: ARG001 - by these names it is called
    """Ask for programs that know this migration, unless it is an expansion.

    An expansion only adds, so that programs of the release before don't notice.
    """
    script: Any = step.up_revision
    if script.revision < _FIRST or getattr(script.module, "is_expansion", False):
        return
    assert ctx.connection is not None
    ctx.connection.execute(update(schema_compatibility).values(usable_from=script.revision))
