"""Reports with symbols: dumps that come after them, and those that are read again."""

import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import Connection, func, select, update

from app import clock
from app.dumps import modules
from app.dumps.tables import dump_modules, dumps
from app.objects.tables import objects
from app.symbols.tables import symbol_files, symbols
from tests.api.conftest import Service
from tests.api.crash_forms import FILE, form, get, make_key, submit
from tests.api.keepings import Headers
from tests.api.shared import shared_fixtures, wipe
from tests.minidump_files import Minidump, Module, build_id
from tests.symbol_files import DEBUG_ID, NAMED, breakpad

pytest.importorskip("symbolic")
pytestmark = pytest.mark.anyio

MINUTE = clock.MINUTE
DUMP = Minidump(modules=[NAMED], stack=struct.pack("<3Q", 1, 0x400210, 0)).write()

settings, service = shared_fixtures(symbols_kept_unused=30)


@pytest.fixture
async def user(service: Service) -> AsyncIterator[Headers]:
    """Headers of a new account."""
    _, headers = await service.sign_up()
    yield headers
    await wipe(service)


@pytest.fixture
async def key(service: Service, user: Headers) -> str:
    """A key that permits submitting alone."""
    return await make_key(service, user, "dumps:submit")


async def send(service: Service, key: str, data: bytes = DUMP) -> str:
    return await submit(service, key, form((FILE, "a.dmp", data)))


async def add_symbols(service: Service, user: Headers, data: bytes | None = None) -> str:
    """Upload symbols, and make their cache; returns their id."""
    answer = await service.client.put(
        "/v1/symbols/upload/app.sym", content=data or breakpad(), headers=user
    )
    assert answer.status_code == 201, answer.text
    while await service.runtime.symbols.caches.run_once(clock.now()):
        pass
    found: str = answer.json()["items"][0]["id"]
    return found


async def read_reports(service: Service, now: int | None = None) -> None:
    while await service.runtime.dumps.reports.run_once(now or clock.now()):
        pass


async def functions(service: Service, user: Headers, dump_id: str) -> list[str | None]:
    dump = await get(service, user, dump_id)
    assert dump["report_state"] == "read", dump
    (thread,) = [each for each in dump["report"]["threads"] if each["is_crashed"]]
    return [frame["function"] for frame in thread["frames"]]


NAMES = ["crash_here(int)", "acme::main(int, char**)"]


async def missing(service: Service, user: Headers) -> list[dict[str, Any]]:
    answer = await service.client.get("/v1/symbols/missing", headers=user)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


async def test_a_dump_is_read_with_the_symbols_that_there_are(
    service: Service, user: Headers, key: str
) -> None:
    symbols_id = await add_symbols(service, user)
    dump_id = await send(service, key)
    await read_reports(service)
    assert await functions(service, user, dump_id) == NAMES
    (module,) = (await get(service, user, dump_id))["report"]["modules"]
    assert (module["debug_id"], module["has_symbols"]) == (DEBUG_ID, True)
    text = await service.client.get(f"/v1/dumps/{dump_id}/report", headers=user)
    assert " 0  app!inlined() [in.h : 7]\n    Found by: inlining" in text.text
    assert " 0  app!crash_here(int) [app.cc : 11]" in text.text
    deleted = await service.client.delete(f"/v1/symbols/{symbols_id}", headers=user)
    assert deleted.status_code == 204
    assert await functions(service, user, dump_id) == NAMES, "a report keeps what it has"


async def test_the_page_of_a_crash_links_source_lines_by_a_template(
    service: Service, user: Headers, key: str
) -> None:
    await add_symbols(service, user)
    dump_id = await send(service, key)
    await read_reports(service)
    page = user | {"Accept": "text/html"}
    plain = await service.client.get(f"/dumps/{dump_id}", headers=page)
    assert ("app.cc:11" in plain.text, "https://git.example" in plain.text) == (True, False)
    template = "https://git.example/main/{file}?at=1#L{line}"
    change = {"source_url": template}
    changed = await service.client.patch("/v1/accounts/me", json=change, headers=user)
    assert changed.json()["source_url"] == template
    linked = await service.client.get(f"/dumps/{dump_id}", headers=page)
    assert '<a class="source" href="https://git.example/main/src/app.cc?at=1#L11"' in linked.text
    assert '<a class="source" href="https://git.example/main/src/in.h?at=1#L7"' in linked.text
    await service.client.patch("/v1/accounts/me", json={"source_url": None}, headers=user)
    again = await service.client.get(f"/dumps/{dump_id}", headers=page)
    assert "https://git.example" not in again.text


