"""Alembic's entry: runs over the connection that its caller hands in."""

from alembic import context

from migrations import compatibility
from migrations.comparison import include_object
from migrations.models import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transaction_per_migration=True,  # but for a transaction of the caller's, which holds all
    is_one_transaction=context.config.attributes["connection"].in_transaction(),
    on_version_apply=compatibility.note,
    compare_type=True,
    include_object=include_object,
)
context.run_migrations()
