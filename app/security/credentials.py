"""Credentials of requests, once their form and signature have been checked."""

from dataclasses import dataclass
from typing import Final

SERVICE_ACCOUNT: Final = "service"
"""User name of the built-in account, which the service token belongs to."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A verified JWT or cookie: its session, and that session's account."""

    session: str
    account: str


@dataclass(frozen=True, slots=True)
class ApiKey:
    """The SHA-256 of a well-formed API key."""

    hash: bytes


@dataclass(frozen=True, slots=True)
class ServiceToken:
    """The service token, already compared."""


@dataclass(frozen=True, slots=True)
class OnBehalf:
    """What is done for an account without its credentials; no request brings it."""

    account: str


@dataclass(frozen=True, slots=True)
class OpenedLink(OnBehalf):
    """A link that has been opened by a visitor: the account of what it leads to.

    It permits to read the thumbnails of pictures that are under the link.
    """


@dataclass(frozen=True, slots=True)
class OpenedInbox(OnBehalf):
    """An inbox that has been opened by a visitor, who may give to its account, and nothing else."""

    inbox: int
    """The id of its row."""
    client: bytes
    """A hash that tells its visitors apart."""
    title: str
    """What its owner calls it."""


@dataclass(frozen=True, slots=True)
class OwnWork(OnBehalf):
    """What the service itself does for an account."""


Credential = AccessToken | ApiKey | ServiceToken | OnBehalf