@pytest.mark.slow("scaled")
@pytest.mark.parametrize(
    "template",
    [
        "javascript:alert('{file}')",
        "https://git.example/{line}",
        'https://git/"{file}',
        "{file}",
    ],
)
async def test_a_template_of_source_lines_leads_to_the_web(
    service: Service, user: Headers, template: str
) -> None:
    change = {"source_url": template}
    answer = await service.client.patch("/v1/accounts/me", json=change, headers=user)
    assert answer.status_code == 422


async def test_caches_stay_at_hand_where_objects_are_elsewhere(
    service: Service, user: Headers, key: str
) -> None:
    await add_symbols(service, user, breakpad(lines="FUNC 800 10 0 kept_at_hand()\n"))
    folder = service.settings.data_dir / "symbols"
    before = set(folder.iterdir()) if folder.exists() else set()
    for _ in range(2):
        dump_id = await send(service, key)
        await read_reports(service)
        assert await functions(service, user, dump_id) == NAMES
    (kept,) = set(folder.iterdir()) - before  # the store that fails on demand has no files
    assert kept.stat().st_size > 0


async def test_dumps_are_read_again_when_symbols_arrive(
    service: Service, user: Headers, key: str
) -> None:
    dump_id = await send(service, key)
    other = Module("/usr/lib/other.so", 0x400000, 0x1000, record=build_id(bytes(range(20))))
    unrelated = await send(service, key, Minidump(modules=[other]).write())
    await read_reports(service)
    assert await functions(service, user, dump_id) == [None, None]
    before = await get(service, user, unrelated)
    await add_symbols(service, user)
    assert service.runtime.dumps.reports.woken.is_set()
    assert await service.runtime.dumps.reports.next_due(clock.now()) is not None
    assert await functions(service, user, dump_id) == [None, None], "the old report stays till then"
    await read_reports(service)
    assert await functions(service, user, dump_id) == NAMES
    assert await get(service, user, unrelated) == before
    assert await service.runtime.dumps.reports.next_due(clock.now()) is None


@pytest.mark.slow("scaled")
async def test_the_newest_dumps_are_read_again_at_once_and_others_after_them(
    service: Service, user: Headers, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modules, "BATCH", 2)
    ids = [await send(service, key) for _ in range(5)]
    await read_reports(service)
    await add_symbols(service, user)
    now = clock.now()
    for minute, done in enumerate((2, 4, 5, 5)):
        await read_reports(service, now + minute * MINUTE)
        named = [await functions(service, user, dump_id) == NAMES for dump_id in ids]
        assert named == [False] * (5 - done) + [True] * done
    assert await service.runtime.dumps.reports.next_due(now) is None


@pytest.mark.slow("scaled")
async def test_another_accounts_symbols_are_not_used(
    service: Service, user: Headers, key: str
) -> None:
    _, other = await service.sign_up()
    dump_id = await send(service, key)
    await read_reports(service)
    await add_symbols(service, other)
    await read_reports(service)
    assert await functions(service, user, dump_id) == [None, None]


async def test_a_dump_is_read_again_on_request(service: Service, user: Headers, key: str) -> None:
    dump_id = await send(service, key)
    await read_reports(service)
    await add_symbols(service, user)
    url = f"/v1/dumps/{dump_id}/reprocess"
    answer = await service.client.post(url, headers=user)
    assert (answer.status_code, answer.json()["report_state"]) == (202, "pending")
    await read_reports(service)
    assert await functions(service, user, dump_id) == NAMES
    reading = {"Authorization": f"Bearer {await make_key(service, user, 'dumps:read')}"}
    assert (await service.client.post(url, headers=reading)).status_code == 403
    files = {"file": ("a.txt", b"no minidump")}
    made = (await service.client.post("/v1/dumps", files=files, headers=user)).json()
    refused = await service.client.post(f"/v1/dumps/{made['id']}/reprocess", headers=user)
    assert refused.status_code == 422
    _, other = await service.sign_up()
    assert (await service.client.post(url, headers=other)).status_code == 404


