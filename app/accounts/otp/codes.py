"""Codes: those that a device makes of a shared secret and the time, and those kept on paper."""

import base64
import hashlib
import hmac
import secrets
from typing import Final

import pyotp

from app import clock

RECOVERY_CODES: Final = 10
MAX_LENGTH: Final = 64
"""Characters that a given code may have."""

_SECRET: Final = 20  # bytes, as RFC 4226 recommends
_STEP: Final = 30  # s
_DIGITS: Final = 6
_GROUPS: Final = 4  # of a recovery code: 80 bits, so that its hash needs not be slow
_GROUP: Final = 4


def new_secret() -> bytes:
    """Make a secret to be shared with a device."""
    return secrets.token_bytes(_SECRET)


def text_of(secret: bytes) -> str:
    """Return a secret as it is typed into a device."""
    return base64.b32encode(secret).decode()


def uri_of(secret: bytes, username: str, issuer: str) -> str:
    """Return the ``otpauth:`` URI by which a device takes a secret, from a QR code."""
    return _totp(secret).provisioning_uri(name=username, issuer_name=issuer)


def step_of(secret: bytes, code: str, now: int) -> int | None:
    """Return the time step that a code is of, of the current one and its neighbours; else None.

    Clocks may differ by a step (RFC 6238 §5.2). ``now`` is in UTC microseconds.
    """
    given, current = normalized(code), now // clock.SECOND // _STEP
    found = None
    for step in (current - 1, current, current + 1):
        made = _totp(secret).generate_otp(step)
        if hmac.compare_digest(given.encode(), made.encode()):
            found = step
    return found


def new_recovery_codes() -> list[str]:
    """Make recovery codes, each of which works once: ``abcd-efgh-ijkl-mnop``."""
    return [_recovery_code() for _ in range(RECOVERY_CODES)]


def hash_of(code: str) -> bytes:
    """Return the SHA-256 of a recovery code, the only form in which it is kept."""
    return hashlib.sha256(normalized(code).encode()).digest()


def normalized(code: str) -> str:
    """Return a code as it was meant, however it was typed."""
    return "".join(c for c in code.lower() if c.isascii() and c.isalnum())


def _recovery_code() -> str:
    text = base64.b32encode(secrets.token_bytes(_GROUPS * _GROUP * 5 // 8)).decode().lower()
    return "-".join(text[start : start + _GROUP] for start in range(0, len(text), _GROUP))


def _totp(secret: bytes) -> pyotp.TOTP:
    return pyotp.TOTP(text_of(secret), digits=_DIGITS, interval=_STEP)
