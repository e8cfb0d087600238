"""Backups of a service that holds something of every kind, brought back into other profiles."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from app import backup_commands, clock
from app.backup.rows import saved_tables
from app.config import Settings
from app.trends.rows import note_use
from tests import sharing
from tests.api.conftest import Service, _settings, running
from tests.api.keepings import LARGE, Keeper, rows_of
from tests.api.otp_device import try_login
from tests.api.tus_client import append
from tests.servers import PostgresServer, S3Server

pytestmark = pytest.mark.anyio


@pytest.fixture
def scaled_settings(
    postgres_server: PostgresServer, s3_server: S3Server, tmp_path: Path
) -> Settings:
    """Settings of a scaled service that was only migrated."""
    return _settings(
        tmp_path / "scaled",
        database_url=postgres_server.create_database(sharing.migrated_database()),
        active_storage="s3",
        s3_endpoint_url=s3_server.endpoint_url,
        s3_access_key_id=s3_server.access_key,
        s3_secret_access_key=s3_server.secret_key,
        s3_region_name=s3_server.region,
        s3_bucket_name=s3_server.create_bucket(),
    )


async def tables_of(service: Service) -> dict[str, Any]:
    database = service.runtime.parts.database
    return {table.name: await rows_of(database, table) for table in saved_tables()}


async def test_there_and_back_again_every_byte_id_link_password_and_count_is_as_it_was(
    scaled_settings: Settings, s3_server: S3Server, tmp_path: Path
) -> None:
    """SQLite and a disk, then PostgreSQL and S3, then SQLite and a disk."""
    (folder := tmp_path / "backup").mkdir()
    first = _settings(tmp_path / "first", signing_key=None, default_tier="Enterprise")
    async with running(first) as service:
        ada = Keeper(service, "ada")
        await ada.keep_all()
        await service.runtime.parts.database.write(note_use, clock.now())
        assert await backup_commands.backup(first, str(folder), with_key=True) == 0
        before, seen = await tables_of(service), await ada.seen_through(service)
    lacking = [name for name, rows in before.items() if not rows]
    assert lacking == [], "a table without a row shows nothing: keep something of it"

    assert await backup_commands.restore(scaled_settings, str(folder), None) == 0
    key = (tmp_path / "scaled" / "signing.key").read_text().strip()
    scaled = scaled_settings.model_copy(update={"signing_key": (SecretStr(f"hex:{key}"),)})
    async with running(scaled) as service:
        assert await tables_of(service) == before
        assert await ada.seen_through(service) == seen
    place = f"s3://{s3_server.create_bucket()}/some/where"
    assert await backup_commands.backup(scaled, place, with_key=True) == 0
    assert await backup_commands.verify(scaled, place, None) == 0

    last = _settings(
        tmp_path / "last",
        signing_key=None,
        backup_s3_endpoint_url=s3_server.endpoint_url,
        backup_s3_access_key_id=s3_server.access_key,
        backup_s3_secret_access_key=s3_server.secret_key,
    )
    assert await backup_commands.restore(last, place, None) == 0
    async with running(last) as service:
        assert await tables_of(service) == before
        assert await ada.seen_through(service) == seen
        assert (await try_login(service, "ada", ada.recovery_codes[0])).status_code == 200
        done = await append(service, ada.headers, ada.upload, len(LARGE), LARGE[::-1])
        assert done.status_code == 204
        begun = await service.client.get("/v1/blobs/begun/content", headers=ada.headers)
        assert begun.content == LARGE + LARGE[::-1]
