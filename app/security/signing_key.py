"""The signing keys, from which all of Holdall's keys and signatures are derived."""

import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from app.config import ConfigError, Settings
from app.config.formats import HEX

FILE_NAME: Final = "signing.key"
_BYTES: Final = 32  # of a key, at least


def signing_keys(settings: Settings) -> list[bytes]:
    """Return the keys of the settings, or else those in `DATA_DIR`, where one is made if needed.

    The first is what is signed with; the others verify what was signed with them before.

    Raises `ConfigError` for a file that doesn't hold a key.
    """
    keys = known_keys(settings)
    if not keys:
        keep(settings, [secrets.token_bytes(_BYTES)])
        keys = known_keys(settings)
    return keys


def known_keys(settings: Settings) -> list[bytes]:
    """Return the keys that there are; raises as `signing_keys` does."""
    if settings.signing_key is not None:
        return [_bytes_of(key.get_secret_value()) for key in settings.signing_key]
    return kept_keys(settings)


def kept_keys(settings: Settings) -> list[bytes]:
    """Return the keys in `DATA_DIR`, one a line in hexadecimal digits; raises `ConfigError`."""
    path = settings.data_dir / FILE_NAME
    try:
        lines = path.read_text(encoding="ascii", errors="replace").split()
    except FileNotFoundError:
        return []
    with suppress(ValueError):
        keys = [bytes.fromhex(line) for line in lines]
        if keys and all(len(key) >= _BYTES for key in keys):
            return keys
    raise ConfigError(f"SIGNING_KEY: {path} holds no key; delete it to have one made")


def _bytes_of(key: str) -> bytes:
    """Return a key of the settings; one as the file has it begins with ``hex:``."""
    return bytes.fromhex(key.removeprefix(HEX)) if key.startswith(HEX) else key.encode()


def keep(settings: Settings, keys: Iterable[bytes]) -> None:
    """Write keys into `DATA_DIR` durably, unless there are some already."""
    path = settings.data_dir / FILE_NAME
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with open(descriptor, "w", encoding="ascii") as file:  # noqa: PTH123 - a descriptor
            file.writelines(f"{key.hex()}\n" for key in keys)
            file.flush()
            os.fsync(file.fileno())
        # unlike a rename, a link never replaces a key that others already sign with
        with suppress(FileExistsError):
            path.hardlink_to(staged)
    finally:
        staged.unlink()
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
