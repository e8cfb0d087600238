"""Breakpad's uploader of symbols, by its bytes, and a symbol server for debuggers."""

import base64
import re
import string
from collections.abc import AsyncIterator

import httpx
import pytest

from app import clock
from app.errors import Unauthorized
from app.logging.redaction import Redaction
from app.security.credentials import ApiKey
from app.symbols.upload_keys import LIFETIME, UploadKeys
from tests.api.conftest import Service
from tests.api.crash_forms import make_key
from tests.api.keepings import Headers
from tests.api.shared import shared_fixtures, wipe
from tests.elf_files import BUILD_ID, elf
from tests.symbol_files import DEBUG_ID, breakpad

pytest.importorskip("symbolic")
pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

API = "/v1/symbols/breakpad"
SERVER = "/v1/symbols/server"

settings, service = shared_fixtures()


@pytest.fixture
async def user(service: Service) -> AsyncIterator[Headers]:
    """Headers of a new account."""
    _, headers = await service.sign_up()
    yield headers
    await wipe(service)


@pytest.fixture
async def key(service: Service, user: Headers) -> str:
    """A key that permits uploading symbols alone."""
    return await make_key(service, user, "symbols:submit")


@pytest.fixture
async def reading(service: Service, user: Headers) -> str:
    """A key that permits reading symbols alone."""
    return await make_key(service, user, "symbols:read")


def member(answer: httpx.Response, name: str) -> str:
    """Find a member of an answer as ``sym_upload`` does."""
    assert answer.status_code == 200, answer.text
    match = re.search(f'"{name}": "([^"]+)"', answer.text)
    assert match is not None, answer.text
    return match[1]


async def status(service: Service, key: str) -> str:
    url = f"{API}/v1/symbols/app/{DEBUG_ID}:checkStatus?key={key}"
    return member(await service.client.get(url), "status")


async def sym_upload(service: Service, key: str, data: bytes) -> str:
    """Upload symbols as version 2 of ``sym_upload`` does, and return the result."""
    created = await service.client.post(f"{API}/v1/uploads:create?key={key}")
    url, upload = member(created, "uploadUrl"), member(created, "uploadKey")
    assert key not in url
    put = await service.client.put(url, content=data)
    assert put.status_code == 200, put.text
    body = (
        f'{{ symbol_id: {{debug_file: "app", debug_id: "{DEBUG_ID}" }}, '
        'symbol_upload_type: "BREAKPAD" }'
    )
    completed = await service.client.post(
        f"{API}/v1/uploads/{upload}:complete?key={key}",
        content=body,
        headers={"content-type": "application/son"},
    )
    return member(completed, "result")


@pytest.mark.slow("scaled")
async def test_version_2_of_sym_upload_is_understood(
    service: Service, user: Headers, key: str
) -> None:
    assert await status(service, key) == "MISSING"
    assert await sym_upload(service, key, breakpad()) == "OK"
    assert await status(service, key) == "FOUND"
    assert await sym_upload(service, key, breakpad()) == "DUPLICATE_DATA"
    (item,) = (await service.client.get("/v1/symbols", headers=user)).json()["items"]
    assert (item["debug_file"], item["debug_id"]) == ("app", DEBUG_ID)


async def test_version_1_of_sym_upload_is_understood(
    service: Service, user: Headers, key: str
) -> None:
    fields = {"os": "Linux", "cpu": "x86_64", "debug_file": "app", "code_file": "app",
              "debug_identifier": DEBUG_ID}  # fmt: skip
    files = {"symbol_file": ("app.sym", breakpad())}
    answer = await service.client.post(f"{API}?key={key}", data=fields, files=files)
    assert (answer.status_code, answer.text) == (200, DEBUG_ID)
    (item,) = (await service.client.get("/v1/symbols", headers=user)).json()["items"]
    assert item["name"] == "app.sym"
    missing = await service.client.post(f"{API}?key={key}", data=fields, files={"x": b""})
    assert missing.status_code == 422


async def test_an_upload_is_as_good_as_its_key(
    service: Service, user: Headers, key: str, reading: str
) -> None:
    for wrong in (reading, "hk_no", ""):
        created = await service.client.post(f"{API}/v1/uploads:create?key={wrong}")
        assert created.status_code in {401, 403}, created.text
    assert (await service.client.post(f"{API}/v1/uploads:create")).status_code == 401
    in_person = await service.client.post(f"{API}/v1/uploads:create", headers=user)
    assert in_person.status_code == 403, "it would stand for a whole session"
    created = await service.client.post(f"{API}/v1/uploads:create?key={key}")
    url = member(created, "uploadUrl")
    for forged in (url[:-1] + ("A" if url[-1] != "A" else "B"), url[:-20], f"{url}=", url + "AAAA"):
        assert (await service.client.put(forged, content=breakpad())).status_code == 401
    (made,) = [
        item
        for item in (await service.client.get("/v1/accounts/me/keys", headers=user)).json()["items"]
        if item["scopes"] == ["symbols:submit"]
    ]
    await service.client.delete(f"/v1/accounts/me/keys/{made['id']}", headers=user)
    assert (await service.client.put(url, content=breakpad())).status_code == 401


