"""Alembic's entry: runs over the connection that its caller hands in."""

from alembic import context

from migrations.comparison import include_object
from migrations.models import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=False,  # the caller's transaction holds all of it
    compare_type=True,
    include_object=include_object,
)
context.run_migrations()
