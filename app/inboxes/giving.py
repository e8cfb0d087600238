"""Inboxes as strangers use them, as rows: opened by a token, and given to within their limits.

What is being sent claims its place: a pending object, or an upload that goes on, counts as if it
had come. A claim ends with its object, so what breaks off gives it back. Whoever claims or commits
holds the account's lock, so that no limit is ever passed.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, case, func, select, update

from app.accounts import quota
from app.accounts.identity import Identity
from app.accounts.tables import accounts
from app.bundles import filling
from app.bundles.entities import NewBundle, NewMember
from app.errors import InboxFull, InboxOverflow, NotFound, TooManyRequests
from app.files import rows as files
from app.files.entities import NewFile
from app.inboxes.entities import Delivery, Gift, PublicInbox
from app.links.entities import INBOX, time_left
from app.links.expiry import is_open
from app.links.tables import inboxes, timelinks
from app.links.terms import KEPT
from app.links.tokens import MAX_SECRET, hash_of
from app.objects import media_types
from app.objects.entities import Received
from app.objects.tables import objects
from app.uploads.tables import uploads

MAX_UNFINISHED: Final = 64
"""Uploads to one inbox that wait to be gone on with."""

PER_CLIENT: Final = 16
"""Those of one client's address."""

UNFINISHED_BYTES: Final = 1024**4
"""The bytes of all of them, as announced, where neither the inbox nor the tier has a limit."""

_RETRY_AFTER: Final = 60  # seconds
_LONGEST: Final = 100  # characters of a file's name in that of its bundle


class _Sum(NamedTuple):
    files: int
    size: int


def find(connection: Connection, token: str, now: int) -> PublicInbox | None:
    """Return the open inbox of a token, if there is one."""
    if len(token) > MAX_SECRET:
        return None
    columns = select(
        inboxes,
        accounts.c.uuid.label("owner"),
        accounts.c.display_name.label("receiver"),
        timelinks.c.uuid.label("link"),
        timelinks.c.expires_at,
        timelinks.c.password_hash,
    )
    row = connection.execute(
        columns.select_from(
            timelinks.join(inboxes, timelinks.c.target_id == inboxes.c.id).join(
                accounts, timelinks.c.account_id == accounts.c.id
            )
        ).where(
            timelinks.c.token_hash == hash_of(token),
            timelinks.c.kind == INBOX,
            is_open(now),
            accounts.c.is_active,
            accounts.c.deleted_at.is_(None),
        )
    ).first()
    return None if row is None else _public(row, now)


def admit(connection: Connection, identity: Identity, *, size: int | None, now: int) -> int:
    """Say that a file that is about to be sent takes a slot; raises what `take` does."""
    row = _existing(connection, identity, now)
    _check(connection, identity, row, _Sum(1, size or 0), (), now)
    return 1


def admit_upload(connection: Connection, identity: Identity, *, size: int, now: int) -> int:
    """Say that an upload that may go on later takes a slot; raises what `admit` does.

    And `TooManyRequests` if too many, or too much, wait to be gone on with.
    """
    row = _existing(connection, identity, now)
    _check(connection, identity, row, _Sum(1, size), (), now)
    assert identity.giver is not None
    counts = select(
        func.count(),
        func.coalesce(func.sum(case((uploads.c.client == identity.giver.client, 1), else_=0)), 0),
        func.coalesce(func.sum(uploads.c.length), 0),
        func.coalesce(func.sum(uploads.c.length - objects.c.charged_bytes), 0),
    )
    found = connection.execute(_unfinished(counts, identity, now)).one()
    count, of_client, announced, uncharged = (int(value) for value in found)
    if count >= MAX_UNFINISHED or of_client >= PER_CLIENT or announced + size > UNFINISHED_BYTES:
        raise TooManyRequests(_RETRY_AFTER, "Too many uploads to this inbox are unfinished")
    quota.require_storage_for(connection, identity, max(0, uncharged) + size)
    return 1


def admit_end(connection: Connection, identity: Identity, *, now: int) -> int:
    """Say that an upload that is there whole may become a file; raises `NotFound`."""
    _existing(connection, identity, now)
    return 1


