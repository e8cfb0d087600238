"""Rows of dumps, as if they had come and been read."""

import itertools
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection, insert

from app.accounts.identity import Identity, Tier
from app.accounts.tables import accounts, tiers
from app.dumps.counts import DAY
from app.dumps.tables import dumps
from app.objects.tables import objects

TODAY = date(2026, 3, 1)
TODAY_IN_DAYS = (datetime(2026, 3, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days
NOW = TODAY_IN_DAYS * DAY + 5
OURS, THEIRS = 1, 2
TIER = Tier("t", (), False, False, None, None, None)
US = Identity(OURS, "1", "us", is_admin=False, tier=TIER, scopes=None, session=None)

_numbers = itertools.count(1)


def add_people(connection: Connection) -> None:
    """Make two accounts."""
    tier = {
        "id": 1, "uuid": "t", "name": "t", "name_key": "t", "heights": "", "created_at": 0,
        "allow_original": False, "allow_links": False,
    }  # fmt: skip
    connection.execute(insert(tiers).values(tier))
    for number in (OURS, THEIRS):
        account = {
            "id": number, "uuid": str(number), "username": str(number), "tier_id": 1,
            "username_key": str(number), "is_admin": False, "is_active": True,
            "used_bytes": 0, "used_objects": 0, "created_at": 0,
        }  # fmt: skip
        connection.execute(insert(accounts).values(account))


def add(connection: Connection, created_at: int, account: int = OURS, **facts: Any) -> int:  # noqa: ANN401 - columns
    number = next(_numbers)
    its = {"id": number, "account_id": account, "created_at": created_at}
    content = {
        "kind": "dumps", "state": "ready", "size": 1, "charged_bytes": 1, "charged_slots": 1,
        "sha256": bytes(32),
    }  # fmt: skip
    connection.execute(insert(objects).values(its | content))
    default = {
        "uuid": str(number), "object_id": number, "archived": False, "modified_at": created_at,
        "report_state": "none", "original_name": "a", "search": "", "description": "",
        "annotations": "{}",
    }  # fmt: skip
    connection.execute(insert(dumps).values(its | default | facts))
    return number
