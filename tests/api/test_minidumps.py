"""The Crashpad and Breakpad protocol over HTTP, its hostile bodies, and the reading afterwards."""

import asyncio
import gzip
import json
import os
import random
import shutil
import struct
import sys
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar, TypeVarTuple

import httpx
import pytest
from sqlalchemy import Connection, select, update

from app import clock
from app.dumps.reports.reader import CHILD_MODULES, DumpReader
from app.dumps.reports.task import CLAIM, Reports
from app.dumps.rules.task import Naming
from app.dumps.tables import dumps
from app.objects.tables import objects
from app.processes.pool import ChildFailed, ChildPool
from app.symbols.cached_files import CachedFiles
from tests.api import raw
from tests.api.conftest import Service
from tests.api.crash_forms import (
    BOUNDARY,
    FILE,
    URL,
    Part,
    form,
    get,
    make_key,
    many,
    post,
    submit,
)
from tests.api.dump_books import Headers, account_of, read_all
from tests.api.shared import shared_fixtures, store_of, wipe
from tests.minidump_files import LIBC, Minidump, Module, Thread

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

MAX_DUMP_BYTES = 2 * 1024 * 1024
T = TypeVar("T")
Ts = TypeVarTuple("Ts")


settings, service = shared_fixtures(max_dump_bytes=MAX_DUMP_BYTES)


@pytest.fixture
async def user(service: Service) -> AsyncIterator[Headers]:
    """Headers of a new account, whose charges are checked after the test."""
    async with account_of(service) as headers:
        yield headers
        store_of(service).heal()


@pytest.fixture
async def key(service: Service, user: Headers) -> str:
    """A key that permits submitting alone."""
    return await make_key(service, user, "dumps:submit")


@pytest.fixture
async def _no_other_dump(service: Service) -> None:
    """Forget what other tests have left to be read, for those that count what is."""
    await wipe(service)