def take(
    connection: Connection,
    identity: Identity,
    gifts: Sequence[tuple[Gift, Received]],
    delivery: Delivery | None,
    now: int,
) -> None:
    """Make files of what has come, all or none; several together, or a delivery, are a bundle.

    Raises `NotFound` if the inbox is gone, `InboxFull`, and
    `InboxOverflow`.
    """
    quota.lock_account(connection, identity.account_id)
    row = _existing(connection, identity, now)
    sent = _Sum(len(gifts), sum(received.size for _, received in gifts))
    own = [received.reservation.object_id for _, received in gifts if received.reservation]
    _check(connection, identity, row, sent, own, now)
    _store(connection, identity, gifts, delivery, now)
    connection.execute(
        update(inboxes)
        .where(inboxes.c.id == row.id)
        .values(
            files=inboxes.c.files + sent.files,
            bytes=inboxes.c.bytes + sent.size,
            unseen=inboxes.c.unseen + sent.files,
        )
    )


def _store(
    connection: Connection,
    identity: Identity,
    gifts: Sequence[tuple[Gift, Received]],
    delivery: Delivery | None,
    now: int,
) -> None:
    first, received = gifts[0]
    if delivery is None and len(gifts) == 1:
        new = NewFile(first.name, _type_of(first), uuid=first.uuid)
        files.create(connection, identity, new, KEPT, received, 0, now)
        return
    members = [(NewMember(gift.name, _type_of(gift), gift.uuid), came) for gift, came in gifts]
    if delivery is None:
        new_bundle = NewBundle(f"{first.name[:_LONGEST]} and {len(gifts) - 1} more")
    else:
        new_bundle = NewBundle(delivery.name, delivery=delivery.hash)
    filling.deliver(connection, identity, new_bundle, members, now)


def _type_of(gift: Gift) -> str:
    return media_types.guess(gift.name, gift.content_type)


def _existing(connection: Connection, identity: Identity, now: int) -> Row[Any]:
    """Return the row of the inbox that a stranger gives to; raises `NotFound` if it has ended."""
    row = connection.execute(
        select(inboxes)
        .select_from(inboxes.join(timelinks, timelinks.c.target_id == inboxes.c.id))
        .where(inboxes.c.id == identity.inbox_id, timelinks.c.kind == INBOX, is_open(now))
    ).first()
    if row is None:
        raise NotFound("No such link, or it has expired")
    return row


def _check(
    connection: Connection,
    identity: Identity,
    row: Row[Any],
    more: _Sum,
    own: Sequence[int],
    now: int,
) -> None:
    """Refuse what is more than an inbox takes, with all that others are just sending.

    ``own`` are the objects of what is sent itself.
    """
    if row.max_files is None and row.max_bytes is None:
        return
    claimed = _claimed(connection, identity, own, now)
    if row.max_files is not None and row.files + claimed.files + more.files > row.max_files:
        raise InboxFull
    if row.max_bytes is not None and row.bytes + claimed.size + more.size > row.max_bytes:
        raise InboxOverflow(max(0, row.max_bytes - row.bytes - claimed.size))


def _claimed(connection: Connection, identity: Identity, own: Sequence[int], now: int) -> _Sum:
    """Return what is being sent to an inbox, except some objects."""
    others = objects.c.id.not_in(own)
    leased = select(func.count(), func.sum(objects.c.charged_bytes)).where(
        objects.c.lease_until.is_not(None), objects.c.inbox_id == identity.inbox_id, others
    )
    charged = objects.c.charged_bytes
    most = case((uploads.c.length > charged, uploads.c.length), else_=charged)
    begun = _unfinished(select(func.count(), func.sum(most)), identity, now).where(others)
    sums = [connection.execute(claims).one() for claims in (leased, begun)]
    return _Sum(sum(count for count, _ in sums), sum(int(size or 0) for _, size in sums))


def _unfinished(columns: Any, identity: Identity, now: int) -> Any:  # noqa: ANN401 - a query
    """Select of an inbox's uploads that go on, and their objects."""
    return columns.select_from(uploads.join(objects)).where(
        uploads.c.account_id == identity.account_id,
        uploads.c.inbox_id == identity.inbox_id,
        uploads.c.expires_at > now,
    )


def _public(row: Row[Any], now: int) -> PublicInbox:
    left = time_left(row.expires_at, now)
    assert left is not None
    return PublicInbox(
        id=row.id,
        owner=row.owner,
        receiver=row.receiver,
        uuid=row.link,
        title=row.title,
        message=row.message,
        files_left=_left(row.max_files, row.files),
        bytes_left=_left(row.max_bytes, row.bytes),
        expires_at=row.expires_at,
        time_left=left,
        password_hash=row.password_hash,
    )


def _left(most: int | None, taken: int) -> int | None:
    return None if most is None else max(0, most - taken)
