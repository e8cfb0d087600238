"""Files addressed by number or by name, for clients that know no UUIDs."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import BigInteger, Connection, bindparam, exists, or_, select

from app.accounts import quota
from app.accounts.identity import Identity
from app.database import Statement
from app.files import rows as files
from app.files.entities import File, NewFile
from app.files.tables import files as rows
from app.links.terms import KEPT
from app.objects.entities import Received
from app.objects.file_names import free_name
from app.objects.preconditions import Preconditions

_newer = rows.alias("newer")
_is_newest_of_name = ~exists().where(
    _newer.c.account_id == rows.c.account_id,
    _newer.c.name == rows.c.name,
    _newer.c.id > rows.c.id,
    or_(_newer.c.expires_at.is_(None), _newer.c.expires_at > bindparam("now", type_=BigInteger)),
)
_number = rows.c.id == bindparam("number", type_=BigInteger)
_name = rows.c.name == bindparam("name")
_find_numbered = Statement(files.LISTED.where(_number))
_find_named = Statement(files.READY.where(_name).order_by(rows.c.id.desc()).limit(1))
_after = Statement(
    files.LISTED.where(rows.c.id > bindparam("after", type_=BigInteger), _is_newest_of_name)
    .order_by(rows.c.id)
    .limit(bindparam("limit"))
)
_is_taken = Statement(
    select(rows.c.id)
    .where(rows.c.account_id == bindparam("account_id"), _name)
    .where(or_(rows.c.expires_at.is_(None), rows.c.expires_at > bindparam("now")))
    .limit(1)
)


def find_numbered(connection: Connection, identity: Identity, number: int, now: int) -> File:
    """Return a file by its number; raises `NotFound`."""
    found = _find_numbered(connection, account_id=identity.account_id, number=number, now=now)
    if not found.rows:
        raise files.unknown()
    return files.file_of(found.first())


def find_named(connection: Connection, identity: Identity, name: str, now: int) -> File:
    """Return the newest file of a name, ready to be read; raises `NotFound`."""
    found = _find_named(connection, account_id=identity.account_id, name=name, now=now)
    if not found.rows:
        raise files.unknown()
    return files.file_of(found.first())


def list_after(
    connection: Connection, identity: Identity, after: int, limit: int, now: int
) -> Sequence[File]:
    """Return the files after a number, oldest first; of those with one name the newest."""
    found = _after(connection, account_id=identity.account_id, after=after, limit=limit, now=now)
    return [files.file_of(row) for row in found.rows]


def admit(connection: Connection, identity: Identity) -> int:
    """Say that a file takes a slot: any may be sent."""
    del connection, identity
    return 1


def keep(
    connection: Connection, identity: Identity, new: NewFile, received: Received, now: int
) -> File:
    """Make a file that is kept; if its name is taken it gets a number: ``a_1.pdf``."""
    quota.lock_account(connection, identity.account_id)  # so that two don't choose the same name

    def is_taken(tried: str) -> bool:
        of_account = {"account_id": identity.account_id, "name": tried, "now": now}
        return _is_taken(connection, **of_account).first() is not None

    new = replace(new, name=free_name(new.name, is_taken))
    file, _ = files.create(connection, identity, new, KEPT, received, max_files=0, now=now)
    return file


def remove_numbered(connection: Connection, identity: Identity, number: int, now: int) -> None:
    """Delete a file by its number, as `files.remove` does; raises `NotFound`."""
    file = find_numbered(connection, identity, number, now)
    files.remove(connection, identity, file.uuid, Preconditions(), now)
