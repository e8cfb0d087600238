"""Where backups are: a folder, or what has a prefix in an S3 bucket."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from app.backup.errors import BackupError
from app.config import ConfigError, Settings
from storage.base import ObjectStore
from storage.local import LocalStore

_S3 = "s3://"


async def open_target(stack: AsyncExitStack, settings: Settings, place: str) -> ObjectStore:
    """Open what holds backups, a folder or ``s3://bucket/prefix``; ``stack`` closes it.

    Raises `BackupError`, `ConfigError` and the errors of stores.
    """
    target = await _open_s3(settings, place) if place.startswith(_S3) else _folder(settings, place)
    stack.push_async_callback(target.aclose)
    await target.ping()
    return target


def _folder(settings: Settings, place: str) -> ObjectStore:
    path = Path(place).absolute()
    if not path.is_dir():
        raise BackupError(f"there is no folder {path}: is its disk mounted? Make it once")
    own = [settings.objects_path.absolute(), (settings.dumps_base_dir or path / "-").absolute()]
    if settings.active_storage == "local" and any(path.is_relative_to(folder) for folder in own):
        raise BackupError(f"{path} is within the folder of the objects: choose another")
    try:
        return LocalStore(path)
    except OSError as error:
        raise BackupError(f"{error.strerror}: {error.filename}") from error


async def _open_s3(settings: Settings, place: str) -> ObjectStore:
    from storage.s3.store import S3Store

    url = urlsplit(place)
    prefix = url.path.strip("/")
    access = _access(settings)
    is_own = settings.active_storage == "s3" and url.netloc == settings.s3_bucket_name
    if is_own and not prefix and access["endpoint_url"] == settings.s3_endpoint_url:
        raise BackupError(f"{place} is where the objects are: choose a prefix or another bucket")
    try:
        return await S3Store.connect(
            bucket=url.netloc, prefix=f"{prefix}/" if prefix else "", **access
        )
    except ValueError as error:
        raise ConfigError(f"BACKUP_S3_ENDPOINT_URL, S3_ENDPOINT_URL: {error}") from error


def _access(settings: Settings) -> dict[str, Any]:
    """Return how to reach the bucket: by settings of its own, or else by those of the objects."""
    stem = "" if settings.backup_s3_access_key_id is None else "backup_"
    access_key, secret = (
        getattr(settings, f"{stem}s3_{name}") for name in ("access_key_id", "secret_access_key")
    )
    if access_key is None or secret is None:
        raise ConfigError(
            "BACKUP_S3_ACCESS_KEY_ID: missing, or S3_ACCESS_KEY_ID with S3_SECRET_ACCESS_KEY; "
            "needed for s3://"
        )
    assert isinstance(secret, SecretStr)
    return {
        "access_key": access_key,
        "secret_key": secret.get_secret_value(),
        "region": getattr(settings, f"{stem}s3_region_name"),
        "endpoint_url": getattr(settings, f"{stem}s3_endpoint_url"),
    }
