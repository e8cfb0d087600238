"""Bytes out: whole or in part, under conditions, named, and never handled as what they are not."""

import asyncio
import base64
import hashlib
import re
from array import array
from collections.abc import AsyncIterator
from email.utils import parsedate_to_datetime
from urllib.parse import quote, unquote

import httpx
import pytest

from app import clock, metrics
from tests.api import raw
from tests.api.books import stored_keys
from tests.api.conftest import Service
from tests.api.shared import audited, shared_fixtures, store_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

SMALL = bytes(range(10))
LARGE = array("I", range(1_200_000)).tobytes()  # more than the stores read at once


settings, service = shared_fixtures()


@pytest.fixture(autouse=True)
async def _the_books_agree(service: Service) -> AsyncIterator[None]:
    async with audited(service):
        yield


def url_of(blob_id: str) -> str:
    return f"/v1/blobs/{quote(blob_id, safe='')}/content"


async def put(
    service: Service, data: bytes, blob_id: str = "a", content_type: str = "image/png"
) -> httpx.Response:
    headers = service.service_token | {"Content-Type": content_type}
    answer = await service.client.put(url_of(blob_id), content=data, headers=headers)
    assert answer.is_success, answer.text
    return answer


async def get(
    service: Service, blob_id: str = "a", method: str = "GET", query: str = "", **headers: str
) -> httpx.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await service.client.request(
        method, url_of(blob_id) + query, headers=service.service_token | sent
    )


@pytest.mark.parametrize("data", [b"", SMALL, LARGE], ids=["empty", "small", "large"])
async def test_headers_say_what_the_bytes_are(service: Service, data: bytes) -> None:
    stored = await put(service, data)
    answer = await get(service)
    assert (answer.status_code, answer.content) == (200, data)
    sha256 = hashlib.sha256(data)
    modified = parsedate_to_datetime(answer.headers["last-modified"])
    assert modified.isoformat()[:19] == stored.json()["modified_at"][:19]
    names = {"last-modified", "x-request-id"}
    assert {n: v for n, v in answer.headers.items() if n not in names} == {
        "content-length": str(len(data)),
        "content-type": "image/png",
        "etag": f'"{sha256.hexdigest()}"',
        "accept-ranges": "bytes",
        "repr-digest": f"sha-256=:{base64.b64encode(sha256.digest()).decode()}:",
        "content-disposition": 'attachment; filename="a"',
        "cache-control": "private, no-cache",
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox",
    }


@pytest.mark.parametrize("data", [b"", SMALL, LARGE], ids=["empty", "small", "large"])
async def test_head_is_get_without_the_bytes(service: Service, data: bytes) -> None:
    etag = (await put(service, data, content_type="text/plain")).headers["etag"]
    for query in ("", "?inline=1"):
        for headers in ({}, {"If_None_Match": etag}, {"If_Match": '"x"'}, {"If_Match": etag},
                        {"If_Modified_Since": "Thu, 01 Jan 2099 00:00:00 GMT"}):  # fmt: skip
            with_body = await get(service, query=query, **headers)
            head = await get(service, method="HEAD", query=query, **headers)
            assert head.status_code == with_body.status_code
            fresh = {"x-request-id"}
            assert {k: v for k, v in head.headers.items() if k not in fresh} == {
                k: v for k, v in with_body.headers.items() if k not in fresh
            }
    plain = await get(service, method="HEAD")
    ranged = await get(service, method="HEAD", Range="bytes=0-1")  # GET alone has ranges
    assert ranged.status_code == 200
    assert ranged.headers["content-length"] == plain.headers["content-length"]
    assert (await get(service, "none", method="HEAD")).status_code == 404


RANGES = [
    # what is asked of ten bytes, and what comes: first and last position, or a status
    ("bytes=0-0", (0, 0)), ("bytes=0-3", (0, 3)), ("bytes=4-", (4, 9)), ("bytes=-3", (7, 9)),
    ("bytes=-99", (0, 9)), ("bytes=9-99", (9, 9)), ("bytes=0-", (0, 9)), ("BYTES=1-2", (1, 2)),
    ("bytes=00000000000000000000000001-2", (1, 2)),
    ("bytes=10-", 416), ("bytes=10-20", 416), ("bytes=-0", 416),
    ("bytes=99999999999999999999-", 416), ("bytes=0-1,3-4", 200), ("bytes=5-4", 200),
    ("lines=0-1", 200), ("bytes=", 200), ("bytes=-", 200), ("0-1", 200),
]  # fmt: skip


