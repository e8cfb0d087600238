"""Secrets of webhooks, and what is signed by them: Standard Webhooks.

A secret is derived from the signing key, so that none is kept. See
https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hmac
from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from app import clock

WEBHOOKS: Final = "webhooks"
"""What the subkeys are for."""

OVERLAP: Final = 24 * 3600 * clock.SECOND
"""How long the former secret signs too, after a rotation."""


def secret_of(key: bytes, webhook: str, rotation: int) -> str:
    """Return the secret of a webhook by a subkey of the signing key."""
    return "whsec_" + base64.b64encode(_secret(key, webhook, rotation)).decode()


def headers_of(
    keys: Sequence[bytes],
    webhook: str,
    rotation: int,
    rotated_at: int | None,
    *,
    message: str,
    body: bytes,
    now: int,
) -> Mapping[str, str]:
    """Return the headers that sign a request.

    ``message`` is its id. ``keys`` are the subkeys of all signing keys: a webhook made with an
    older one goes on.
    """
    rotations = [rotation]
    if rotated_at is not None and now < rotated_at + OVERLAP:
        rotations.append(rotation - 1)
    timestamp = now // clock.SECOND
    secrets = [_secret(key, webhook, n) for key in keys for n in rotations]
    return {
        "webhook-id": message,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(sign(secret, message, timestamp, body) for secret in secrets),
    }


def sign(secret: bytes, message: str, timestamp: int, body: bytes) -> str:
    """Return the signature of a request by a secret; ``timestamp`` is in seconds."""
    mac = hmac.digest(secret, f"{message}.{timestamp}.".encode() + body, "sha256")
    return "v1," + base64.b64encode(mac).decode()


def _secret(key: bytes, webhook: str, rotation: int) -> bytes:
    return hmac.digest(key, UUID(webhook).bytes + rotation.to_bytes(4, "big"), "sha256")
