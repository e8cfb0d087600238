"""Notices: what a transaction has to tell once it has been committed."""

from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection

NOTICES: Final = "notices"
"""Where a connection has the notices of the function that runs over it."""

Listener = Callable[[object], None]


def notify(connection: Connection, notice: object) -> None:
    """Tell the database's listener of something after the commit; never if there is none."""
    connection.info[NOTICES].append(notice)
