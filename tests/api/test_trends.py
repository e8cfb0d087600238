"""Trends of the whole service, as administrators see them."""

import pytest
from sqlalchemy import Connection, insert

from app.events.entities import Actor, EventType
from app.events.log import record
from app.tasks.daily import DAY
from app.trends import rows
from app.trends.entities import Trends
from app.trends.tables import daily_use
from app.trends.task import NoteUse
from tests.api.conftest import Service

pytestmark = pytest.mark.anyio

NOW = 20_000 * DAY + 12 * 3600 * 10**6


def numbers(trends: Trends) -> tuple[list[int], ...]:
    return tuple([n for _, n in of] for of in (trends.stored, trends.received, trends.crashes))


@pytest.mark.slow("scaled")
@pytest.mark.ordinary
async def test_days_are_counted_and_noted(service: Service) -> None:
    database = service.runtime.parts.database
    for number in range(2):
        answer = await service.client.put(
            f"/v1/blobs/{number}/content", content=b"12345", headers=service.service_token
        )
        assert answer.status_code == 201

    def happen(connection: Connection) -> None:
        connection.execute(insert(daily_use).values(day=19_998, objects=1, bytes=7))
        for kind, days_ago in (
            (EventType.FILE_RECEIVED, 1),
            (EventType.PICTURE_ADDED, 1),
            (EventType.SESSION_BEGUN, 1),  # nothing has come by it
            (EventType.BUNDLE_RECEIVED, 0),
            (EventType.FILE_RECEIVED, 4),  # long ago
        ):
            record(connection, kind, 1, Actor(NOW - days_ago * DAY))

    await database.write(happen)
    note = NoteUse(database)
    for _ in range(2):  # a day that is noted again has the later figures
        await note.run_today(NOW)
    trends = await database.read(rows.trends, 3, NOW)
    assert [day.isoformat() for day, _ in trends.stored] == [
        "2024-10-02", "2024-10-03", "2024-10-04",
    ]  # fmt: skip
    assert numbers(trends) == ([7, 0, 10], [0, 2, 1], [0, 0, 0])
