"""When and from where sessions were last used: noted in the process, and written in batches.

Requests write nothing for it, and none is lost by more than some minutes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from sqlalchemy import BigInteger, Connection, bindparam, or_, update

from app import clock
from app.accounts.tables import sessions
from app.database import Statement

RESOLUTION: Final = 5 * clock.MINUTE
"""A session's last use is written no more often than this, in microseconds."""

AGENT_MAX: Final = 255
ADDRESS_MAX: Final = 64
_MAX_NOTED: Final = 50_000


@dataclass(frozen=True, slots=True)
class Use:
    """The last request by a session."""

    at: int
    """In UTC microseconds."""
    address: str | None
    agent: str


class SessionUses:
    """Notes uses in this process."""

    def __init__(self) -> None:
        self._noted: dict[str, tuple[int, str | None, bytes]] = {}

    def note(self, session: str, at: int, address: str | None, agent: bytes) -> None:
        """Note that a session has been used; of very many at once the first ones."""
        if len(self._noted) < _MAX_NOTED or session in self._noted:
            self._noted[session] = (at, address, agent)

    def take(self, limit: int) -> dict[str, Use]:
        """Take up to ``limit`` of what has been noted, by session."""
        taken = {}
        for session in list(islice(self._noted, limit)):
            at, address, agent = self._noted.pop(session)
            text = agent[:AGENT_MAX].decode("latin-1").replace("\0", "")
            taken[session] = Use(at, None if address is None else address[:ADDRESS_MAX], text)
        return taken


_at = bindparam("at", type_=BigInteger)
_write = Statement(
    update(sessions)
    .where(
        sessions.c.uuid == bindparam("session"),
        or_(sessions.c.last_used_at.is_(None), sessions.c.last_used_at <= _at - RESOLUTION),
    )
    .values(last_used_at=_at, last_address=bindparam("address"), last_user_agent=bindparam("agent"))
)


def write(connection: Connection, uses: Sequence[tuple[str, Use]]) -> None:
    """Write the uses of sessions that are still there, in the order given."""
    for session, use in uses:
        _write(connection, session=session, at=use.at, address=use.address, agent=use.agent)
