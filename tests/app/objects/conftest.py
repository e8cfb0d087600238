"""Fixtures of the tests of objects."""

from pathlib import Path

import pytest

from app.accounts import bootstrap
from app.accounts.identity import Access
from app.config import Settings
from app.database import Database
from app.security.credentials import ServiceToken
from app.security.passwords import Passwords


@pytest.fixture
async def access(database: Database, passwords: Passwords, tmp_path: Path) -> Access:
    """The built-in account, which has no limits."""
    await bootstrap.prepare(database, passwords, Settings(data_dir=tmp_path, _env_file=None))
    return Access(database, ServiceToken(), "blobs:write")
