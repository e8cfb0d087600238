"""API keys: `hk_`, 32 random characters, and a checksum of 6 that secret scanners can verify."""

import hashlib
import re
import secrets
import string
import zlib
from typing import Final

PREFIX: Final = "hk_"
HINT_LENGTH: Final = 9
"""How many of a key's first characters may be shown, so that its owner recognises it."""

_ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_RANDOM_LENGTH: Final = 32  # 190 bits
_CHECKSUM_LENGTH: Final = 6  # holds any CRC-32
_FORM: Final = re.compile(rf"hk_[0-9A-Za-z]{{{_RANDOM_LENGTH + _CHECKSUM_LENGTH}}}", re.ASCII)


def generate() -> str:
    """Make a new key."""
    body = PREFIX + "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_LENGTH))
    return body + _checksum(body)


def is_well_formed(key: str) -> bool:
    """Tell whether a text is a key that `generate` could have made; the checksum finds typos."""
    return (
        _FORM.fullmatch(key) is not None
        and _checksum(key[:-_CHECKSUM_LENGTH]) == key[-_CHECKSUM_LENGTH:]
    )


def hash_of(key: str) -> bytes:
    """Return the SHA-256 of a key, the only form in which it is kept.

    A key has 190 random bits, so no slow hash is needed.
    """
    return hashlib.sha256(key.encode()).digest()


def _checksum(body: str) -> str:
    rest = zlib.crc32(body.encode())
    digits = ""
    for _ in range(_CHECKSUM_LENGTH):
        rest, digit = divmod(rest, len(_ALPHABET))
        digits = _ALPHABET[digit] + digits
    return digits
