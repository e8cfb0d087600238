"""Alembic's entry: runs over the connection that its caller hands in."""

from alembic import context

import app.features  # noqa: F401 - whose tables are in the metadata
from app.database.schema import metadata
from migrations.comparison import include_object

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=False,  # the caller's transaction holds all of it
    compare_type=True,
    include_object=include_object,
)
context.run_migrations()
