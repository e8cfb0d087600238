"""Blobs over HTTP, as the contract has them."""

import base64

import pytest

from tests.api.conftest import Service

pytestmark = pytest.mark.anyio


async def test_a_blob_travels_in_json(service: Service) -> None:
    _, headers = await service.sign_up()
    body = {"id": "a", "data": base64.b64encode(b"hello").decode()}
    stored = await service.client.post("/v1/blobs", json=body, headers=headers)
    assert (stored.status_code, stored.json()) == (201, {"message": "Blob stored successfully"})
    got = await service.client.get("/v1/blobs/a", headers=headers)
    assert got.json() | {"created_at": ""} == body | {"size": 5, "created_at": ""}


@pytest.mark.parametrize("size", [0, 1, 16 * 1024, 16 * 1024 + 1, 3_000_000])
async def test_raw_bytes_come_back_as_they_went(service: Service, size: int) -> None:
    _, headers = await service.sign_up()
    data = bytes(i * 31 % 251 for i in range(size))
    url = "/v1/blobs/a%2Fcontent/content"
    put = await service.client.put(url, content=data, headers=headers)
    assert put.status_code == 201
    got = await service.client.get(url, headers=headers)
    assert got.content == data
