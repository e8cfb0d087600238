"""A move to another storage as clients and administrators see it, from one folder to another.

On the embedded profile alone: buckets of the scaled one are shared with other tests.
"""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from app import clock
from app.moving.task import Move
from app.stores import BACKENDS
from storage.moving import MovingStore
from tests import sharing
from tests.api.conftest import Service, _settings, running

pytestmark = pytest.mark.anyio

LARGE = bytes(range(256)) * 400
ADMIN: dict[str, Any] = {"admin_username": "root", "admin_password": "a root password"}


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    """A service that keeps a large blob where it no longer puts others."""
    shutil.copytree(sharing.data_folder(), tmp_path / "data")
    async with running(_settings(tmp_path / "data", **ADMIN)) as service:
        await put(service, "early")
    options = ADMIN | {"local_storage_path": tmp_path / "new", "previous_storage": "local"}
    async with running(_settings(tmp_path / "data", **options)) as service:
        yield service


async def put(service: Service, name: str) -> None:
    url, headers = f"/v1/blobs/{name}/content", service.service_token
    assert (await service.client.put(url, content=LARGE, headers=headers)).status_code == 201


async def get(service: Service, name: str, **headers: str) -> bytes:
    url = f"/v1/blobs/{name}/content"
    answer = await service.client.get(url, headers=service.service_token | headers)
    assert answer.is_success, answer.text
    return answer.content


async def move(service: Service) -> None:
    """Do what the background task does."""
    parts = service.runtime.parts
    assert isinstance(parts.store, MovingStore)
    task = Move(service.settings, parts.database, parts.store, wake_sweep=parts.sweep.wake)
    await task.run_once(clock.now())


def kept(folder: Path) -> int:
    return sum(path.is_file() for path in (folder / "blobs").rglob("*"))


async def metrics(service: Service) -> list[str]:
    answer = await service.client.get("/metrics", headers=service.service_token)
    return [line for line in answer.text.splitlines() if line.startswith("holdall_move_")]


async def shown(service: Service) -> str:
    form = {"username": ADMIN["admin_username"], "password": ADMIN["admin_password"]}
    await service.client.post("/account/login", data=form)
    page = await service.client.get("/admin")
    assert page.status_code == 200
    return page.text


async def test_content_is_found_wherever_it_is(service: Service, tmp_path: Path) -> None:
    old, new = tmp_path / "data" / "objects", tmp_path / "new"
    await put(service, "late")
    assert (kept(old), kept(new)) == (1, 1)
    for _ in range(2):
        for name in ("early", "late"):
            assert await get(service, name) == LARGE
            assert await get(service, name, Range="bytes=1000-1999") == LARGE[1000:2000]
        await move(service)
        assert (kept(old), kept(new)) == (1, 2)
    for name in ("early", "late"):
        url = f"/v1/blobs/{name}"
        await service.client.delete(url, headers=service.service_token)
    await service.runtime.parts.sweep.run_once(clock.now())
    assert (kept(old), kept(new)) == (0, 0)


async def test_administrators_see_how_far_it_has_come(service: Service, tmp_path: Path) -> None:
    label = BACKENDS["local"].label
    assert await metrics(service) == []
    page = await shown(service)
    assert f"Storage ({label}, before: {label})" in page
    assert "Move to another storage" not in page, "nobody has counted yet"
    await put(service, "other")
    (path,) = [path for path in (tmp_path / "data/objects/blobs").rglob("*") if path.is_file()]
    whole = path.read_bytes()
    path.write_bytes(whole[::-1])
    await move(service)
    assert await metrics(service) == [
        'holdall_move_left_objects{previous="local"} 1.0',
        'holdall_move_left_bytes{previous="local"} 102400.0',
        'holdall_move_failed_objects{previous="local"} 1.0',
    ]
    page = await shown(service)
    assert "1 object left" in page
    assert "1 object could not be copied, see the log" in page


async def test_administrators_see_that_it_is_over(service: Service) -> None:
    await move(service)
    assert 'holdall_move_left_objects{previous="local"} 0.0' in await metrics(service)
    assert "the previous store is no longer needed" in await shown(service)
