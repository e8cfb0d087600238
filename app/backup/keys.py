"""The signing keys in a snapshot, and what ends where they are not used."""

import hmac
from collections.abc import Iterable
from typing import Final

from app.backup.manifest import Manifest
from app.config import Settings
from app.security import signing_key

_ENDS: Final = (
    "what they signed ends. Everybody signs in again, and lists can't show the URLs of links; "
    "the URLs that were given out, passwords and API keys go on"
)


def id_of(key: bytes) -> str:
    """Return what tells a signing key from another, and nothing else of it."""
    return hmac.digest(key, b"holdall snapshots\x01", "sha256")[:8].hex()


def bring_back(settings: Settings, manifest: Manifest) -> list[str]:
    """Put a snapshot's keys where they are looked for; returns lines on what ends without them."""
    if _has_all(signing_key.known_keys(settings), manifest):
        return []
    if manifest.signing_keys is None:
        return [f"The signing keys are not in the snapshot, and there are others: {_ENDS}."]
    signing_key.keep(settings, map(bytes.fromhex, manifest.signing_keys))
    path = settings.data_dir / signing_key.FILE_NAME
    if not _has_all(signing_key.kept_keys(settings), manifest):
        return [f"{path} has not the snapshot's keys, and was left as it is: {_ENDS}."]
    if settings.signing_key is None:
        return [f"The signing keys of the snapshot are in {path} now."]
    go_on = f"To go on with them, set SIGNING_KEY to the lines of {path}, each after hex:"
    return [f"SIGNING_KEY has not the snapshot's keys: {_ENDS}. {go_on}"]


def _has_all(keys: Iterable[bytes], manifest: Manifest) -> bool:
    return {*map(id_of, keys)}.issuperset(manifest.signing_key_ids)
