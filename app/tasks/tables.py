"""The table of the turns of daily tasks."""

from sqlalchemy import Column, String, Table

from app.database.schema import identity, metadata, moment

daily = Table(
    "daily",
    metadata,
    identity(),
    Column("name", String(32), nullable=False, unique=True),  # of a task
    moment("next_at"),  # nobody else's turn before
    sqlite_autoincrement=True,
)
