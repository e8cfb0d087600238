"""Registration: who may make an account, and how it is made."""

from collections.abc import Callable
from dataclasses import replace
from enum import Enum
from typing import Final

from sqlalchemy import Connection, select
from uuid_utils import uuid7

from app import clock
from app.accounts import fields, rows
from app.accounts.entities import Account, NewAccount
from app.accounts.tables import accounts
from app.database import Database
from app.errors import Forbidden
from app.events.entities import actor_of_request
from app.security.credentials import SERVICE_ACCOUNT
from app.security.passwords import Passwords

REFUSAL: Final = (
    "Registration is closed. An administrator can make accounts, and whoever runs the service can "
    "open it to all: REGISTRATION=open"
)


class Registration(Enum):
    """To whom registration is open."""

    ALL = "all"
    FIRST = "first"
    """To whoever comes first, becomes administrator and thereby closes it."""
    NOBODY = "nobody"


def has_accounts(connection: Connection) -> bool:
    """Tell whether there is any account but the built-in one."""
    others = select(accounts.c.id).where(accounts.c.username_key != SERVICE_ACCOUNT)
    return connection.execute(others.limit(1)).first() is not None


def create_first(connection: Connection, new: NewAccount) -> Account:
    """Make the first account, an administrator; raises `Forbidden` if there is one already."""
    rows.take_turn(connection)
    if has_accounts(connection):
        raise Forbidden(REFUSAL)
    return rows.create(connection, replace(new, is_admin=True))


async def sign_up(
    database: Database,
    passwords: Passwords,
    *,
    username: str,
    email: str | None,
    password: str,
    tier: str,
    is_admin: bool = False,
    make: Callable[[Connection, NewAccount], Account] = rows.create,
) -> Account:
    """Make an account with a password, by the transaction ``make``.

    Raises `InvalidRequest`, `UsernameTaken` and `EmailTaken`.
    """
    await fields.check(passwords, username, email, password)
    now = clock.now()
    new = NewAccount(
        uuid=str(uuid7()),
        username=username,
        email=email,
        password_hash=await passwords.hash(password),
        tier=tier,
        is_admin=is_admin,
        created_at=now,
        maker=actor_of_request(now),
    )
    return await database.write(make, new)
