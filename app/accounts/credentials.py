"""All credentials of an account: their end, and the lock under which new ones begin."""

from sqlalchemy import Connection, delete, select

from app.accounts.identity import Identity
from app.accounts.quota import lock_account
from app.accounts.tables import api_keys, sessions
from app.errors import Unauthorized


def end_everything(connection: Connection, account_id: int) -> None:
    """End all sessions and API keys of an account, on every process at once."""
    lock_account(connection, account_id)
    connection.execute(delete(sessions).where(sessions.c.account_id == account_id))
    connection.execute(delete(api_keys).where(api_keys.c.account_id == account_id))


def hold(connection: Connection, identity: Identity) -> None:
    """Keep the caller's session alive until the transaction ends, or raise `Unauthorized`.

    Functions that make a credential call it first: one that is made while `end_everything` runs
    would outlive the session that made it.
    """
    lock_account(connection, identity.account_id)
    if identity.session is None:
        return
    alive = select(sessions.c.id).where(sessions.c.uuid == identity.session)
    if connection.execute(alive).first() is None:
        raise Unauthorized("The session has ended", error="invalid_token")
