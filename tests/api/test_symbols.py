"""Symbols over HTTP: uploaded, listed, downloaded, deleted, and made into caches."""

import asyncio
import io
import shutil
import subprocess
import zipfile
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, func, select, update

from app import clock
from app.accounts.tables import accounts
from app.objects.tables import objects
from app.symbols.caching import CLAIM, SymbolCaches
from app.symbols.tables import symbol_files, symbols
from tests.api.conftest import Service
from tests.api.crash_forms import make_key
from tests.api.keepings import Headers
from tests.api.shared import shared_fixtures, wipe
from tests.symbol_files import DEBUG_ID, breakpad

pytest.importorskip("symbolic")
pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

MAX_SYMBOL_BYTES = 1024 * 1024
URL = "/v1/symbols"

settings, service = shared_fixtures(max_symbol_bytes=MAX_SYMBOL_BYTES, symbols_kept_unused=30)


@pytest.fixture
async def user(service: Service) -> AsyncIterator[Headers]:
    """Headers of a new account, whose charges are checked after the test."""
    account, headers = await service.sign_up()
    yield headers

    def books(connection: Connection) -> tuple[tuple[Any, ...], tuple[Any, ...], list[Any]]:
        own = accounts.c.uuid == account["id"]
        charged = select(accounts.c.used_bytes, accounts.c.used_objects).where(own)
        kept = (
            select(func.coalesce(func.sum(objects.c.size), 0), func.count())
            .select_from(
                symbol_files.join(objects).join(
                    accounts, accounts.c.id == symbol_files.c.account_id
                )
            )
            .where(own)
        )
        pending = select(objects.c.id).where(objects.c.state == "pending")
        return (
            tuple(connection.execute(charged).one()),
            tuple(connection.execute(kept).one()),
            [*connection.execute(pending)],
        )

    charged, kept, pending = await service.runtime.parts.database.read(books)
    assert (charged, pending) == (kept, [])
    await wipe(service)


async def upload(
    service: Service, user: Headers, data: bytes, name: str = "app.sym", **headers: str
) -> httpx.Response:
    named = {n.replace("_", "-"): value for n, value in headers.items()}
    return await service.client.put(f"{URL}/upload/{name}", content=data, headers=user | named)


async def uploaded(
    service: Service, user: Headers, data: bytes, name: str = "app.sym"
) -> list[dict[str, Any]]:
    answer = await upload(service, user, data, name)
    assert answer.status_code == 201, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def get(service: Service, user: Headers, symbols_id: str) -> dict[str, Any]:
    answer = await service.client.get(f"{URL}/{symbols_id}", headers=user)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def listed(service: Service, user: Headers, **query: str) -> list[dict[str, Any]]:
    answer = await service.client.get(URL, params=query, headers=user)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


def caches_of(service: Service) -> SymbolCaches:
    return service.runtime.symbols.caches


async def make_caches(service: Service) -> None:
    while await caches_of(service).run_once(clock.now()):
        pass


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


@pytest.mark.ordinary
async def test_symbols_are_kept_and_made_into_a_cache(service: Service, user: Headers) -> None:
    data = breakpad()
    (made,) = await uploaded(service, user, data)
    assert made | {
        "name": "app.sym", "debug_file": "app", "debug_id": DEBUG_ID, "code_id": None,
        "arch": "x86_64", "form": "breakpad", "features": ["debug", "unwind"],
        "state": "pending", "error": None, "size": len(data),
    } == made  # fmt: skip
    assert made["created_at"] == made["used_at"] < made["expires_at"]
    await make_caches(service)
    assert await get(service, user, made["id"]) == made | {"state": "ready"}
    assert await listed(service, user) == [made | {"state": "ready"}]
    content = await service.client.get(f"{URL}/{made['id']}/content", headers=user)
    assert content.content == data
    assert 'filename="app.sym"' in content.headers["content-disposition"]
    head = await service.client.head(f"{URL}/{made['id']}/content", headers=user)
    assert head.headers["content-length"] == str(len(data))


