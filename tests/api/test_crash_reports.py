"""What crash uploaders send beside the minidump: kept, whatever it is, and told by its label."""

import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app import clock
from app.dumps.crash_reports import MAX_ANNOTATIONS, MAX_SPILLED
from tests.api.conftest import Service
from tests.api.crash_forms import FILE, Part, form, get, make_key, many, post, submit
from tests.api.dump_books import Headers, account_of, read_all
from tests.api.shared import shared_fixtures, store_of
from tests.minidump_files import Minidump

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

MAX_DUMP_BYTES = 4 * 1024 * 1024
MINIDUMP = Minidump().write()
DUMP: Part = (FILE, "a.dmp", MINIDUMP)


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


async def attached(
    service: Service, user: Headers, dump: dict[str, Any]
) -> dict[str, tuple[str, bytes]]:
    """Return the attachments of a dump by their names: fields and bytes."""
    found = {}
    for attachment in dump["attachments"]:
        url = f"/v1/dumps/{dump['id']}/attachments/{attachment['id']}/content"
        content = await service.client.get(url, headers=user)
        assert content.status_code == 200, content.text
        assert content.headers["etag"] == f'"{attachment["sha256"]}"'
        found[attachment["name"]] = (attachment["field"], content.content)
    return found


def fields(**values: str | bytes) -> list[Part]:
    return [
        (name, None, value if isinstance(value, bytes) else value.encode())
        for name, value in values.items()
    ]


ELECTRON = {"prod": "Electron", "ver": "27.1.2", "_productName": "Acme", "_version": "3.2.1"}
GECKO = {"ProductName": "Firefox", "Version": "118.0"}
SENTRY = json.dumps({"release": "app@1.0", "tags": {"a": "b"}})


@pytest.mark.parametrize(
    ("annotations", "label"),
    [
        ({"prod": "A", "ver": "2"}, "A 2"), ({"product": "B", "prod": "A"}, "B"),
        ({"version": "3"}, "3"), ({"prod": "", "ver": ""}, None), ({}, None),
        ({"prod": "x\r\ny", "ver": "z" * 300}, ("x y " + "z" * 300)[:255]),
        (ELECTRON, "Acme 3.2.1"), (ELECTRON | {"_version": ""}, "Acme"),
        (GECKO, "Firefox 118.0"), (GECKO | {"prod": "A", "ver": "2"}, "A 2"),
        (GECKO | {"ver": "2"}, "Firefox 118.0"), ({"extra": json.dumps(GECKO)}, "Firefox 118.0"),
        ({"sentry[release]": "app@1"}, "app@1"), ({"sentry": SENTRY}, "app@1.0"),
        ({"sentry": SENTRY, "sentry[release]": "app@1"}, "app@1"),
        ({"sentry": SENTRY, "ver": "2"}, "app@1.0"), ({"sentry": SENTRY, "prod": "A"}, "A"),
        ({"sentry": "{"}, None), ({"sentry": '{"release": 1}'}, None), ({"sentry": "[]"}, None),
        ({"sentry": '{"release": "\\ud800"}'}, "\ufffd"),
    ],
)  # fmt: skip
async def test_product_and_version_make_the_label(
    service: Service, user: Headers, key: str, annotations: dict[str, str], label: str | None
) -> None:
    parts = fields(**annotations)
    for body in (form(*parts, DUMP), form(DUMP, *parts)):
        dump = await get(service, user, await submit(service, key, body))
        assert dump["label"] == label
        if "extra" not in annotations:
            assert dump["annotations"] == annotations


