"""Where backups go: a place that is there, and not among the objects."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from app.backup import targets
from app.backup.errors import BackupError
from app.backup.targets import open_target
from app.config import ConfigError
from storage.base import new_key
from storage.conformance.hooks import fetch
from storage.errors import StoreUnavailable
from tests.api.conftest import _settings
from tests.servers import S3Server

pytestmark = pytest.mark.anyio


async def refused(place: str, error: type[Exception], said: str, settings: Any) -> None:  # noqa: ANN401
    async with AsyncExitStack() as stack:
        with pytest.raises(error, match=said):
            await open_target(stack, settings, place)


async def test_a_folder_must_be_there(tmp_path: Path) -> None:
    """Or else a backup to a disk that isn't mounted would fill the one below."""
    settings = _settings(tmp_path / "data")
    await refused(str(tmp_path / "backup"), BackupError, "is its disk mounted", settings)
    assert not (tmp_path / "backup").exists()
    (tmp_path / "file").write_bytes(b"")
    await refused(str(tmp_path / "file"), BackupError, "there is no folder", settings)


async def test_a_folder_of_objects_is_no_place_for_backups(tmp_path: Path) -> None:
    dumps = tmp_path / "dumps"
    settings = _settings(tmp_path / "data", dumps_base_dir=dumps)
    for folder in (settings.objects_path, settings.objects_path / "backup", dumps / "backup"):
        folder.mkdir(parents=True)
        await refused(str(folder), BackupError, "within the folder of the objects", settings)


def access(server: S3Server, stem: str) -> dict[str, Any]:
    return {
        f"{stem}s3_endpoint_url": server.endpoint_url,
        f"{stem}s3_access_key_id": server.access_key,
        f"{stem}s3_secret_access_key": server.secret_key,
        f"{stem}s3_region_name": server.region,
    }


@pytest.mark.parametrize("stem", ["", "backup_"])
async def test_a_bucket_is_reached_by_settings_of_its_own_or_those_of_the_objects(
    s3_server: S3Server, tmp_path: Path, stem: str
) -> None:
    settings = _settings(tmp_path / "data", **access(s3_server, stem))
    key = new_key("blobs")

    async def body() -> Any:  # noqa: ANN401
        yield b"data"

    async with AsyncExitStack() as stack:
        place = f"s3://{s3_server.bucket}/a/b"
        target = await open_target(stack, settings, place)
        await target.put(key, body(), size=4)
        below = await open_target(stack, settings, f"s3://{s3_server.bucket}/a/b/")
        assert await fetch(below, key) == b"data"
        whole = await open_target(stack, settings, f"s3://{s3_server.bucket}")
        assert [info.key async for info in whole.list() if info.key == key] == []


def test_own_settings_count_all_together(s3_server: S3Server, tmp_path: Path) -> None:
    """A key for Amazon's S3 is not sent to the server that the objects are on."""
    own = {"backup_s3_access_key_id": "a", "backup_s3_secret_access_key": "b"}
    settings = _settings(tmp_path / "data", **access(s3_server, ""), **own)
    assert targets._access(settings) == {
        "access_key": "a",
        "secret_key": "b",
        "region": "us-east-1",
        "endpoint_url": None,
    }
    with pytest.raises(ValueError, match="BACKUP_S3_SECRET_ACCESS_KEY: missing"):
        _settings(tmp_path / "data", backup_s3_access_key_id="a")


async def test_what_a_bucket_needs_is_told(s3_server: S3Server, tmp_path: Path) -> None:
    settings = _settings(tmp_path / "data")
    await refused("s3://bucket/a", ConfigError, "BACKUP_S3_ACCESS_KEY_ID: missing", settings)
    settings = _settings(tmp_path / "data", **access(s3_server, ""))
    await refused("s3://no-such/a", StoreUnavailable, "no bucket no-such", settings)
    objects = {"active_storage": "s3", "s3_bucket_name": s3_server.bucket}
    settings = _settings(tmp_path / "data", **access(s3_server, ""), **objects)
    await refused(f"s3://{s3_server.bucket}", BackupError, "where the objects are", settings)
