"""Forms as crash uploaders send them, and what the tests of these do with them."""

from collections.abc import AsyncIterator
from typing import Any, Final

import httpx

from tests.api.conftest import Service
from tests.api.dump_books import Headers

URL: Final = "/v1/dumps/minidump"
FILE: Final = "upload_file_minidump"
BOUNDARY: Final = "---MultipartBoundary-4zXg2k---"  # as Crashpad makes them

Part = tuple[str, str | None, bytes]
"""A part's name, its file's name if it is one, and its bytes."""


async def make_key(service: Service, user: Headers, *scopes: str) -> str:
    body = {"name": "uploader", "scopes": scopes}
    made = await service.client.post("/v1/accounts/me/keys", json=body, headers=user)
    return str(made.json()["key"])


def many(count: int, filename: str | None, data: bytes = b"") -> list[Part]:
    """Return so many parts with names of their own."""
    return [(f"{filename}{number}", filename, data) for number in range(count)]


def form(*parts: Part) -> bytes:
    out = b""
    for name, filename, data in parts:
        file = "" if filename is None else f'; filename="{filename}"'
        kind = "" if filename is None else "Content-Type: application/octet-stream\r\n"
        head = f'Content-Disposition: form-data; name="{name}"{file}\r\n{kind}\r\n'
        out += f"--{BOUNDARY}\r\n".encode() + head.encode() + data + b"\r\n"
    return out + f"--{BOUNDARY}--\r\n".encode()


async def post(
    service: Service, key: str | None, body: bytes, size: int = 4096, /, **headers: str
) -> httpx.Response:
    """Send a body in chunks, as Crashpad does, and without a length."""

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]

    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    return await service.client.post(
        URL,
        params={} if key is None else {"key": key, "product": "x", "version": "y", "guid": "z"},
        content=chunks(),
        headers=kind | {name.replace("_", "-"): value for name, value in headers.items()},
    )


async def submit(service: Service, key: str, body: bytes, **headers: str) -> str:
    answer = await post(service, key, body, **headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert len(answer.text) == 36
    return answer.text


async def get(service: Service, user: Headers, dump_id: str) -> dict[str, Any]:
    answer = await service.client.get(f"/v1/dumps/{dump_id}", headers=user)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body