@pytest.mark.parametrize("filename", [None, "extra.json"])
async def test_the_members_of_geckos_json_are_annotations(
    service: Service, user: Headers, key: str, filename: str | None
) -> None:
    environment = json.dumps({"build": "x" * 200_000})
    members: dict[str, Any] = GECKO | {
        "UptimeTS": 1.5, "IsGarbageCollecting": True, "Addons": ["a", {"b": None}], "Empty": "",
        "Half": "a\ud800b", "TelemetryEnvironment": environment,
        "Large": {"log": "ü" * 70_000},
    }  # fmt: skip
    extra: Part = ("extra", filename, json.dumps(members).encode())
    dump = await get(service, user, await submit(service, key, form(extra, DUMP)))
    assert dump["annotations"] == GECKO | {
        "UptimeTS": "1.5", "IsGarbageCollecting": "true", "Addons": '["a", {"b": null}]',
        "Empty": "", "Half": "a\ufffdb",
    }  # fmt: skip
    large = json.dumps(members["Large"], ensure_ascii=False).encode()
    assert await attached(service, user, dump) == {
        "TelemetryEnvironment": ("TelemetryEnvironment", environment.encode()),
        "Large": ("Large", large),
    }
    assert [a["content_type"] for a in dump["attachments"]] == [
        "text/plain; charset=utf-8", "application/json"
    ]  # fmt: skip


@pytest.mark.parametrize("filename", [None, "extra.json"])
@pytest.mark.parametrize(
    "data",
    [b"{", b"[1]", b"caf\xe9", b"", b"[" * 60_000, b" " * 1_100_000],
    ids=["cut off", "a list", "no text", "empty", "deep", "too large"],
)
async def test_an_extra_that_is_no_object_is_kept_as_it_is(
    service: Service, user: Headers, key: str, filename: str | None, data: bytes
) -> None:
    dump = await get(
        service, user, await submit(service, key, form(("extra", filename, data), DUMP))
    )
    if filename is None and len(data) <= 65_536:
        assert dump["annotations"] == {"extra": data.decode("utf-8", "replace")}
        assert dump["attachments"] == []
    else:
        assert dump["annotations"] == {}
        kept = await attached(service, user, dump)
        assert kept == {filename or "extra": ("extra", data)}


