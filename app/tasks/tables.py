"""The tables of turns: of daily tasks, and of the move to another store."""

from sqlalchemy import BigInteger, Column, String, Table

from app.database.schema import Id, identity, metadata, moment

daily = Table(
    "daily",
    metadata,
    identity(),
    Column("name", String(32), nullable=False, unique=True),  # of a task
    moment("next_at"),  # nobody else's turn before
    sqlite_autoincrement=True,
)

# one row, while there is a move
moves = Table(
    "moves",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    moment("next_at"),  # nobody else's turn before: the end of a lease, or of a pause
    # what is left to copy; NULL: not counted yet
    Column("left_objects", BigInteger),
    Column("left_bytes", BigInteger),
    Column("failed_objects", BigInteger, nullable=False),  # of these, what could not be copied
)