def test_an_upload_expires() -> None:
    keys, now = UploadKeys([b"k" * 32]), clock.now()
    credential = ApiKey(bytes(range(32)))
    issued = keys.issue(credential, now)
    assert keys.parse(issued, now + LIFETIME) == (credential, now)
    assert UploadKeys([b"n" * 32, b"k" * 32]).parse(issued, now) == (credential, now)
    alphabet = string.ascii_letters + string.digits + "-_"
    for last in alphabet.replace(issued[-1], ""):  # it has bits that encode nothing
        with pytest.raises(Unauthorized):
            keys.parse(issued[:-1] + last, now)
    for other, moment in ((keys, now + LIFETIME + 1), (UploadKeys([b"x" * 32]), now)):
        with pytest.raises(Unauthorized):
            other.parse(issued, moment)


@pytest.mark.ordinary
@pytest.mark.parametrize("body", [b"", b"{}", b'{ debug_id: "" }'])
async def test_what_completes_nothing_is_refused(
    service: Service, user: Headers, key: str, body: bytes
) -> None:
    del user
    created = await service.client.post(f"{API}/v1/uploads:create?key={key}")
    url = f"{API}/v1/uploads/{member(created, 'uploadKey')}:complete?key={key}"
    assert (await service.client.post(url, content=body)).status_code == 422
    none = await service.client.post(url, content=f'debug_id: "{DEBUG_ID}"'.encode())
    assert none.status_code == 404


@pytest.mark.ordinary
async def test_debuggers_find_what_they_ask_for(
    service: Service, user: Headers, key: str, reading: str
) -> None:
    del user
    program = elf()
    for name, data in (("app.sym", breakpad()), ("app", program)):
        answer = await service.client.put(
            f"/v1/symbols/upload/{name}",
            content=data,
            headers={"Authorization": f"Bearer {key}"},
        )
        assert answer.status_code == 201, answer.text
    for path, expected in (
        (f"app/{DEBUG_ID}/app.sym", breakpad()),
        (f"app/{DEBUG_ID.lower()}/app.sym", breakpad()),
        (f"buildid/{BUILD_ID}/executable", program),
    ):
        found = await service.client.get(f"{SERVER}/{reading}/{path}")
        assert (found.status_code, found.content) == (200, expected), path
        head = await service.client.head(f"{SERVER}/{reading}/{path}")
        assert head.headers["content-length"] == str(len(expected))
    for path in (
        f"app/{DEBUG_ID}/app.pdb", f"buildid/{BUILD_ID}/debuginfo", "buildid/0123abcd/debuginfo",
        f"buildid/{BUILD_ID}/source/a.c", "a/b/c", "index2.txt", "", "a/../b",
    ):  # fmt: skip
        found = await service.client.get(f"{SERVER}/{reading}/{path}")
        assert found.status_code == 404, path


async def test_the_key_may_be_a_password_and_is_needed(
    service: Service, user: Headers, key: str, reading: str
) -> None:
    await service.client.put("/v1/symbols/upload/app.sym", content=breakpad(), headers=user)
    path = f"app/{DEBUG_ID}/app.sym"
    basic = base64.b64encode(f"anyone:{reading}".encode()).decode()
    found = await service.client.get(
        f"{SERVER}/{path}", headers={"Authorization": f"Basic {basic}"}
    )
    assert found.content == breakpad()
    assert (await service.client.get(f"{SERVER}/{path}", headers=user)).status_code == 200
    none = await service.client.get(f"{SERVER}/{path}")
    assert none.status_code == 401
    assert none.headers["www-authenticate"].startswith("Basic ")
    for wrong in (key, "hk_nothing"):
        for unknown in (path, "a/b/c"):
            answer = await service.client.get(f"{SERVER}/{wrong}/{unknown}")
            assert answer.status_code in {401, 403}, (wrong, unknown)
    bad = await service.client.get(f"{SERVER}/{path}", headers={"Authorization": "Basic ???"})
    assert bad.status_code == 401


async def test_keys_are_not_logged(service: Service, user: Headers, key: str, reading: str) -> None:
    del user
    created = await service.client.post(f"{API}/v1/uploads:create?key={key}")
    url = member(created, "uploadUrl")
    line = Redaction()(f"PUT {url} GET {SERVER}/{reading}/app/{DEBUG_ID}/app.sym")
    assert member(created, "uploadKey") not in line
    assert reading not in line
    assert f"/app/{DEBUG_ID}/app.sym" in line
