"""The keyring: issues tokens and keys, and verifies their form and signature.

It signs with the first of the signing keys and verifies with all: what an older one signed stays
good until that is taken away.

Whether a session or an API key is still valid, the database says (`app.accounts.identity`).
"""

import base64
import hmac
import re
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from jose import JOSEError, jwk, jwt

from app import clock
from app.config import Settings
from app.errors import Unauthorized
from app.security import api_keys
from app.security.credentials import AccessToken, ApiKey, Credential, ServiceToken
from app.security.signing_key import signing_keys

ALGORITHM: Final = "HS256"
ISSUER: Final = "holdall"
AUDIENCE: Final = "holdall"

_REMEMBERED: Final = 4096
_MAX_TOKEN: Final = 1024  # ours have about 330 characters
_REQUIRED: Final = {f"require_{claim}": True for claim in ("exp", "iat", "sub", "iss", "aud")}
_DEVICES: Final = "known devices"
_PAIR_FORM: Final = re.compile(r"[A-Za-z0-9_-]{86}", re.A)
_IDS: Final = 32  # bytes of the two ids in such a key; the rest is their MAC
_REFRESH_FORM: Final = re.compile(r"hr_([0-9a-f-]{36})\.([0-9]{1,15})\.([A-Za-z0-9_-]{43})", re.A)


@dataclass(frozen=True, slots=True)
class RefreshToken:
    """A verified refresh token: number ``n`` of a session."""

    session: str
    n: int


class Keyring:
    """Holds the signing keys and the service token; fast enough for every request."""

    def __init__(self, settings: Settings) -> None:
        """Raises `ConfigError` when there is no signing key, and none can be made."""
        self._roots = signing_keys(settings)
        self._access = [jwk.construct(key, ALGORITHM) for key in self.subkeys("access tokens")]
        self._refresh = self.subkeys("refresh tokens")
        secret = settings.secret_key
        self._service_token = secret.get_secret_value().encode() if secret else None
        self._lifetime = settings.access_token_lifetime
        # tokens whose signature was right: verifying costs as much as all else that is done to
        # find out who is asking; whether they have expired is looked at each time
        self._verified: dict[str, tuple[AccessToken, int]] = {}

    def subkeys(self, purpose: str) -> list[bytes]:
        """Derive the 32-byte keys for a purpose, the one to sign with first.

        Nothing signed for a purpose is valid for another. It is the expanding half of HKDF
        (RFC 5869): signing keys are random already.
        """
        info = b"holdall " + purpose.encode() + b"\x01"
        return [hmac.digest(root, info, "sha256") for root in self._roots]

    def parse(self, token: str) -> Credential:
        """Return the credential of a bearer token; raises `Unauthorized` for a forged one."""
        if self._service_token is not None:
            # header values arrive as Latin-1, whatever they were
            sent = token.encode("latin-1", "replace")
            if hmac.compare_digest(sent, self._service_token):
                return ServiceToken()
        if token.startswith(api_keys.PREFIX):
            if api_keys.is_well_formed(token):
                return ApiKey(api_keys.hash_of(token))
            raise _invalid("The API key is not one that was made here")
        return self._parse_access_token(token)

    def _parse_access_token(self, token: str) -> AccessToken:
        known = self._verified.get(token)
        if known is None:
            known = self._verify(token)
            if len(self._verified) >= _REMEMBERED:
                self._verified.clear()
            self._verified[token] = known
        parsed, expires = known
        if expires <= time.time():
            del self._verified[token]
            raise _invalid("The access token has expired")
        return parsed

    def _verify(self, token: str) -> tuple[AccessToken, int]:
        """Return a JWT's claims, and when it expires, in seconds; raises `Unauthorized`."""
        if len(token) > _MAX_TOKEN:
            raise _invalid("The token is not one that was made here")
        for key in self._access:
            # the header is parsed before the signature is verified, so it can be anything
            with suppress(JOSEError, KeyError, RecursionError, AttributeError, TypeError):
                claims = jwt.decode(
                    token,
                    key,
                    algorithms=[ALGORITHM],
                    audience=AUDIENCE,
                    issuer=ISSUER,
                    options=_REQUIRED,
                )
                return AccessToken(session=claims["sid"], account=claims["sub"]), int(claims["exp"])
        raise _invalid("The access token has expired or is not valid")

    def issue_access_token(self, session: str, account: str, now: int) -> str:
        """Make a JWT that is valid until it expires or the session ends."""
        issued = now // clock.SECOND
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": account,
            "sid": session,
            "iat": issued,
            "exp": issued + self._lifetime,
        }
        token: str = jwt.encode(claims, self._access[0], algorithm=ALGORITHM)
        return token

    def issue_refresh_token(self, session: str, n: int) -> str:
        """Return the ``n``-th refresh token of a session, which is always the same."""
        return _refresh_token(self._refresh[0], session, n)

    def parse_refresh_token(self, token: str) -> RefreshToken:
        """Verify a refresh token; raises `Unauthorized` for a forged one."""
        match = _REFRESH_FORM.fullmatch(token)
        if match is None:
            raise _invalid("The refresh token is not valid")
        parsed = RefreshToken(session=match[1], n=int(match[2]))
        for key in self._refresh:
            expected = _refresh_token(key, parsed.session, parsed.n)
            if hmac.compare_digest(token.encode(), expected.encode()):
                return parsed
        raise _invalid("The refresh token is not valid")

    def issue_session_key(self, session: str, account: str, *, purpose: str) -> str:
        """Return the key of a session, which is always the same and valid until the session ends.

        A key for one purpose, such as a cookie, is not valid for another.
        """
        return self._sign(session, account, purpose)

    def parse_session_key(self, key: str, *, purpose: str) -> AccessToken:
        """Verify a session key; raises `Unauthorized` for a forged one."""
        ids = self._signed(key, purpose)
        if ids is None:
            raise _invalid("The session is not one that was begun here")
        return AccessToken(session=ids[0], account=ids[1])

    def issue_device_key(self, device: str, account: str) -> str:
        """Return the proof that an account has signed in from a device."""
        return self._sign(device, account, _DEVICES)

    def parse_device_key(self, key: str) -> tuple[str, str] | None:
        """Return the device and the account of such a proof; None for a forged one."""
        return self._signed(key, _DEVICES)

    def _sign(self, one: str, other: str, purpose: str) -> str:
        ids = uuid.UUID(one).bytes + uuid.UUID(other).bytes
        mac = hmac.digest(self.subkeys(purpose)[0], ids, "sha256")
        return _encoded(ids + mac)

    def _signed(self, key: str, purpose: str) -> tuple[str, str] | None:
        """Return the two ids of a key for this purpose; None for a forged one."""
        if _PAIR_FORM.fullmatch(key) is None:
            return None
        decoded = base64.urlsafe_b64decode(key + "==")
        if _encoded(decoded) != key:  # the last character has bits that encode nothing
            return None
        ids, mac = decoded[:_IDS], decoded[_IDS:]
        macs = (hmac.digest(key, ids, "sha256") for key in self.subkeys(purpose))
        if not any(hmac.compare_digest(mac, made) for made in macs):
            return None
        return str(uuid.UUID(bytes=ids[:16])), str(uuid.UUID(bytes=ids[16:]))


def _refresh_token(key: bytes, session: str, n: int) -> str:
    body = f"{session}.{n}"
    mac = hmac.digest(key, body.encode(), "sha256")
    return f"hr_{body}.{_encoded(mac)}"


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _invalid(detail: str) -> Unauthorized:
    return Unauthorized(detail, error="invalid_token")
