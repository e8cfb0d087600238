"""Registration: whether a stranger may make an account, by one rule for every door."""

from dataclasses import replace
from enum import Enum
from typing import Final

from sqlalchemy import Connection, select

from app.accounts import accounts
from app.accounts.accounts import Account, NewAccount
from app.accounts.identity import SERVICE_ACCOUNT
from app.accounts.tables import accounts as account_rows
from app.config import Settings
from app.database import Database
from app.errors import Forbidden

REFUSAL: Final = (
    "Registration is closed. An administrator can make accounts, and whoever runs the service can "
    "open it to all: REGISTRATION=open"
)


class Registration(Enum):
    """To whom registration is open."""

    ALL = "all"
    FIRST = "first"
    """To the first to come, who becomes administrator and closes it."""
    NOBODY = "nobody"


async def state(database: Database, settings: Settings) -> Registration:
    """Return to whom registration is open now."""
    if settings.registration is not None:
        return Registration.ALL if settings.registration == "open" else Registration.NOBODY
    # being on this host opens nothing: a proxy may be there too, and pass on the whole world
    if not settings.is_private or await database.read(has_accounts):
        return Registration.NOBODY
    return Registration.FIRST


def has_accounts(connection: Connection) -> bool:
    """Tell whether there is any account beside the built-in one."""
    others = select(account_rows.c.id).where(account_rows.c.username_key != SERVICE_ACCOUNT)
    return connection.execute(others.limit(1)).first() is not None


def create_first(connection: Connection, new: NewAccount) -> Account:
    """Make the first account, an administrator; raises `Forbidden` when there is one already."""
    accounts.take_turn(connection)
    if has_accounts(connection):
        raise Forbidden(REFUSAL)
    return accounts.create(connection, replace(new, is_admin=True))
