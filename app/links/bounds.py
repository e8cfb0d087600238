"""The bounds of a tier to its public links: how long they live, how many downloads they allow."""

from app.accounts.identity import Tier
from app.errors import FieldError, InvalidRequest


def check_lifetime(tier: Tier, seconds: int | None, field: str) -> None:
    """Raise `InvalidRequest` for ``field`` unless a link may live so long; None: without an end."""
    limit = tier.max_lifetime
    if limit is not None and (seconds is None or seconds > limit):
        raise refusal(field, f"By the account's tier, links live up to {limit} seconds")


def check_downloads(tier: Tier, max_downloads: int | None) -> None:
    """Raise `InvalidRequest` unless a link may allow so many downloads; None: any number."""
    limit = tier.max_downloads
    if limit is not None and (max_downloads is None or max_downloads > limit):
        raise refusal("max_downloads", f"By the account's tier, links allow up to {limit}")


def usual_lifetime(tier: Tier, otherwise: int) -> int:
    """Return how many seconds files live of which nobody says it."""
    return _at_most(tier.default_lifetime or otherwise, tier.max_lifetime)


def usual_downloads(tier: Tier) -> int | None:
    """Return how many downloads links allow of which nobody says it; None: any number."""
    if tier.default_downloads is None:
        return tier.max_downloads
    return _at_most(tier.default_downloads, tier.max_downloads)


def refusal(field: str, words: str) -> InvalidRequest:
    """Return the error of a field of the request's body."""
    return InvalidRequest(words, errors=[FieldError(loc=["body", field], msg=words)])


def _at_most(value: int, limit: int | None) -> int:
    return value if limit is None else min(value, limit)
