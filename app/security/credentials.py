"""Credentials of requests, once their form and signature have been checked."""

from dataclasses import dataclass


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


Credential = AccessToken | ApiKey | ServiceToken
