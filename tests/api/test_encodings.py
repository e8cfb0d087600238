"""Content codings: kept with the bytes that came in them, and refused where they are in the way."""

import gzip
import hashlib
from typing import Any

import httpx
import pytest

from tests.api.conftest import Service
from tests.api.shared import shared_fixtures

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

TEXT = b"what was written, again and again; " * 4000
SMALL, LARGE = gzip.compress(TEXT[:100], mtime=0), gzip.compress(TEXT, 0, mtime=0)
Headers = dict[str, str]


settings, service = shared_fixtures()


@pytest.fixture
async def mine(service: Service) -> Headers:
    """Headers of a new account."""
    _, headers = await service.sign_up()
    return headers


async def raw(service: Service, url: str, headers: Headers) -> tuple[httpx.Headers, bytes]:
    """Return an answer's headers, and its body as it was sent."""
    async with service.client.stream("GET", url, headers=headers) as answer:
        assert answer.is_success, answer.status_code
        return answer.headers, b"".join([chunk async for chunk in answer.aiter_raw()])


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize(
    ("put", "get"),
    [
        ("/v1/blobs/a/content", "/v1/blobs/a/content"),
        ("/v1/send/a.txt", "/v1/files/{id}/content"),
        ("/v1/buffer", "/v1/buffer"),
        ("/v1/buffer", "/file/buffer"),
    ],
)
async def test_encoded_bytes_come_back_with_their_coding(
    service: Service, mine: Headers, put: str, get: str, data: bytes
) -> None:
    sent = {
        "Content-Encoding": "GZIP", "Content-Type": "text/plain", "X-Data-Type": "text",
        "Accept": "application/json",
    }  # fmt: skip
    stored = await service.client.put(put, content=data, headers=mine | sent)
    assert stored.is_success, stored.text
    url = get.format(id=stored.json().get("id"))
    for accepted in ("gzip", "identity", "br"):
        headers, body = await raw(service, url, mine | {"Accept-Encoding": accepted})
        assert headers["content-encoding"] == "gzip"
        assert headers["content-length"] == str(len(data))
        assert headers["etag"] == f'"{hashlib.sha256(data).hexdigest()}"'
        assert body == data
    whole = await service.client.get(url, headers=mine)
    assert whole.content == gzip.decompress(data)
    headers, body = await raw(service, url, mine | {"Range": "bytes=3-20"})
    assert headers["content-encoding"] == "gzip"
    assert headers["content-range"] == f"bytes 3-20/{len(data)}"
    assert body == data[3:21]
    head = await service.client.head(url, headers=mine)
    assert head.headers["content-encoding"] == "gzip"
    same = await service.client.get(url, headers=mine | {"If-None-Match": whole.headers["etag"]})
    assert same.status_code == 304
    assert "content-encoding" not in same.headers


@pytest.mark.parametrize("sent", ["identity", "Identity, identity", ""])
async def test_identity_is_no_coding(service: Service, mine: Headers, sent: str) -> None:
    url = "/v1/blobs/a/content"
    first = mine | {"Content-Encoding": "br, x-own"}
    await service.client.put(url, content=b"x", headers=first)
    headers, _ = await raw(service, url, mine)
    assert headers["content-encoding"] == "br, x-own"
    await service.client.put(url, content=b"y", headers=mine | {"Content-Encoding": sent})
    headers, _ = await raw(service, url, mine)
    assert "content-encoding" not in headers


async def test_a_public_link_sends_the_coding_too(service: Service, mine: Headers) -> None:
    sent = mine | {"Content-Encoding": "gzip", "Content-Type": "text/plain"}
    link = await service.client.put("/v1/send/a.txt", content=SMALL, headers=sent)
    path = link.text.strip().removeprefix("http://test")
    headers, body = await raw(service, path, {})
    assert (headers["content-encoding"], body) == ("gzip", SMALL)
    page = await service.client.get(path, headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert "�" not in page.text  # nobody tries to show it


@pytest.mark.parametrize(
    ("header", "status"),
    [("aws-chunked", 415), ("gzip, AWS-Chunked", 415), ("chunked", 415), ("a b", 400),
     ("x" * 256, 400), ("gzip;q=1", 400)],
)  # fmt: skip
async def test_what_is_no_coding_of_content_is_refused(
    service: Service, mine: Headers, header: str, status: int
) -> None:
    headers = mine | {"Content-Encoding": header, "X-Data-Type": "text"}
    for url in ("/v1/blobs/a/content", "/v1/send/a", "/v1/buffer"):
        answer = await service.client.put(url, content=b"x", headers=headers)
        assert answer.status_code == status, url
    usage = (await service.client.get("/v1/accounts/me", headers=mine)).json()["usage"]
    assert usage["objects"] == 0


JSON: Any = {"id": "a", "data": "QUFB", "time": 300, "name": "x", "kind": "file"}


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/blobs"), ("POST", "/v1/accounts"), ("POST", "/v1/timelinks"),
     ("PATCH", "/v1/accounts/me"), ("POST", "/v1/auth/refresh"), ("POST", "/login/"),
     ("POST", "/api/token/"), ("PATCH", "/v1/dumps/01890a5d-ac96-774b-bcce-b302099a8057"),
     ("PATCH", "/v1/files/01890a5d-ac96-774b-bcce-b302099a8057")],
)  # fmt: skip
async def test_json_is_not_taken_encoded(
    service: Service, mine: Headers, method: str, path: str
) -> None:
    encoded = mine | {"Content-Encoding": "gzip"}
    answer = await service.client.request(method, path, json=JSON, headers=encoded)
    assert answer.status_code == 415, path
    plain = mine | {"Content-Encoding": "identity"}
    answer = await service.client.request(method, path, json=JSON, headers=plain)
    assert answer.status_code != 415, path


@pytest.mark.parametrize("path", ["/v1/files", "/v1/dumps", "/v1/pictures", "/file/load", "/share"])
async def test_forms_are_not_taken_encoded(service: Service, mine: Headers, path: str) -> None:
    form = {"file": ("a.txt", b"hello"), "img": ("a.txt", b"hello")}
    encoded = mine | {"Content-Encoding": "gzip"}
    answer = await service.client.post(path, files=form, headers=encoded)
    assert answer.status_code == 415
    assert "gzip" in answer.json()["detail"]  # a picture that is none is 415 as well
    token = {"username": "x", "password": "y"}
    login = await service.client.post("/v1/auth/token", data=token, headers=encoded)
    assert login.status_code == 415


@pytest.mark.parametrize("path", ["/v1/files", "/v1/dumps"])
async def test_a_file_in_a_form_keeps_its_own_coding(
    service: Service, mine: Headers, path: str
) -> None:
    form = {"file": ("a.txt", SMALL, "text/plain", {"Content-Encoding": "gzip"})}
    stored = await service.client.post(path, files=form, headers=mine)
    assert stored.status_code == 201, stored.text
    headers, body = await raw(service, f"{path}/{stored.json()['id']}/content", mine)
    assert (headers["content-encoding"], body) == ("gzip", SMALL)