@pytest.mark.ordinary
@pytest.mark.parametrize("where", ["row", "store"])
async def test_one_range_is_answered_with_its_bytes(service: Service, where: str) -> None:
    data, scale = (SMALL, 1) if where == "row" else (LARGE, len(LARGE) // 10)
    await put(service, data)
    whole = await get(service)
    for pattern, expected in RANGES:
        header = re.sub(r"\d{1,19}\b", lambda m: str(int(m[0]) * scale), pattern)
        answer = await get(service, Range=header)
        if isinstance(expected, tuple):
            first, last = expected if scale == 1 else _positions(header, len(data))
            assert answer.status_code == 206, header
            assert answer.content == data[first : last + 1]
            assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(data)}"
            assert answer.headers["content-length"] == str(last + 1 - first)
            for name in ("etag", "repr-digest", "content-type", "last-modified", "cache-control"):
                assert answer.headers[name] == whole.headers[name]
        else:
            assert answer.status_code == expected, header
            if expected == 416:
                assert answer.headers["content-range"] == f"bytes */{len(data)}"
                assert answer.json()["type"] == "urn:holdall:problem:range-not-satisfiable"
            else:
                assert answer.content == data
                assert "content-range" not in answer.headers


def _positions(header: str, size: int) -> tuple[int, int]:
    first, last = header.lower().removeprefix("bytes=").split("-")
    if not first:
        return max(0, size - int(last)), size - 1
    return int(first), min(int(last), size - 1) if last else size - 1


async def test_ranges_of_nothing(service: Service) -> None:
    await put(service, b"")
    for header, status in (("bytes=0-", 416), ("bytes=0-0", 416), ("bytes=-0", 416),
                           ("bytes=-5", 200)):  # fmt: skip
        answer = await get(service, Range=header)
        assert answer.status_code == status
        assert answer.headers.get("content-range") == ("bytes */0" if status == 416 else None)


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
async def test_a_range_of_other_bytes_is_not_given(service: Service, data: bytes) -> None:
    old = (await put(service, b"old bytes")).headers["etag"]
    etag = (await put(service, data)).headers["etag"]
    modified = (await get(service)).headers["last-modified"]
    second = clock.from_datetime(parsedate_to_datetime(modified))
    for since, if_range, status in [
        (0, etag, 206), (0, old, 200), (0, f"W/{etag}", 200), (0, "yesterday", 200),
        (0, "Thu, 01 Jan 2015 00:00:00 GMT", 200), (0, "Thu, 01 Jan 2099 00:00:00 GMT", 200),
        (0, etag.strip('"'), 200), (0, f"{old}, {etag}", 200),
        # a date does once the second that it names is over
        (0, modified, 200), (clock.SECOND - 1, modified, 200), (clock.SECOND, modified, 206),
    ]:  # fmt: skip
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(clock, "now", lambda now=second + since: now)
            answer = await get(service, Range="bytes=2-4", If_Range=if_range)
        assert answer.status_code == status, if_range
        assert answer.content == (data[2:5] if status == 206 else data)
    # beyond the end of what is there now, but the client means other bytes: the whole
    beyond = await get(service, Range=f"bytes={len(data)}-", If_Range=old)
    assert (beyond.status_code, beyond.content) == (200, data)


REPLACED = ["/v1/blobs/a/content", "/v1/buffer", "/v1/dumps"]


