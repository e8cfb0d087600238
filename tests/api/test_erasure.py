"""Erasure: of an account that had something of every kind, nothing is left, in no table."""

from typing import Any

import pytest
from sqlalchemy import Table

from app import clock
from app.accounts.tables import accounts
from app.database.schema import metadata
from app.features import OWN_TABLES
from tests.api.conftest import PASSWORD, MakeSettings, Service, running
from tests.api.keepings import Keeper, rows_of

pytestmark = pytest.mark.anyio

DAY = 24 * 3600 * clock.SECOND


def belongs_to_accounts(table: Table) -> bool:
    """Tell whether a table's rows are accounts, or lead to one by what they refer to."""
    if table is accounts:
        return True
    return any(belongs_to_accounts(key.column.table) for key in table.foreign_keys)


def test_every_table_says_whose_it_is() -> None:
    """By a reference to an account, or to what is one's; or in `OWN_TABLES` of the features."""
    nobodys = {table for table in metadata.tables.values() if not belongs_to_accounts(table)}
    assert nobodys == set(OWN_TABLES)


async def all_rows(service: Service) -> dict[str, Any]:
    database = service.runtime.parts.database
    return {name: await rows_of(database, table) for name, table in metadata.tables.items()}


async def stored(service: Service) -> set[str]:
    return {info.key async for info in service.runtime.parts.store.list()}


async def test_nothing_is_left_of_an_account_that_had_something_of_every_kind(
    make_settings: MakeSettings,
) -> None:
    async with running(make_settings(default_tier="Enterprise")) as service:
        rows, objects = await all_rows(service), await stored(service)
        ada = Keeper(service, "ada")
        await ada.keep_all()
        now = await all_rows(service)
        same = [
            name
            for name, table in metadata.tables.items()
            if belongs_to_accounts(table) and len(now[name]) == len(rows[name])
        ]
        assert same == [], "a table without a row of the account shows nothing: keep something"

        gone = await service.client.post(
            "/v1/accounts/me/delete",
            json={"password": PASSWORD, "otp": ada.recovery_codes[0]},
            headers=ada.headers,
        )
        assert gone.status_code == 204, gone.text
        parts = service.runtime.parts
        while await parts.purge.run_once(clock.now()):
            pass
        while await parts.sweep.run_once(clock.now() + DAY):
            pass
        assert await all_rows(service) == rows
        assert await stored(service) == objects