async def test_what_is_missing_is_told_the_most_wanted_first(
    service: Service, user: Headers, key: str
) -> None:
    elf = Module("/usr/lib/libx.so", 0x400000, 0x1000, record=build_id(bytes(range(1, 21))))
    for dump in (DUMP, DUMP, Minidump(modules=[elf]).write()):
        await send(service, key, dump)
    await read_reports(service)
    assert await missing(service, user) == [
        {"debug_file": "app", "debug_id": DEBUG_ID, "code_id": None, "dumps": 2},
        {"debug_file": "libx.so", "debug_id": "0403020106050807090A0B0C0D0E0F100",
         "code_id": bytes(range(1, 21)).hex(), "dumps": 1},
    ]  # fmt: skip
    await add_symbols(service, user)
    assert [item["debug_file"] for item in await missing(service, user)] == ["libx.so"]


async def test_symbols_live_on_while_reports_use_them(
    service: Service, user: Headers, key: str
) -> None:
    await add_symbols(service, user)

    def age(connection: Connection) -> None:
        connection.execute(update(symbol_files).values(used_at=0, expires_at=clock.now() + 1000000))

    await service.runtime.parts.database.write(age)
    await send(service, key)
    await read_reports(service)
    (item,) = (await service.client.get("/v1/symbols", headers=user)).json()["items"]
    assert item["used_at"] > "2026"

    def expires(connection: Connection) -> int:
        return int(connection.execute(select(symbol_files.c.expires_at)).scalar_one())

    days = (await service.runtime.parts.database.read(expires) - clock.now()) / MINUTE / 60 / 24
    assert 29 < days <= 30


async def test_a_deleted_dump_leaves_none_of_its_modules(
    service: Service, user: Headers, key: str
) -> None:
    dump_id = await send(service, key)
    await read_reports(service)
    deleted = await service.client.delete(f"/v1/dumps/{dump_id}", headers=user)
    assert deleted.status_code == 200

    def count(connection: Connection) -> int:
        rows = select(func.count()).select_from(dump_modules)
        return int(connection.execute(rows).scalar_one())

    assert await service.runtime.parts.database.read(count) == 0


def lose(connection: Connection, object_id: int) -> None:
    """Point an object to bytes that aren't there."""
    own = objects.c.id == object_id
    key = str(connection.execute(select(objects.c.key).where(own)).scalar_one())
    wrong = key[:-1] + ("0" if key[-1] != "0" else "1")
    connection.execute(update(objects).where(own).values(key=wrong))


async def test_a_lost_cache_costs_no_report(service: Service, user: Headers, key: str) -> None:
    await add_symbols(service, user, breakpad(lines="FUNC 900 10 0 never_seen_before()\n"))

    def lose_cache(connection: Connection) -> None:
        lose(connection, connection.execute(select(symbols.c.object_id)).scalar_one())

    await service.runtime.parts.database.write(lose_cache)
    dump_id = await send(service, key)
    await read_reports(service)
    dump = await get(service, user, dump_id)
    assert await functions(service, user, dump_id) == [None, None]
    assert [text.partition(":")[0] for text in dump["report"]["left_out"]] == ["symbols"]


async def test_reading_again_without_success_keeps_the_report(
    service: Service, user: Headers, key: str
) -> None:
    dump_id = await send(service, key)
    await read_reports(service)

    def lose_dump(connection: Connection) -> None:
        lose(connection, connection.execute(select(dumps.c.object_id)).scalar_one())
        connection.execute(update(dumps).values(reread_at=0))

    await service.runtime.parts.database.write(lose_dump)
    await read_reports(service)
    assert await functions(service, user, dump_id) == [None, None]
    assert await service.runtime.dumps.reports.next_due(clock.now()) is None