@pytest.mark.parametrize("path", REPLACED)
async def test_a_replacement_is_later_by_its_date(service: Service, path: str) -> None:
    """However quickly one follows the other: a date is all that some clients remember."""
    mine = service.service_token
    url, dates, moments = path, [], []
    for data in (b"one", b"two", b"three", LARGE):
        if path == "/v1/dumps":
            send = service.client.post if url == path else service.client.put
            stored = await send(url, files={"file": ("a", data)}, headers=mine)
            url = f"{path}/{stored.json()['id']}"
            content = f"{url}/content"
        else:
            sent = mine | {"X-Data-Type": "text"}
            stored = await service.client.put(url, content=data, headers=sent)
            content = url
        assert stored.is_success
        answer = await service.client.get(content, headers=mine)
        dates.append(answer.headers["last-modified"])
        moments.append(parsedate_to_datetime(dates[-1]))
    assert moments == sorted(set(moments))
    if path != "/v1/dumps":  # a writer who has read an older one is told so
        for date, status in ((dates[-2], 412), (dates[-1], 200)):
            guarded = sent | {"If-Unmodified-Since": date}
            again = await service.client.put(url, content=b"again", headers=guarded)
            assert again.status_code == status
    await service.client.delete(url.removesuffix("/content"), headers=mine)
    await service.client.delete("/v1/buffer/history", headers=mine)


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
async def test_conditions_are_looked_at_in_their_order(service: Service, data: bytes) -> None:
    etag = (await put(service, data)).headers["etag"]
    past, future = "Thu, 01 Jan 2015 00:00:00 GMT", "Thu, 01 Jan 2099 00:00:00 GMT"
    for headers, status in [
        ({"If_None_Match": etag}, 304), ({"If_None_Match": f'"x", W/{etag}'}, 304),
        ({"If_None_Match": "*"}, 304), ({"If_None_Match": '"x"'}, 200),
        ({"If_None_Match": '"x"', "If_Modified_Since": future}, 200),
        ({"If_None_Match": etag, "If_Modified_Since": past}, 304),
        ({"If_Modified_Since": future}, 304), ({"If_Modified_Since": past}, 200),
        ({"If_Modified_Since": "nonsense"}, 200), ({"If_Match": etag}, 200),
        ({"If_Match": "*"}, 200), ({"If_Match": '"x"'}, 412), ({"If_Match": f"W/{etag}"}, 412),
        ({"If_Match": etag, "If_Unmodified_Since": past}, 200),
        ({"If_Unmodified_Since": past}, 412), ({"If_Unmodified_Since": future}, 200),
        ({"If_Match": '"x"', "If_None_Match": etag}, 412),
        ({"If_Match": etag, "If_None_Match": etag}, 304),
        ({"If_None_Match": etag, "Range": "bytes=99999999-"}, 304),
        ({"If_Match": '"x"', "Range": "bytes=99999999-"}, 412),
        ({"If_None_Match": '"x"', "Range": "bytes=0-0"}, 206),
    ]:  # fmt: skip
        answer = await get(service, **headers)
        assert answer.status_code == status, headers
        if status == 304:
            assert answer.content == b""
            needed = {"etag", "cache-control", "last-modified", "content-security-policy"}
            assert needed <= answer.headers.keys()
            assert not {"content-type", "content-length"} & answer.headers.keys()
        if status == 412:
            assert answer.json()["type"] == "urn:holdall:problem:precondition-failed"
        missing = await get(service, "none", **headers)
        assert missing.status_code == 404
    two_lines = [*service.service_token.items(), ("If-None-Match", '"x"'), ("If-None-Match", etag)]
    assert (await service.client.get(url_of("a"), headers=two_lines)).status_code == 304


SHOWN = [
    # what was stored, and what ?inline=1 makes of it; None: it stays an attachment
    ("image/png", "image/png"), ("image/jpeg", "image/jpeg"), ("image/gif", "image/gif"),
    ("image/webp", "image/webp"), ("image/avif", "image/avif"), ("IMAGE/PNG; a=b", "image/png"),
    ("audio/mpeg", "audio/mpeg"), ("video/mp4; codecs=\"avc1\"", "video/mp4"),
    ("text/plain", "text/plain; charset=utf-8"), ("text/csv", "text/plain; charset=utf-8"),
    ("text/markdown; charset=utf-8", "text/plain; charset=utf-8"),
    ("text/html", None), ("TEXT/HTML; charset=utf-8", None), ("text/xml", None),
    ("image/svg+xml", None), ("application/pdf", None), ("application/xhtml+xml", None),
    ("text/javascript", None), ("application/javascript", None), ("application/json", None),
    ("application/octet-stream", None), ("multipart/related", None), ("image/svg", None),
    ("application/x-shockwave-flash", None), ("message/rfc822", None), ("x-world/x-vrml", None),
]  # fmt: skip


async def test_only_what_cannot_run_is_shown_inline(service: Service) -> None:
    for number, (stored, shown) in enumerate(SHOWN):
        blob_id = f"{number}"
        await put(service, b"<script>alert(1)</script>", blob_id, stored)
        plain = await get(service, blob_id)
        assert plain.headers["content-type"] == stored
        assert plain.headers["content-disposition"].startswith("attachment;")
        inline = await get(service, blob_id, query="?inline=1")
        kind = "attachment" if shown is None else "inline"
        assert inline.headers["content-disposition"] == f'{kind}; filename="{number}"', stored
        assert inline.headers["content-type"] == (shown or stored)
        for answer in (plain, inline):
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["content-security-policy"] == "sandbox"
    assert (await get(service, "0", query="?inline=0")).headers["content-disposition"][0] == "a"
    assert (await get(service, "0", query="?inline=maybe")).status_code == 422


NAMES = [
    # an id, the plain name in Content-Disposition, whether the exact one follows
    ("report.txt", "report.txt", False), ("a/b/report.txt", "report.txt", False),
    ("naïve €.txt", "naive _.txt", True), ('a"b.txt', "a_b.txt", True), ("a\\b", "a_b", True),
    ("😀", "_", True), ("a;b=c", "a;b=c", False), ("a?b", "a_b", True),
    ("100%41.txt", "100_41.txt", True),
    ("a/", "_", False), ("..\\..\\x", ".._.._x", True), ("\u200egpj.exe", "_gpj.exe", True),
    ("Straße Ærø.txt", "Strasse _r_.txt", True), ("e\u0301\u0301 ﬁ.txt", "e_ fi.txt", True),
    ("한 \uff0f", "_ _", True),
    ("a'b*c", "a'b*c", False), (" a ", " a ", False), ("%0d%0aX-A: b", "_0d_0aX-A: b", True),
    ("日本語" * 85, "_" * 255, True),
]  # fmt: skip


