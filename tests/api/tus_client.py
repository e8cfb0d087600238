"""Requests of tus 1.0, as short as tests want them."""

import base64

import httpx

from tests.api.conftest import Service

URL = "/v1/uploads"
PIECE = {"Content-Type": "application/offset+octet-stream"}
VERSION = {"Tus-Resumable": "1.0.0"}


def metadata(**values: str) -> dict[str, str]:
    """Return the header that says what is uploaded."""
    pairs = (f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in values.items())
    return {"Upload-Metadata": ",".join(pairs)}


async def create(
    service: Service, headers: dict[str, str], length: int | None, **values: str
) -> httpx.Response:
    """Create an upload; None: its length is deferred."""
    of = {"Upload-Defer-Length": "1"} if length is None else {"Upload-Length": str(length)}
    return await service.client.post(
        URL, headers=headers | VERSION | of | metadata(**values), content=b""
    )


async def append(
    service: Service, headers: dict[str, str], url: str, offset: int, data: bytes, **more: str
) -> httpx.Response:
    """Append bytes to an upload."""
    own = VERSION | PIECE | {"Upload-Offset": str(offset)}
    own |= {name.replace("_", "-"): value for name, value in more.items()}
    return await service.client.patch(url, headers=headers | own, content=data)


async def head(service: Service, headers: dict[str, str], url: str) -> httpx.Response:
    """Ask how far an upload is."""
    return await service.client.head(url, headers=headers | VERSION)
