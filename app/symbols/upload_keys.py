"""Keys of uploads by Breakpad's ``sym_upload``, which sends a file to a URL without a credential.

Such a URL stands for the API key that asked for it, for an hour.
"""

import base64
import hmac
import re
import secrets
from collections.abc import Sequence
from typing import Final

from app import clock
from app.errors import Unauthorized
from app.security.credentials import ApiKey

PREFIX: Final = "hu_"
LIFETIME: Final = 60 * clock.MINUTE

_HASH, _MOMENT, _SALT, _MAC = 32, 8, 8, 32  # bytes
_SIGNED: Final = _HASH + _MOMENT + _SALT
_FORM: Final = re.compile(r"hu_([\w-]+)", re.ASCII)


class UploadKeys:
    """Makes and verifies keys of uploads; ``keys`` sign them, the first of them new ones."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = keys

    def issue(self, key: ApiKey, now: int) -> str:
        """Make the key of an upload by the holder of an API key."""
        signed = key.hash + now.to_bytes(_MOMENT) + secrets.token_bytes(_SALT)
        mac = hmac.digest(self._keys[0], signed, "sha256")
        return PREFIX + _encoded(signed + mac)

    def parse(self, sent: str, now: int) -> tuple[ApiKey, int]:
        """Return the API key of an upload, and when it began; raises `Unauthorized`."""
        match = _FORM.fullmatch(sent)
        data = b"" if match is None else _decoded(match[1])
        signed, mac = data[:_SIGNED], data[_SIGNED:]
        macs = [hmac.digest(key, signed, "sha256") for key in self._keys]
        if len(mac) != _MAC or not any(hmac.compare_digest(mac, made) for made in macs):
            raise Unauthorized("The upload is not one that was begun here", error="invalid_token")
        begun_at = int.from_bytes(signed[_HASH : _HASH + _MOMENT])
        if now > begun_at + LIFETIME:
            raise Unauthorized("The upload has expired; start again", error="invalid_token")
        return ApiKey(signed[:_HASH]), begun_at


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    """Return what a text encodes; nothing if another text is its encoding (RFC 4648 §3.5)."""
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return b""
    return data if _encoded(data) == text else b""