@pytest.mark.ordinary
async def test_lists_are_filtered(service: Service, user: Headers) -> None:
    other = "0" * 31 + "12"
    await uploaded(service, user, breakpad())
    await uploaded(service, user, breakpad(other, "lib.so"), "lib.so.sym")
    with_dashes = "5a9832e5-2872-41c1-838e-d98914e9b7ff-1"
    for query in ({"debug_id": DEBUG_ID}, {"debug_id": with_dashes}, {"debug_file": "app"}):
        assert [item["debug_file"] for item in await listed(service, user, **query)] == ["app"]
    first = await service.client.get(f"{URL}?limit=1", headers=user)
    assert [item["debug_id"] for item in first.json()["items"]] == [other]
    cursor = first.json()["next_cursor"]
    assert [i["debug_id"] for i in await listed(service, user, cursor=cursor)] == [DEBUG_ID]
    assert await listed(service, user, debug_file="no") == []


async def test_what_is_there_already_stays_as_it_is(service: Service, user: Headers) -> None:
    first = await uploaded(service, user, breakpad())
    assert await uploaded(service, user, breakpad(), "again.sym") == first
    better = breakpad(lines="FUNC 300 10 0 more()\n")
    (second,) = await uploaded(service, user, better)
    assert {item["id"] for item in await listed(service, user)} == {first[0]["id"], second["id"]}


async def test_a_zip_has_several(service: Service, user: Headers) -> None:
    other = "0" * 31 + "12"
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED):
        files = {
            "symbols/app/app.sym": breakpad(),
            "README": b"not symbols",
            "symbols/lib/lib.sym": breakpad(other, "lib"),
            "empty": b"",
        }
        made = await uploaded(service, user, zipped(files, method), "all.zip")
        assert [(item["name"], item["debug_id"]) for item in made] == [
            ("app.sym", DEBUG_ID), ("lib.sym", other),
        ]  # fmt: skip
    assert len(await listed(service, user)) == 2


async def test_an_elf_file_is_known_by_its_build_id(
    service: Service, user: Headers, tmp_path: Path
) -> None:
    compiler = shutil.which("gcc")
    if compiler is None:
        pytest.skip("no compiler")
    (tmp_path / "a.c").write_text("int main(void) { return 0; }")
    command = [compiler, "-g", "-Wl,--build-id=0x" + "0123456789abcdef" * 2 + "01234567", "a.c"]
    await asyncio.to_thread(subprocess.run, command, cwd=tmp_path, check=True)
    (made,) = await uploaded(service, user, (tmp_path / "a.out").read_bytes(), "prog.debug")
    assert (made["form"], made["debug_file"]) == ("elf", "prog")
    assert made["debug_id"] == "67452301AB89EFCD0123456789ABCDEF0"
    assert made["code_id"] == "0123456789abcdef" * 2 + "01234567"
    assert "debug" in made["features"]
    await make_caches(service)
    assert (await get(service, user, made["id"]))["state"] == "ready"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "it is empty"),
        (b"nothing of the kind" * 10, "unsupported object file format"),
        (breakpad("0" * 33), "no debug id"),
        (b"PK\x03\x04 and nothing more", "the ZIP can't be read"),
        (zipped({"a": b"b"}), "No file in the ZIP has symbols"),
        (zipped({str(n): b"" for n in range(1001)}), "up to 1000 files"),
        (zipped({"bomb": bytes(2 * MAX_SYMBOL_BYTES)}), "inflated"),
    ],
)  # fmt: skip
async def test_what_has_no_symbols_is_refused_and_leaves_nothing(
    service: Service, user: Headers, data: bytes, said: str
) -> None:
    answer = await upload(service, user, data)
    assert answer.status_code in {413, 422}, answer.text
    assert said.lower() in answer.text.lower()
    assert await listed(service, user) == []


async def test_a_zip_that_lies_about_a_file_is_refused(service: Service, user: Headers) -> None:
    whole = zipped({"app.sym": breakpad()})
    for place in (whole.index(b"PK\x03\x04"), 40):
        broken = bytearray(whole)
        broken[place + 2 : place + 6] = b"\xff\xff\xff\xff"
        answer = await upload(service, user, bytes(broken))
        assert answer.status_code == 422, answer.text
    assert await listed(service, user) == []


async def test_a_digest_is_checked(service: Service, user: Headers) -> None:
    wrong = "sha-256=:" + "A" * 43 + "=:"
    for data in (breakpad(), zipped({"app.sym": breakpad()})):
        answer = await upload(service, user, data, Content_Digest=wrong)
        assert answer.status_code == 400, answer.text
    assert await listed(service, user) == []


