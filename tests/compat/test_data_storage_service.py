"""Data Storage Service's document, as transcripts: its routes are `/v1/blobs`."""

import httpx
import pytest

from tests.api.conftest import Service

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

BLOB = {"id": "my-unique-blob-id", "data": "SGVsbG8gV29ybGQh"}


@pytest.mark.ordinary
async def test_a_blob_is_stored_and_retrieved(service: Service) -> None:
    stored = await service.client.post("/v1/blobs", json=BLOB, headers=service.service_token)
    assert (stored.status_code, stored.json()) == (201, {"message": "Blob stored successfully"})
    got = await service.client.get("/v1/blobs/my-unique-blob-id", headers=service.service_token)
    assert got.status_code == 200
    created_at = got.json().pop("created_at")
    assert got.json() == BLOB | {"size": 12, "created_at": created_at}
    assert created_at.endswith("Z")


async def test_a_blob_that_is_not_there(service: Service) -> None:
    got = await service.client.get("/v1/blobs/nothing", headers=service.service_token)
    assert (got.status_code, got.json()["detail"]) == (404, "Blob not found")


async def test_what_is_refused(service: Service) -> None:
    async def post(body: dict[str, str], token: str | None) -> httpx.Response:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return await service.client.post("/v1/blobs", json=body, headers=headers)

    token = service.service_token["Authorization"].partition(" ")[2]
    assert (await post(BLOB, "wrong")).status_code == 401
    assert (await post(BLOB, None)).status_code == 401
    assert (await post(BLOB | {"data": "not base64!"}, token)).status_code == 422
    again = BLOB | {"id": "another"}
    assert (await post(again, token)).status_code == 201
    assert (await post(again, token)).status_code == 409
