"""The terms of things with a link of their own: what senders ask for, within bounds of tiers."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from sqlalchemy import Connection

from app import clock
from app.accounts.identity import Identity, Tier
from app.errors import InvalidRequest
from app.links import bounds
from app.links import rows as links
from app.links.entities import NO_OPTIONS, LinkOptions, NewLink
from app.links.targets import TargetType

LIFETIME, DOWNLOADS = "max-days", "max-downloads"
"""Names of what may be lowered."""

_OPTIONS: Final = ("max_downloads", "password_hash", "note", "originals")


class Asked(Protocol):
    """What is asked of a new thing."""

    @property
    def expires_in(self) -> int | None:
        """Seconds that it lives; 0: it is kept, None: the usual time."""

    @property
    def max_downloads(self) -> int | None: ...

    @property
    def password_hash(self) -> str | None: ...

    @property
    def note(self) -> str | None: ...

    @property
    def clamp(self) -> bool:
        """Whether what the tier doesn't allow is lowered instead of refused."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of a new thing: when it expires, None: it is kept; and the link that it gets."""

    expires_at: int | None
    link: NewLink | None
    clamped: tuple[str, ...] = ()
    """Names of what was lowered, as clients send it."""


KEPT: Final = Terms(expires_at=None, link=None)


def settle(new: Asked, link: NewLink, tier: Tier, usual: int, now: int) -> Terms:
    """Return the terms of a new thing, which gets ``link`` if it gets one.

    ``usual`` is how many seconds it lives if neither its sender nor the tier says it. Raises
    `InvalidRequest` for what the tier doesn't allow, unless that is to be lowered.
    """
    options = replace(
        link.options,
        max_downloads=new.max_downloads,
        password_hash=new.password_hash,
        note=new.note,
    )
    if new.expires_in == 0 and options == NO_OPTIONS:
        return KEPT
    lowered = []
    seconds = bounds.usual_lifetime(tier, usual) if new.expires_in is None else new.expires_in
    try:
        bounds.check_lifetime(tier, seconds or None, "expires_in")
    except InvalidRequest:
        if not new.clamp or tier.max_lifetime is None:
            raise
        seconds = tier.max_lifetime
        lowered.append(LIFETIME)
    try:
        options = links.bounded(tier, options)
    except InvalidRequest:
        if not new.clamp:
            raise
        options = replace(options, max_downloads=tier.max_downloads)
        lowered.append(DOWNLOADS)
    expires_at = now + seconds * clock.SECOND if seconds else None
    return Terms(expires_at, replace(link, options=options), tuple(lowered))


def change(
    connection: Connection,
    identity: Identity,
    target_type: TargetType,
    target_id: int,
    expires_at: int | None,
    facts: Mapping[str, Any],
    link: NewLink,
    now: int,
) -> int | None:
    """Change a thing's lifetime and the options of its link, as far as they are given.

    ``link`` becomes its own if it has none but needs one. ``expires_at`` is what was true so far;
    returns what is from now on. Raises `InvalidRequest` for what the tier doesn't allow.
    """
    seconds: int | None = facts.get("expires_in")
    if seconds is not None:
        expires_at = now + seconds * clock.SECOND if seconds else None
    options = {name: facts[name] for name in _OPTIONS if name in facts}
    own = links.find_own(connection, target_type, target_id, now)
    needs_link = own is None and any(options.values())
    if seconds is not None:
        has_link = links.follow(connection, target_type, target_id, expires_at, now)
        needs_link = needs_link or (expires_at is not None and not has_link)
    if needs_link or (seconds is not None and (seconds or own is not None)):
        left = None if expires_at is None else (expires_at - now) // clock.SECOND
        bounds.check_lifetime(identity.tier, left, "expires_in")
    if own is not None:
        links.change_own(connection, identity.tier, own, options)
    elif needs_link:
        link = replace(link, options=links.bounded(identity.tier, LinkOptions(**options)))
        account_id = identity.account_id
        links.insert_link(connection, account_id, target_type, target_id, link, expires_at, now)
    return expires_at