async def test_keys_may_do_what_their_scopes_say(service: Service, user: Headers) -> None:
    async def headers(*scopes: str) -> Headers:
        return {"Authorization": f"Bearer {await make_key(service, user, *scopes)}"}

    submitting, reading = await headers("symbols:submit"), await headers("symbols:read")
    writing = await headers("symbols:write")
    (made,) = await uploaded(service, submitting, breakpad())
    await uploaded(service, writing, breakpad())
    assert (await upload(service, reading, breakpad())).status_code == 403
    for other in (submitting, writing):
        assert (await service.client.get(URL, headers=other)).status_code == 403
    assert len(await listed(service, reading)) == 1
    url = f"{URL}/{made['id']}"
    for other in (submitting, reading):
        assert (await service.client.delete(url, headers=other)).status_code == 403
    assert (await service.client.delete(url, headers=writing)).status_code == 204


async def test_another_accounts_symbols_are_not_found(service: Service, user: Headers) -> None:
    (made,) = await uploaded(service, user, breakpad())
    _, other = await service.sign_up()
    assert await listed(service, other) == []
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/content")):
        answer = await service.client.request(method, f"{URL}/{made['id']}{path}", headers=other)
        assert answer.status_code == 404
    assert len(await uploaded(service, other, breakpad())) == 1, "and don't count as theirs"


@pytest.mark.ordinary
async def test_deleted_symbols_take_their_cache_along(service: Service, user: Headers) -> None:
    (made,) = await uploaded(service, user, breakpad())
    await make_caches(service)
    deleted = await service.client.delete(f"{URL}/{made['id']}", headers=user)
    assert deleted.status_code == 204
    again = await service.client.delete(f"{URL}/{made['id']}", headers=user)
    assert again.status_code == 404

    def left(connection: Connection) -> list[Any]:
        kinds = objects.c.kind.in_(["symbols", "symcaches"])
        return [*connection.execute(select(objects.c.id).where(kinds))]

    assert await service.runtime.parts.database.read(left) == []


@pytest.mark.ordinary
async def test_symbols_that_nothing_needs_expire(service: Service, user: Headers) -> None:
    (made,) = await uploaded(service, user, breakpad())
    await make_caches(service)
    expires_at = clock.from_datetime(datetime.fromisoformat(made["expires_at"]))

    def left(connection: Connection) -> int:
        return len(connection.execute(select(symbol_files.c.id)).all())

    for moment, count in ((expires_at - 1, 1), (expires_at, 0)):
        while await service.runtime.parts.expiry.run_once(moment):
            pass
        assert await service.runtime.parts.database.read(left) == count


@pytest.mark.ordinary
async def test_a_cache_that_was_given_up_is_made_by_another(
    service: Service, user: Headers
) -> None:
    (made,) = await uploaded(service, user, breakpad())
    now = clock.now()

    def claim(connection: Connection) -> None:
        connection.execute(update(symbols).values(claimed_until=now + CLAIM))

    await service.runtime.parts.database.write(claim)
    assert await caches_of(service).run_once(now) == 0
    assert await caches_of(service).next_due(now) == now + CLAIM
    assert await caches_of(service).run_once(now + CLAIM) == 1
    assert (await get(service, user, made["id"]))["state"] == "ready"


@pytest.mark.ordinary
async def test_symbols_that_cannot_be_read_say_why(service: Service, user: Headers) -> None:
    (made,) = await uploaded(service, user, breakpad())

    def lie(connection: Connection) -> None:
        connection.execute(update(symbols).values(debug_id="F" * 33))

    await service.runtime.parts.database.write(lie)
    await make_caches(service)
    found = await get(service, user, made["id"])
    assert (found["state"], found["error"]) == ("failed", "it has no such object")
    content = await service.client.get(f"{URL}/{made['id']}/content", headers=user)
    assert content.content == breakpad()


async def test_symbols_count_towards_the_quota_and_caches_do_not(
    service: Service, user: Headers
) -> None:
    await uploaded(service, user, breakpad())
    await make_caches(service)
    usage = (await service.client.get("/v1/accounts/me", headers=user)).json()["usage"]
    assert (usage["objects"], usage["bytes"]) == (1, len(breakpad()))
