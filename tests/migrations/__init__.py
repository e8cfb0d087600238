"""What the tests of migrations share."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from app.config import Settings
from tests import servers, sharing


def migrated(request: pytest.FixtureRequest, folder: Path) -> Settings:
    """Return settings of a copy of a database that was migrated from nothing."""
    if request.param == "postgres":
        server: servers.PostgresServer = request.getfixturevalue("postgres_server")
        url = server.create_database(sharing.migrated_database())
    else:
        url = f"sqlite:///{shutil.copy(sharing.data_folder() / 'holdall.db', folder)}"
    values: dict[str, Any] = {"database_url": url, "signing_key": "k" * 32}
    return Settings(_env_file=None, **values)
