"""Takeout: a ZIP of all that an account keeps, without secrets, that can be resumed."""

import gzip
import hashlib
import io
import json
import re
import zipfile
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, select

from app.accounts.tables import accounts
from app.database.schema import metadata
from app.dumps.tables import dump_counts, signature_counts
from app.features import TABLES
from app.objects.tables import object_bytes, object_segments, objects
from app.pictures.thumbnail_rows import KIND as THUMBNAILS
from app.symbols.entities import CACHE_KIND
from app.takeout.rows import NOT_TAKEN, columns_of
from tests.api.conftest import PASSWORD, Service
from tests.api.keepings import LARGE, Keeper
from tests.api.shared import shared_fixtures
from tests.api.test_erasure import belongs_to_accounts

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

URL = "/v1/accounts/me/takeout"
Headers = dict[str, str]


settings, service = shared_fixtures(default_tier="Enterprise")


@pytest.fixture(scope="module")
async def keeper(service: Service) -> Keeper:
    """An account with something of every kind."""
    keeper = Keeper(service, "ada")
    await keeper.keep_all()
    return keeper


async def take(service: Service, headers: Headers, method: str = "GET") -> httpx.Response:
    answer = await service.client.request(method, URL, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer


async def put(service: Service, headers: Headers, name: str, data: bytes) -> None:
    answer = await service.client.put(f"/v1/blobs/{name}/content", content=data, headers=headers)
    assert answer.is_success, answer.text


def opened(answer: httpx.Response) -> zipfile.ZipFile:
    found = zipfile.ZipFile(io.BytesIO(answer.content))
    assert found.testzip() is None
    return found


MADE = [THUMBNAILS, CACHE_KIND]
"""Kinds of objects that are made from others."""


def rows_in(found: zipfile.ZipFile, table: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in found.read(f"account/{table}.jsonl").splitlines()]


async def owned(service: Service, uuid: str) -> set[str]:
    """Return the digests of all that an account owns, but for what is made from something else."""

    def read(connection: Connection) -> set[str]:
        query = (
            select(objects.c.sha256)
            .select_from(objects.join(accounts))
            .where(accounts.c.uuid == uuid, objects.c.state == "ready", ~objects.c.kind.in_(MADE))
        )
        return {bytes(digest).hex() for digest in connection.execute(query).scalars()}

    return await service.runtime.parts.database.read(read)


def test_every_table_of_accounts_is_taken() -> None:
    """Or says why not; those of the objects are what the contents are read from."""
    theirs = {table for table in metadata.tables.values() if belongs_to_accounts(table)}
    counted = {dump_counts, signature_counts}  # of what is taken
    assert theirs - counted == {accounts, *TABLES, objects, object_bytes, object_segments}
    assert set(TABLES) > NOT_TAKEN


def test_no_column_with_a_secret_is_taken() -> None:
    taken = {(table.name, name) for table in (accounts, *TABLES) for name in columns_of(table)}
    assert [each for each in taken if re.search("hash|secret|token|password", each[1])] == []
    assert ("files", "name") in taken


@pytest.mark.ordinary
async def test_nothing_that_an_account_keeps_is_missing(service: Service, keeper: Keeper) -> None:
    found = opened(await take(service, keeper.headers))
    names = [name for name in found.namelist() if not name.startswith("account/")]
    digests = {hashlib.sha256(found.read(name)).hexdigest() for name in names}
    assert digests == await owned(service, keeper.account["id"])
    assert {name.partition("/")[0] for name in names} == {
        "blobs",
        "bundles",
        "files",
        "pictures",
        "symbols",
        "dumps",
        "buffer",
    }
    assert found.read("files/ä.txt") == LARGE
    assert found.read("blobs/whole") == LARGE * 2
    assert found.read("buffer/text.txt") == "a text, ⚓".encode()
    assert "pictures/A picture.png" in names
    for table in (accounts, *TABLES):
        assert table in NOT_TAKEN or rows_in(found, table.name), f"no row of {table.name}"


async def test_rows_say_where_the_bytes_are(service: Service, keeper: Keeper) -> None:
    found = opened(await take(service, keeper.headers))
    (account,) = rows_in(found, "accounts")
    assert (account["username"], account["tier"]) == ("ada", "Enterprise")
    assert account["created_at"] == keeper.account["created_at"]
    for table in ("blobs", "files", "pictures", "dumps", "dump_attachments", "buffers"):
        for row in rows_in(found, table):
            data = found.read(row["path"])
            assert (row["size"], row["sha256"]) == (len(data), hashlib.sha256(data).hexdigest())


async def test_no_secret_is_in_it(service: Service, keeper: Keeper) -> None:
    found = opened(await take(service, keeper.headers))
    texts = [found.read(name).decode() for name in found.namelist() if name.endswith(".jsonl")]
    secrets = [PASSWORD, keeper.key, keeper.link.rpartition("/")[2], "$argon2"]
    assert [secret for secret in secrets for text in texts if secret in text] == []


async def test_it_is_the_same_as_long_as_nothing_changes(service: Service) -> None:
    _, headers = await service.sign_up()
    form = {"username": (await me(service, headers))["username"], "password": PASSWORD}
    tokens = (await service.client.post("/v1/auth/token", data=form)).json()
    await put(service, headers, "a", LARGE)
    whole = await take(service, headers)
    refreshed = await service.client.post(
        "/v1/auth/refresh", json={"refresh_token": tokens["refresh_token"]}
    )
    assert refreshed.status_code == 200, refreshed.text
    etag = whole.headers["etag"]
    part = {"Range": "bytes=1000-", "If-Range": etag}
    rest = await service.client.get(URL, headers=headers | part)
    assert (rest.status_code, rest.content) == (206, whole.content[1000:])
    size = len(whole.content)
    assert rest.headers["content-range"] == f"bytes 1000-{size - 1}/{size}"
    same = await service.client.get(URL, headers=headers | {"If-None-Match": etag})
    assert (same.status_code, same.content) == (304, b"")
    past = await service.client.get(URL, headers=headers | {"Range": f"bytes={size}-"})
    assert (past.status_code, past.headers["content-range"]) == (416, f"bytes */{size}")

    await put(service, headers, "b", b"new")
    anew = await service.client.get(URL, headers=headers | part)
    assert (anew.status_code, anew.headers["etag"] == etag) == (200, False)
    assert opened(anew).read("blobs/b") == b"new"
    failed = await service.client.get(URL, headers=headers | {"If-Match": etag})
    assert failed.status_code == 412


async def me(service: Service, headers: Headers) -> Any:  # noqa: ANN401 - JSON
    return (await service.client.get("/v1/accounts/me", headers=headers)).json()


async def test_its_headers_are_those_of_a_download(service: Service) -> None:
    account, headers = await service.sign_up()
    await put(service, headers, "a", b"hello")
    got, head = await take(service, headers), await take(service, headers, "HEAD")
    expected = {
        "content-type": "application/zip",
        "content-disposition": f'attachment; filename="{account["username"]}.zip"',
        "content-length": str(len(got.content)),
        "accept-ranges": "bytes",
        "cache-control": "private, no-cache",
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox",
        "etag": got.headers["etag"],
    }
    for answer in (got, head):
        assert {n: v for n, v in answer.headers.items() if n != "x-request-id"} == expected
    assert head.content == b""


async def test_encoded_bytes_stay_as_they_are(service: Service) -> None:
    _, headers = await service.sign_up()
    data = gzip.compress(b"hello")
    coded = headers | {"Content-Encoding": "gzip"}
    stored = await service.client.put("/v1/blobs/a.txt/content", content=data, headers=coded)
    assert stored.is_success
    found = opened(await take(service, headers))
    assert found.read("blobs/a.txt.gz") == data
    (row,) = rows_in(found, "blobs")
    assert (row["name"], row["encoding"], row["path"]) == ("a.txt", "gzip", "blobs/a.txt.gz")


async def test_names_lead_out_of_no_folder(service: Service) -> None:
    _, headers = await service.sign_up()
    for blob in ("..%2F..%2Fa", "%2Fetc%2Fpasswd", "account%2Fblobs.jsonl", "a", "A"):
        await put(service, headers, blob, b"x")
    found = opened(await take(service, headers))
    blobs = [name for name in found.namelist() if not name.startswith("account/")]
    assert blobs == [
        "blobs/a",
        "blobs/etc/passwd",
        "blobs/account/blobs.jsonl",
        "blobs/a (2)",
        "blobs/A (3)",
    ]


async def test_nobody_else_gets_it(service: Service, keeper: Keeper) -> None:
    assert (await service.client.get(URL)).status_code == 401
    key = {"Authorization": f"Bearer {keeper.key}"}
    assert (await service.client.get(URL, headers=key)).status_code == 403
