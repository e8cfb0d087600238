"""The terms of new files: what senders ask for, within the bounds of their accounts' tiers."""

from dataclasses import replace

from app import clock
from app.accounts.identity import Tier
from app.errors import InvalidRequest
from app.files.entities import KEPT, NewFile, Terms
from app.links import bounds
from app.links.entities import NO_OPTIONS, LinkOptions, NewLink
from app.links.rows import bounded

LIFETIME, DOWNLOADS = "max-days", "max-downloads"
"""Names of what may be lowered."""


def settle(new: NewFile, link: NewLink, tier: Tier, usual: int, now: int) -> Terms:
    """Return the terms of a new file, which gets ``link`` if it gets one.

    ``usual`` is how many seconds it lives if neither its sender nor the tier says it. Raises
    `InvalidRequest` for what the tier doesn't allow, unless that is to be lowered.
    """
    options = LinkOptions(new.max_downloads, new.password_hash, new.note)
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
        options = bounded(tier, options)
    except InvalidRequest:
        if not new.clamp:
            raise
        options = replace(options, max_downloads=tier.max_downloads)
        lowered.append(DOWNLOADS)
    expires_at = now + seconds * clock.SECOND if seconds else None
    return Terms(expires_at, replace(link, options=options), tuple(lowered))