@pytest.mark.parametrize("size", [65_536, 65_537, 70_000, 3_000_000])
async def test_an_annotation_that_is_too_large_is_an_attachment(
    service: Service, user: Headers, key: str, size: int
) -> None:
    log = bytes(range(32, 127)) * (size // 95) + b"x" * (size % 95)
    parts: list[Part] = [("a/b\nlog", None, log), ("prod", None, b"A")]
    dump = await get(service, user, await submit(service, key, form(*parts, DUMP)))
    kept = await attached(service, user, dump)
    assert dump["label"] == "A"
    if size <= 65_536:
        assert (dump["annotations"]["a/b\nlog"], kept) == (log.decode(), {})
    else:
        assert (dump["annotations"], kept) == ({"prod": "A"}, {"b_log": ("a/b\nlog", log)})


async def test_an_event_of_sentrys_that_is_too_large_still_names_the_release(
    service: Service, user: Headers, key: str
) -> None:
    event = json.dumps({"breadcrumbs": "x" * 100_000, "release": "app@1.0"}).encode()
    parts = fields(sentry=event)
    dump = await get(service, user, await submit(service, key, form(*parts, DUMP)))
    assert (dump["label"], dump["annotations"]) == ("app@1.0", {})
    assert await attached(service, user, dump) == {"sentry": ("sentry", event)}


async def test_annotations_that_are_too_many_are_attachments(
    service: Service, user: Headers, key: str
) -> None:
    parts = [(f"a{number}", None, b"%d" % number) for number in range(600)]
    for body in (form(*parts, DUMP), form(DUMP, *parts)):
        dump = await get(service, user, await submit(service, key, body))
        assert dump["annotations"] == {f"a{n}": str(n) for n in range(MAX_ANNOTATIONS)}
        expected = {f"a{n}": (f"a{n}", b"%d" % n) for n in range(MAX_ANNOTATIONS, 600)}
        assert await attached(service, user, dump) == expected
        assert dump["description"] == ""


async def test_texts_that_are_too_large_together_are_attachments(
    service: Service, user: Headers, key: str
) -> None:
    parts = [(f"a{number:02}", None, b"x" * 60_000) for number in range(20)]
    dump = await get(service, user, await submit(service, key, form(*parts, DUMP)))
    kept = await attached(service, user, dump)
    assert sorted([*dump["annotations"], *kept]) == [name for name, *_ in parts]
    assert len(kept) == 3


async def test_of_far_too_many_the_rest_is_counted(
    service: Service, user: Headers, key: str
) -> None:
    large: list[Part] = [("large", None, bytes(100_000))] * 3
    parts = [*many(10_000, None, b"x"), *large, DUMP]
    dump = await get(service, user, await submit(service, key, form(*parts)))
    assert len(dump["annotations"]) == MAX_ANNOTATIONS
    assert len(dump["attachments"]) == MAX_SPILLED
    left_out = 10_003 - MAX_ANNOTATIONS - MAX_SPILLED
    assert dump["description"] == f"{left_out} annotations more came than a report keeps."


async def test_a_file_too_many_is_refused_and_annotations_leave_room_for_all(
    service: Service, user: Headers, key: str
) -> None:
    parts = [*many(600, None, b"x"), *many(32, "f", b"x"), DUMP]
    dump = await get(service, user, await submit(service, key, form(*parts)))
    assert len(dump["attachments"]) == 88 + 32
    assert (await post(service, key, form(*many(33, "f"), DUMP))).status_code == 413


async def test_attachments_of_both_kinds_go_with_the_dump(
    service: Service, user: Headers, key: str
) -> None:
    parts = [*many(600, None, b"x"), ("log", None, bytes(70_000)), ("f", "f", b"x"), DUMP]
    dump_id = await submit(service, key, form(*parts))
    assert (await service.client.delete(f"/v1/dumps/{dump_id}", headers=user)).status_code == 200
    me = (await service.client.get("/v1/accounts/me", headers=user)).json()
    assert (me["usage"]["objects"], me["usage"]["bytes"]) == (0, 0)


@pytest.mark.parametrize("name", ["a.dmp.gz", "a.dmp", ""])
@pytest.mark.parametrize("size", [1, 7, 100_000])
async def test_a_gzipped_minidump_is_inflated_and_read(
    service: Service, user: Headers, key: str, name: str, size: int
) -> None:
    body = form(*fields(prod="A"), (FILE, name, gzip.compress(MINIDUMP)))
    answer = await post(service, key, body, size)
    assert answer.status_code == 200, answer.text
    while await service.runtime.dumps.reports.run_once(clock.now()):
        pass
    dump = await get(service, user, answer.text)
    assert dump["original_name"] == (name.removesuffix(".gz") or "minidump.dmp")
    assert (dump["size"], dump["signature"]) == (len(MINIDUMP), "SIGSEGV app+0x123")
    content = await service.client.get(f"/v1/dumps/{answer.text}/content", headers=user)
    assert content.content == MINIDUMP
    assert "content-encoding" not in content.headers


async def test_a_gzipped_minidump_has_the_bounds_of_a_plain_one(
    service: Service, user: Headers, key: str
) -> None:
    def sent(size: int) -> bytes:
        return form((FILE, "a.gz", gzip.compress(bytes(size), compresslevel=1)))

    assert (await post(service, key, sent(MAX_DUMP_BYTES))).status_code == 200
    for size in (MAX_DUMP_BYTES + 1, 30 * MAX_DUMP_BYTES):
        assert (await post(service, key, sent(size))).status_code == 413
    whole = gzip.compress(MINIDUMP)
    for broken in (whole[:-1], whole[:20], whole[:2], whole + b"x"):
        assert (await post(service, key, form((FILE, "a.gz", broken)))).status_code == 400
    assert len(await read_all(service, user)) == 1
    one = form((FILE, "a", b"\x1f"))
    assert await _size(service, user, await post(service, key, one)) == 1


async def _size(service: Service, user: Headers, answer: httpx.Response) -> int:
    return int((await get(service, user, answer.text))["size"])
