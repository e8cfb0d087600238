"""What tests of webhooks ask a service for, and do in its place."""

from typing import Any, Final

from app import clock
from tests.api.conftest import Service

Headers = dict[str, str]
Json = dict[str, Any]

MINUTE: Final = 60 * clock.SECOND
DAY: Final = 24 * 60 * MINUTE


async def make(service: Service, user: Headers, url: str, *events: str, **more: Any) -> Json:  # noqa: ANN401 - any field
    body = {"url": url, "events": events or ["*"], **more}
    made = await service.client.post("/v1/webhooks", json=body, headers=user)
    assert made.status_code == 201, made.text
    webhook: Json = made.json()
    return webhook


async def send_file(service: Service, user: Headers, name: str = "notes.txt") -> Json:
    form = {"file": (name, b"Some notes")}
    made = await service.client.post("/v1/files", files=form, headers=user)
    assert made.status_code == 201, made.text
    file: Json = made.json()
    return file


async def deliver(service: Service, *, after: int = 0) -> None:
    """Deliver all that is due in a while, given in microseconds."""
    task = service.runtime.parts.deliveries
    while await task.run_once(clock.now() + after):
        await task.settle()


async def log_of(service: Service, user: Headers, webhook: Json) -> list[Json]:
    url = f"/v1/webhooks/{webhook['id']}/deliveries"
    listed: Json = (await service.client.get(url, headers=user)).json()
    return list(listed["items"])


async def state_of(service: Service, user: Headers, webhook: Json) -> Json:
    listed = (await service.client.get("/v1/webhooks", headers=user)).json()["items"]
    (found,) = (one for one in listed if one["id"] == webhook["id"])
    return dict(found)