def problem(answer: httpx.Response, *statuses: int) -> dict[str, Any]:
    assert answer.status_code in statuses, (answer.status_code, answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    return body


async def read_reports(service: Service) -> None:
    while await service.runtime.dumps.reports.run_once(clock.now()):
        pass


REPORT: list[Part] = [
    ("guid", None, b"5e7a"),
    ("product", None, b"Acme"),
    ("version", None, b"1.4.2"),
    ("notes", None, "ünïcode\r\nand lines".encode()),
    ("attachment_log.txt", "log.txt", b"it said"),
    ("screen", "C:\\shots\\1.png", os.urandom(50_000)),
    (FILE, "8f2c.dmp", Minidump().write()),
]


@pytest.mark.ordinary
@pytest.mark.parametrize("encoding", ["identity", "gzip", "x-gzip", "GZIP", "gzip, identity"])
async def test_a_report_is_kept_with_all_it_brings(
    service: Service, user: Headers, key: str, encoding: str
) -> None:
    body = form(*REPORT)
    sent = body if encoding == "identity" else gzip.compress(body)
    dump_id = await submit(service, key, sent, Content_Encoding=encoding)

    dump = await get(service, user, dump_id)

    assert dump | {
        "id": dump_id, "original_name": "8f2c.dmp", "label": "Acme 1.4.2", "expires_at": None,
        "annotations": {n: v.decode() for n, filename, v in REPORT if filename is None},
        "report_state": "pending", "report": None, "size": len(REPORT[-1][2]),
    } == dump  # fmt: skip
    assert [(a["field"], a["name"], a["size"]) for a in dump["attachments"]] == [
        ("attachment_log.txt", "log.txt", 7), ("screen", "1.png", 50_000),
    ]  # fmt: skip
    listed = await service.client.get(f"/v1/dumps/{dump_id}/attachments", headers=user)
    assert listed.json() == {"items": dump["attachments"], "next_cursor": None}
    for attachment, (_, _, data) in zip(dump["attachments"], REPORT[4:6], strict=True):
        url = f"/v1/dumps/{dump_id}/attachments/{attachment['id']}/content"
        content = await service.client.get(url, headers=user)
        assert content.content == data
        assert content.headers["etag"] == f'"{attachment["sha256"]}"'
        head = await service.client.head(url, headers=user)
        assert head.headers["content-length"] == str(len(data))
    content = await service.client.get(f"/v1/dumps/{dump_id}/content", headers=user)
    assert content.content == REPORT[-1][2]
    (found,) = await read_all(service, user, "q=%C3%9CN%C3%8FCODE")
    assert found["id"] == dump_id
    gone = await service.client.delete(f"/v1/dumps/{dump_id}", headers=user)
    assert gone.status_code == 200
    url = f"/v1/dumps/{dump_id}/attachments/{dump['attachments'][0]['id']}/content"
    problem(await service.client.get(url, headers=user), 404)


async def test_odd_texts_lose_no_report(service: Service, user: Headers, key: str) -> None:
    parts: list[Part] = [
        ("half", None, b"caf\xc3"), ("nul", None, b"a\0b"), ("", None, b"nameless"),
        ("twice", None, b"first"), ("twice", None, b"second"), ("empty", None, b""),
        ("log", "\x01../..", b""), (FILE, "/tmp/a/", b"dump"), ("late", None, b"too"),
    ]  # fmt: skip
    dump = await get(service, user, await submit(service, key, form(*parts)))
    assert dump["annotations"] == {
        "half": "caf\ufffd", "nul": "a\0b", "": "nameless", "twice": "second", "empty": "",
        "late": "too",
    }  # fmt: skip
    assert dump["original_name"] == "minidump.dmp"
    assert [a["name"] for a in dump["attachments"]] == ["attachment"]
    assert len(await read_all(service, user, "q=a%20b")) == 0


async def test_only_keys_ride_in_the_url(service: Service, user: Headers, key: str) -> None:
    body = form((FILE, "a", b"x"))
    token = user["Authorization"].removeprefix("Bearer ")
    secret = service.settings.secret_key
    assert secret is not None
    other = await make_key(service, user, "dumps:read", "files:write")
    write = await make_key(service, user, "dumps:write")
    for bad in (token, secret.get_secret_value(), "hk_x", "", key[:-1], "a" * 5000):
        problem(await post(service, bad, body), 401)
    problem(await post(service, None, body), 401)
    problem(await post(service, other, body), 403)
    problem(await post(service, key, body, Authorization="Bearer x"), 401)
    await submit(service, write, body)
    for bearer in (token, key, write):
        answer = await post(service, None, body, Authorization=f"Bearer {bearer}")
        assert answer.status_code == 200
    assert len(await read_all(service, user)) == 4
    keys = (await service.client.get("/v1/accounts/me/keys", headers=user)).json()["items"]
    for made in keys:
        await service.client.delete(f"/v1/accounts/me/keys/{made['id']}", headers=user)
    problem(await post(service, key, body), 401)


async def test_a_key_for_submitting_opens_nothing_else(
    service: Service, user: Headers, key: str
) -> None:
    dump_id = await submit(service, key, form((FILE, "a", b"x")))
    headers = {"Authorization": f"Bearer {key}"}
    for path in ("/v1/dumps", f"/v1/dumps/{dump_id}", f"/v1/dumps/{dump_id}/content"):
        problem(await service.client.get(path, headers=headers), 403)
        problem(await service.client.get(f"{path}?key={key}"), 401)


@pytest.mark.ordinary
async def test_a_stranger_is_not_read(service: Service, user: Headers, key: str) -> None:
    (made,) = (await service.client.get("/v1/accounts/me/keys", headers=user)).json()["items"]
    await service.client.delete(f"/v1/accounts/me/keys/{made['id']}", headers=user)
    kind = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    for gone in (key, "hk_00000000000000000000000000000000000000"):
        query = f"key={gone}".encode()
        answer = await raw.request(service, "POST", URL, kind, [], query=query)
        assert (answer.status, answer.receives) == (401, 0)


@pytest.mark.slow("scaled")
async def test_what_inflates_beyond_the_bound_is_refused(
    service: Service, user: Headers, key: str
) -> None:
    fits = MAX_DUMP_BYTES - len(form((FILE, "a", b"")))
    bomb = gzip.compress(form((FILE, "a", bytes(10 * MAX_DUMP_BYTES))), compresslevel=1)
    assert len(bomb) < MAX_DUMP_BYTES
    problem(await post(service, key, bomb, Content_Encoding="gzip"), 413)
    over = gzip.compress(form((FILE, "a", bytes(fits + 1))))
    problem(await post(service, key, over, Content_Encoding="gzip"), 413)
    problem(await post(service, key, form((FILE, "a", bytes(fits + 1)))), 413)
    length = str(MAX_DUMP_BYTES + 1)
    problem(await post(service, key, b"", Content_Length=length), 413)
    assert await read_all(service, user) == []
    zeros = gzip.compress(form((FILE, "a", bytes(fits))))
    assert len(zeros) * 200 < fits  # the ratio is nobody's business
    await submit(service, key, zeros, Content_Encoding="gzip")


def broken(body: bytes) -> list[bytes]:
    """Return gzip bodies that are no whole ones."""
    whole = gzip.compress(body)
    wrong = bytearray(whole)
    wrong[-6] ^= 0xFF  # of the checksum
    middle = bytearray(whole)
    middle[len(whole) // 2] ^= 0xFF
    return [
        b"", b"\x1f\x8b", whole[:10], whole[:-1], whole[:-8], bytes(wrong), bytes(middle), body,
        whole + b"garbage", whole + whole[:-4], zlib.compress(body), gzip.compress(b"") * 100,
    ]  # fmt: skip


async def test_broken_gzip_stores_nothing(service: Service, user: Headers, key: str) -> None:
    # what a report holds is random, so that it does not shrink to nothing
    body = form(("a", None, b"b"), (FILE, "a.dmp", os.urandom(200_000)))
    for sent in broken(body):
        answer = await post(service, key, sent, Content_Encoding="gzip")
        problem(answer, 400, 422)
    for encoding in ("deflate", "br", "gzip, gzip", "x"):
        problem(await post(service, key, body, Content_Encoding=encoding), 415)
    assert await read_all(service, user) == []


async def test_gzip_may_have_members_and_padding(service: Service, user: Headers, key: str) -> None:
    body = form(("a", None, b"b"), (FILE, "a.dmp", b"0123456789"))
    members = b"".join(gzip.compress(body[n : n + 100]) for n in range(0, len(body), 100))
    for sent in (members, members + bytes(1000)):
        for size in (1, 7, 100_000):
            answer = await post(service, key, sent, size, Content_Encoding="gzip")
            assert answer.status_code == 200, answer.text
    assert {dump["size"] for dump in await read_all(service, user)} == {10}


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_a_body_that_ends_anywhere_stores_nothing(
    service: Service, user: Headers, key: str, encoding: str
) -> None:
    body = form(*REPORT[:5], (FILE, "a.dmp", Minidump().write()))
    sent = gzip.compress(body) if encoding == "gzip" else body
    ends = sorted(random.Random(3).sample(range(len(sent) - 5), 40))
    for end in ends:
        answer = await post(service, key, sent[:end], Content_Encoding=encoding)
        problem(answer, 400, 422)
    assert await read_all(service, user) == []


async def test_a_client_that_goes_away_stores_nothing(
    service: Service, user: Headers, key: str
) -> None:
    body = form(*REPORT)
    kind = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    for end in range(0, len(body), 5000):
        messages = [raw.part(body[:end]), raw.DISCONNECT]
        answer = await raw.request(
            service, "POST", URL, kind, messages, query=f"key={key}".encode()
        )
        assert answer.status is None
    assert await read_all(service, user) == []


DUMP: Part = (FILE, "a", b"x")
HOSTILE: list[tuple[str, list[Part], int]] = [
    ("no minidump", [("a", None, b"b"), ("log", "log", b"c")], 422),
    ("a minidump that is no file is one", [(FILE, None, b"x")], 200),
    ("two minidumps", [DUMP, DUMP], 422),
    ("20,000 fields", [*many(20_000, None, b"x"), DUMP], 413),
    ("20,000 times one field", [("f", None, b"x")] * 20_000, 413),
    ("513 fields", [*many(513, None), DUMP], 200),
    ("512 fields and 32 attachments", [*many(512, None), *many(32, "f", b"x"), DUMP], 200),
    ("33 attachments", [*many(33, "f"), DUMP], 413),
    ("a huge field", [("f", None, bytes(65_537)), DUMP], 200),
    ("many large fields", [*many(18, None, bytes(60_000)), DUMP], 200),
]


@pytest.mark.slow("scaled")
@pytest.mark.parametrize(("name", "parts", "status"), HOSTILE, ids=[name for name, *_ in HOSTILE])
async def test_hostile_forms(
    service: Service, user: Headers, key: str, name: str, parts: list[Part], status: int
) -> None:
    answer = await post(service, key, form(*parts), 60_000)
    assert answer.status_code == status, answer.text
    assert len(await read_all(service, user)) == (status == 200)


async def test_what_is_no_form_is_refused(service: Service, user: Headers, key: str) -> None:
    body = form((FILE, "a", b"x"))
    multipart = f"multipart/form-data; boundary={BOUNDARY}"
    for sent, kind in [
        (body, "multipart/form-data"), (body, "multipart/form-data; boundary="),
        (body, "application/octet-stream"), (body, ""), (body, f"{multipart}x"),
        (bytes(200_000), multipart), (b"", multipart), (b"--", multipart),
        (body, "multipart/form-data; boundary=\xff"), (json.dumps({}).encode(), "application/json"),
        (f"--{BOUNDARY}\r\n".encode() + b"x" * 100_000, multipart),
        (f"--{BOUNDARY}\r\n".encode() + b"X-A: b\r\n" * 100, multipart),
    ]:  # fmt: skip
        answer = await service.client.post(
            URL, params={"key": key}, content=sent,
            headers=[(b"content-type", kind.encode("latin-1"))],
        )  # fmt: skip
        problem(answer, 422)
    assert await read_all(service, user) == []


async def test_what_does_not_begin_as_a_form_is_not_read_to_its_end(
    service: Service, key: str
) -> None:
    kind = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    messages = [raw.part(b"x" * 10_000)] * 100
    answer = await raw.request(service, "POST", URL, kind, messages, query=f"key={key}".encode())
    assert (answer.status, answer.receives) == (422, 7)


async def test_quota_counts_dump_and_attachments(service: Service, user: Headers, key: str) -> None:
    for _ in range(3):
        await submit(service, key, form(*REPORT))
    me = (await service.client.get("/v1/accounts/me", headers=user)).json()
    size = sum(len(data) for _, filename, data in REPORT if filename is not None)
    assert (me["usage"]["objects"], me["usage"]["bytes"]) == (9, 3 * size)


async def test_a_store_that_fails_is_a_failure_and_leaves_nothing(
    service: Service, user: Headers, key: str
) -> None:
    store_of(service).fail("put")
    problem(await post(service, key, form(*REPORT)), 503)
    assert await read_all(service, user) == []


@pytest.mark.ordinary
async def test_many_at_once(service: Service, user: Headers, key: str) -> None:
    body = gzip.compress(form(*REPORT[:4], (FILE, "a.dmp", os.urandom(200_000))))
    ids = await asyncio.gather(
        *(submit(service, key, body, Content_Encoding="gzip") for _ in range(16))
    )
    assert {dump["id"] for dump in await read_all(service, user)} == set(ids)


@pytest.mark.ordinary
async def test_a_minidump_is_read_after_the_answer(
    service: Service, user: Headers, key: str
) -> None:
    good = await submit(service, key, form((FILE, "a.dmp", Minidump().write())))
    bad = await submit(service, key, form((FILE, "b.dmp", b"MDMP and nothing more")))
    worse = await submit(service, key, form((FILE, "c.dmp", b"")))
    assert service.runtime.dumps.reports.woken.is_set()
    assert await service.runtime.dumps.reports.next_due(clock.now()) == 0
    await read_reports(service)

    dump = await get(service, user, good)
    assert (dump["report_state"], dump["report_error"]) == ("read", None)
    assert dump["report"]["crashing_module"] == {
        "name": "app", "offset": "0x123", "is_caller": False
    }  # fmt: skip
    assert (dump["platform"], dump["architecture"]) == ("linux", "x86_64")
    assert (dump["exception"], dump["module"]) == ("SIGSEGV", "app")
    assert dump["signature"] == "SIGSEGV app+0x123"
    for dump_id, why in ((bad, "header: cut off"), (worse, "header: cut off")):
        dump = await get(service, user, dump_id)
        assert (dump["report_state"], dump["report"], dump["signature"]) == ("failed", None, None)
        assert why in dump["report_error"]
        content = await service.client.get(f"/v1/dumps/{dump_id}/content", headers=user)
        assert content.status_code == 200


async def test_a_report_is_text_as_well(service: Service, user: Headers, key: str) -> None:
    stack = struct.pack("<5Q", 7, 0x400200, 7, LIBC.base + 0x11, 7)
    worker = Thread(5, 0x400400, 0x7FFE8000, b"", name="worker")
    minidump = Minidump(
        stack=stack, others=[worker], threads=2, written_at=90, started_at=60,
        unloaded=[Module("gone.so", 0x500000, 0x1000)],
    )  # fmt: skip
    dump_id = await submit(service, key, form((FILE, "a.dmp", minidump.write())))
    url = f"/v1/dumps/{dump_id}/report"
    problem(await service.client.get(url, headers=user), 404)
    await read_reports(service)
    answer = await service.client.get(url, headers=user)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    lines = answer.text.splitlines()
    registers = [line for line in lines if " = 0x" in line]
    assert registers[-1] == "     r15 = 0x0   rip = 0x400123"
    assert [line for line in lines if line not in registers] == [
        "Operating system: linux",
        "                  6.1.0 Linux 6.1.0 x86_64",
        "CPU: x86_64",
        "",
        "Crash reason:  SIGSEGV / SEGV_MAPERR",
        "Crash address: 0xdead",
        "Process uptime: 30 seconds",
        "",
        "Thread 0 (crashed) - tid: 77",
        " 0  app + 0x123",
        "    Found by: given as instruction pointer in context",
        " 1  app + 0x1ff",
        "    Found by: stack scanning",
        " 2  libc.so.6 + 0x10",
        "    Found by: stack scanning",
        "",
        "Thread 1 - tid: 5 worker",
        " 0  app + 0x400",
        "    Found by: given as instruction pointer in context",
        "",
        "Loaded modules:",
        "0x00400000 - 0x00400fff  app  1.2.3.4",
        "0x7f0000000000 - 0x7f00001fffff  libc.so.6  ???",
        "",
        "Unloaded modules:",
        "0x00500000 - 0x00500fff  gone.so",
    ]


@pytest.mark.ordinary
async def test_reports_of_earlier_releases_have_all_fields(
    service: Service, user: Headers, key: str
) -> None:
    dump_id = await submit(service, key, form((FILE, "a.dmp", Minidump().write())))
    await read_reports(service)

    def make_older(connection: Connection) -> None:
        own = dumps.c.uuid == dump_id
        found = connection.execute(select(dumps.c.report).where(own)).scalar_one()
        report = {
            name: value
            for name, value in json.loads(found).items()
            if name in {"platform", "architecture", "os_version", "exception", "crashing_module"}
        }
        report["threads"] = {"count": 3, "crashing": 77}
        report["modules"] = [{"name": "app", "version": None, "base": "0x0", "size": 1}]
        connection.execute(update(dumps).where(own).values(report=json.dumps(report)))

    await service.runtime.parts.database.write(make_older)
    report = (await get(service, user, dump_id))["report"]
    assert report["thread_count"] == 3
    assert report["threads"] == [{"id": 77, "name": None, "is_crashed": True, "frames": []}]
    assert report["modules"][0]["debug_id"] is None
    text = await service.client.get(f"/v1/dumps/{dump_id}/report", headers=user)
    assert "    its stack is not known" in text.text.splitlines()


def reports_with(service: Service, children: ChildPool) -> Reports:
    database, downloads = service.runtime.parts.database, service.runtime.downloads
    folder = service.settings.data_dir / "symbols"
    cached = CachedFiles(downloads, service.runtime.parts.scratch, folder, max_bytes=2**20)
    reader = DumpReader(database, downloads, cached, children)
    names = Naming(database, children)
    return Reports(database, reader, names, kept_for=None, wake_sweep=lambda: None)


class FailingPool(ChildPool):
    """A pool whose children fail as they are told to."""

    def __init__(self, error: Exception) -> None:
        super().__init__(workers=1, memory=2**28, seconds=1.0, name="failing", modules=[])
        self.error = error

    async def run(self, _fn: Callable[[*Ts], T], /, *_args: *Ts) -> T:
        raise self.error


class MeddlingPool(ChildPool):
    """A pool that does something else before its work."""

    def __init__(self, meddle: Callable[[], Awaitable[None]]) -> None:
        super().__init__(
            workers=1, memory=2**29, seconds=20.0, name="meddling", modules=CHILD_MODULES
        )
        self.meddle = meddle

    async def run(self, fn: Callable[[*Ts], T], /, *args: *Ts) -> T:
        await self.meddle()
        return await super().run(fn, *args)


@pytest.mark.usefixtures("_no_other_dump")
@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ChildFailed("took too much memory"), "took too much memory"),
        (RuntimeError("a secret of ours"), "reading it failed: RuntimeError"),
    ],
)
async def test_a_child_that_dies_keeps_no_other_from_being_read(
    service: Service, user: Headers, key: str, error: Exception, said: str
) -> None:
    dump_id = await submit(service, key, form((FILE, "a.dmp", Minidump().write())))
    assert await reports_with(service, FailingPool(error)).run_once(clock.now()) == 1
    dump = await get(service, user, dump_id)
    assert (dump["report_state"], dump["report_error"]) == ("failed", said)
    assert await service.runtime.dumps.reports.next_due(clock.now()) is None


