"""What an account's dumps take, against what it is charged for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Connection, func, select, union_all

from app.accounts.tables import accounts
from app.dumps.tables import dump_attachments, dumps
from app.objects.tables import objects
from tests.api.conftest import Service

Headers = dict[str, str]


@asynccontextmanager
async def account_of(service: Service) -> AsyncIterator[Headers]:
    """Yield the headers of a new account; afterwards, its charges must be those of its dumps.

    No upload may be left pending either, and no object without an owner.
    """
    account, headers = await service.sign_up()
    yield headers
    charged, kept = await service.runtime.parts.database.read(_charges, account["id"])
    assert charged == kept


def _charges(connection: Connection, uuid: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
    account = connection.execute(select(accounts).where(accounts.c.uuid == uuid)).one()
    owned = union_all(
        *(select(table.c.object_id).where(table.c.account_id == account.id) for table in
          (dumps, dump_attachments))
    ).subquery()  # fmt: skip
    size = func.coalesce(func.sum(objects.c.size), 0)
    of_dumps = select(size, func.count()).where(
        objects.c.id.in_(select(owned)), objects.c.state == "ready"
    )
    of_account = select(func.count()).where(objects.c.account_id == account.id)
    total, number = connection.execute(of_dumps).one()
    count = connection.execute(of_account.select_from(objects)).scalar_one()
    submitted = select(func.coalesce(func.sum(dumps.c.submitted_bytes), 0)).where(
        dumps.c.account_id == account.id
    )
    return (
        (account.used_bytes, account.used_objects, count, account.submitted_bytes),
        (int(total), number, number, int(connection.execute(submitted).scalar_one())),
    )


async def read_all(service: Service, headers: Headers, query: str = "") -> list[dict[str, Any]]:
    """Return the dumps of a list, all of its pages."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = await service.client.get(f"/v1/dumps?{query}{cursor}", headers=headers)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"