async def test_any_id_makes_a_safe_file_name(service: Service) -> None:
    for blob_id, plain, extended in NAMES:
        await put(service, b"", blob_id)
        header = (await get(service, blob_id)).headers["content-disposition"]
        match = re.fullmatch(
            r'attachment; filename="([ !#-\[\]-~]*)"(?:; filename\*=UTF-8\'\'([\w.~%-]*))?', header
        )
        assert match, header
        assert match[1] == plain
        name = blob_id.rpartition("/")[2]
        assert (match[2] is not None) == extended, header
        assert match[2] is None or unquote(match[2], errors="strict") == name


@pytest.mark.ordinary
async def test_what_is_deleted_while_it_is_read_is_never_wrong(service: Service) -> None:
    for change in ("delete", "replace"):
        await put(service, LARGE)
        begun, go = asyncio.Event(), asyncio.Event()

        async def pause(
            answer: raw.Answer, begun: asyncio.Event = begun, go: asyncio.Event = go
        ) -> None:
            if answer.body and not begun.is_set():
                begun.set()
                await go.wait()

        reading = asyncio.create_task(
            raw.request(service, "GET", url_of("a"), service.service_token, [], on_send=pause)
        )
        await begun.wait()
        if change == "delete":
            gone = await service.client.delete("/v1/blobs/a", headers=service.service_token)
            assert gone.status_code == 204
        else:
            await put(service, b"new")
        await service.runtime.parts.sweep.run_once(clock.now())
        go.set()
        answer = await reading
        assert answer.status == 200
        assert LARGE.startswith(answer.body)
        if change == "replace" or answer.ended:
            assert answer.body == LARGE
            assert answer.ended
    assert (await get(service)).content == b"new"


@pytest.mark.ordinary
async def test_a_client_that_goes_away_ends_the_download(service: Service) -> None:
    await put(service, LARGE)
    sent = asyncio.Event()

    async def leave() -> AsyncIterator[raw.Message]:
        yield raw.part(b"", more=False)
        await sent.wait()
        yield raw.DISCONNECT

    async def count(answer: raw.Answer) -> None:
        if answer.body:
            sent.set()
            await asyncio.sleep(0)

    answer = await raw.request(
        service, "GET", url_of("a"), service.service_token, leave(), on_send=count
    )
    assert not answer.ended
    assert 0 < len(answer.body) < len(LARGE)


def damaged() -> float:
    return metrics.registry.get_sample_value("holdall_damaged_objects_total") or 0


async def test_bytes_that_are_lost_are_an_alarm_and_no_404(
    service: Service,
) -> None:
    store = store_of(service)
    before = await stored_keys(service)
    await put(service, LARGE)
    (key,) = await stored_keys(service) - before
    await store.delete([key])
    for path in (url_of("a"), "/v1/blobs/a"):
        alarms = damaged()
        answer = await service.client.get(path, headers=service.service_token)
        assert answer.status_code == 500
        assert answer.headers["content-type"] == "application/problem+json"
        assert key not in answer.text
        assert answer.json()["instance"] == path
        assert damaged() == alarms + 1
    gone = await service.client.delete("/v1/blobs/a", headers=service.service_token)
    assert gone.status_code == 204


async def test_a_blob_deleted_between_row_and_bytes_is_not_found(
    service: Service,
) -> None:
    store = store_of(service)
    await put(service, LARGE)
    alarms = damaged()
    fault = store.stall("open")
    reading = asyncio.create_task(get(service))
    await fault.reached.wait()
    await service.client.delete("/v1/blobs/a", headers=service.service_token)
    await service.runtime.parts.sweep.run_once(clock.now())
    fault.go.set()
    answer = await reading
    assert (answer.status_code, damaged()) == (404, alarms)


async def test_a_store_that_fails_is_said_or_cuts_the_answer(
    service: Service,
) -> None:
    store = store_of(service)
    await put(service, LARGE)
    for path in (url_of("a"), "/v1/blobs/a"):
        store.fail("open")
        answer = await service.client.get(path, headers=service.service_token)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert answer.json()["type"] == "urn:holdall:problem:unavailable"
    store.fail("open", moment="midway")
    cut = await raw.request(service, "GET", url_of("a"), service.service_token, [])
    assert cut.status == 200
    assert not cut.ended
    assert 0 < len(cut.body) < len(LARGE)
    assert LARGE.startswith(cut.body)
    store.fail("open", moment="midway")
    answer = await service.client.get("/v1/blobs/a", headers=service.service_token)
    assert answer.status_code == 503