@pytest.mark.usefixtures("_no_other_dump")
@pytest.mark.parametrize("how", ["none can be run", "none gets ready", "they are stopping"])
async def test_a_dump_waits_for_a_child_to_be_had(
    service: Service, user: Headers, key: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    dump_id = await submit(service, key, form((FILE, "a.dmp", Minidump().write())))
    now = clock.now()
    pool = ChildPool(workers=1, memory=2**28, seconds=60, name="without", modules=CHILD_MODULES)
    if how == "they are stopping":
        await pool.aclose()
    program = shutil.which("false") if how == "none gets ready" else "/no/such/program"
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", program)
        with pytest.raises(ExceptionGroup):
            await reports_with(service, pool).run_once(now)
    await pool.aclose()
    assert (await get(service, user, dump_id))["report_state"] == "pending"
    assert await service.runtime.dumps.reports.run_once(now + CLAIM - 1) == 0
    assert await service.runtime.dumps.reports.next_due(now) == now + CLAIM
    assert await service.runtime.dumps.reports.run_once(now + CLAIM) == 1
    assert (await get(service, user, dump_id))["report_state"] == "read"


@pytest.mark.ordinary
@pytest.mark.usefixtures("_no_other_dump")
async def test_several_processes_read_each_dump_once(
    service: Service, user: Headers, key: str
) -> None:
    for _ in range(20):
        await submit(service, key, form((FILE, "a.dmp", Minidump().write())))
    now = clock.now()
    counts = await asyncio.gather(*(service.runtime.dumps.reports.run_once(now) for _ in range(4)))
    assert sum(counts) == 20
    assert {dump["report_state"] for dump in await read_all(service, user)} == {"read"}


@pytest.mark.ordinary
@pytest.mark.usefixtures("_no_other_dump")
async def test_a_dump_replaced_or_deleted_meanwhile_is_left_alone(
    service: Service, user: Headers, key: str
) -> None:
    ids = [await submit(service, key, form((FILE, "a.dmp", Minidump().write()))) for _ in range(2)]

    async def meddle() -> None:
        files = {"file": ("b.dmp", Minidump(code=6).write())}
        await service.client.put(f"/v1/dumps/{ids[0]}", files=files, headers=user)
        await service.client.delete(f"/v1/dumps/{ids[1]}", headers=user)

    pool = MeddlingPool(meddle)
    await reports_with(service, pool).run_once(clock.now())
    await pool.aclose()
    assert (await get(service, user, ids[0]))["report_state"] == "pending"
    await read_reports(service)
    assert (await get(service, user, ids[0]))["exception"] == "SIGABRT"


@pytest.mark.ordinary
async def test_bytes_that_are_lost_are_no_reason_to_go_on_trying(
    service: Service, user: Headers, key: str
) -> None:
    dump_id = await submit(service, key, form((FILE, "a.dmp", Minidump().write())))

    def point_elsewhere(connection: Connection) -> str:
        own = select(dumps.c.object_id).where(dumps.c.uuid == dump_id).scalar_subquery()
        found = select(objects.c.key).where(objects.c.id == own)
        key = str(connection.execute(found).scalar_one())
        move(connection, key[:-1] + ("0" if key[-1] != "0" else "1"))
        return key

    def move(connection: Connection, to: str) -> None:
        own = select(dumps.c.object_id).where(dumps.c.uuid == dump_id).scalar_subquery()
        connection.execute(update(objects).where(objects.c.id == own).values(key=to))

    kept = await service.runtime.parts.database.write(point_elsewhere)
    await service.runtime.dumps.reports.run_once(clock.now())
    dump = await get(service, user, dump_id)
    assert dump["report_state"] == "failed"
    assert "missing" in dump["report_error"]
    await service.runtime.parts.database.write(move, kept)
