"""Dumps over HTTP: stored, listed, searched, changed, replaced, kept for a while, deleted."""

import hashlib
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from sqlalchemy import Connection, select

from app import clock
from app.config import Settings
from app.database import search
from app.dumps.tables import dumps
from app.objects.tables import objects
from tests.api.conftest import Service
from tests.api.dump_books import Headers, account_of, read_all
from tests.api.shared import PROFILES, shared_service, shared_settings
from tests.minidump_files import LIBC, Minidump

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

FACTS = {
    "id", "original_name", "size", "sha256", "label", "version", "description", "archived",
    "annotations", "created_at", "modified_at", "expires_at", "report_state", "platform",
    "dropped_at", "architecture", "exception", "module", "signature",
}  # fmt: skip
BOUNDARY = "a-boundary"


@pytest.fixture(scope="module", params=PROFILES)
def settings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a fresh service in both profiles."""
    folder = tmp_path_factory.mktemp("dumps")
    return shared_settings(request, tmp_path_factory, dumps_base_dir=folder)


@pytest.fixture(scope="module")
async def service(settings: Settings) -> AsyncIterator[Service]:
    """One service for all tests here; each has an account of its own."""
    async with shared_service(settings) as service:
        yield service


@pytest.fixture
async def user(service: Service) -> AsyncIterator[Headers]:
    """Headers of a new account, whose charges are checked after the test."""
    async with account_of(service) as headers:
        yield headers


async def post(
    service: Service, user: Headers, data: bytes = b"dump", name: str = "a.dmp", **fields: str
) -> httpx.Response:
    return await service.client.post(
        "/v1/dumps", files={"file": (name, data)}, data=fields, headers=user
    )


async def upload(
    service: Service, user: Headers, data: bytes = b"dump", name: str = "a.dmp", **fields: str
) -> dict[str, Any]:
    answer = await post(service, user, data, name, **fields)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def get(service: Service, user: Headers, dump: dict[str, Any]) -> dict[str, Any]:
    answer = await service.client.get(f"/v1/dumps/{dump['id']}", headers=user)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def read_reports(service: Service) -> None:
    while await service.runtime.dumps.reports.run_once(clock.now()):
        pass


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    return body


async def test_a_dump_is_kept_as_it_came(service: Service, user: Headers) -> None:
    data = bytes(range(256)) * 1000
    dump = await upload(
        service, user, data, "crash 1.dmp", label="acme 1.0", description="It\nfell over"
    )
    assert dump.keys() == FACTS
    assert dump | {
        "original_name": "crash 1.dmp", "size": len(data), "label": "acme 1.0",
        "sha256": hashlib.sha256(data).hexdigest(), "description": "It\nfell over",
        "archived": False, "annotations": {}, "expires_at": None, "report_state": "none",
        "dropped_at": None, "signature": None,
    } == dump  # fmt: skip
    got = await get(service, user, dump)
    assert got == dump | {"report": None, "report_error": None, "attachments": []}
    content = await service.client.get(f"/v1/dumps/{dump['id']}/content", headers=user)
    assert content.content == data
    assert content.headers["content-disposition"] == 'attachment; filename="crash 1.dmp"'
    assert content.headers["etag"] == f'"{dump["sha256"]}"'
    part = await service.client.get(
        f"/v1/dumps/{dump['id']}/content", headers=user | {"Range": "bytes=10-19"}
    )
    assert (part.status_code, part.content) == (206, data[10:20])
    head = await service.client.head(f"/v1/dumps/{dump['id']}/content", headers=user)
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(data)))


@pytest.mark.ordinary
async def test_small_dumps_lie_in_the_folder_for_dumps(service: Service, user: Headers) -> None:
    dump = await upload(service, user, b"x")

    def key_of(connection: Connection) -> str:
        key = select(objects.c.key).select_from(dumps.join(objects)).where(
            dumps.c.uuid == dump["id"]
        )  # fmt: skip
        return str(connection.execute(key).scalar_one())

    key = await service.runtime.parts.database.read(key_of)
    kind, first, second, name = key.split("/")
    assert (kind, len(name), name[:2]) == ("dumps", 32, first + second)
    if service.settings.active_storage == "local":
        assert service.settings.dumps_base_dir is not None
        path = service.settings.dumps_base_dir / name[0] / name[1] / name
        assert path.read_bytes() == b"x"


def form(*parts: tuple[str, str | None, bytes], end: bytes = b"--\r\n") -> bytes:
    out = b""
    for name, filename, data in parts:
        file = "" if filename is None else f'; filename="{filename}"'
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
        out += head.encode() + data + b"\r\n"
    return out + f"--{BOUNDARY}".encode() + end


MULTIPART = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 0, 3, 2)])
async def test_fields_come_in_any_order(
    service: Service, user: Headers, order: tuple[int, ...]
) -> None:
    parts = [("label", None, b"l"), ("file", "f", b"data"), ("description", None, "é".encode()),
             ("retention", None, b"60")]  # fmt: skip
    body = form(*(parts[n] for n in order))
    answer = await service.client.post("/v1/dumps", content=body, headers=user | MULTIPART)
    assert answer.status_code == 201, answer.text
    dump = answer.json()
    assert (dump["label"], dump["description"], dump["size"]) == ("l", "é", 4)
    made = datetime.fromisoformat(dump["created_at"])
    assert datetime.fromisoformat(dump["expires_at"]) == made + timedelta(seconds=60)


BAD_FORMS: list[tuple[bytes, str | None]] = [
    (form(), "file"),
    (form(("label", None, b"a")), "file"),
    (form(("file", "a", b"1"), ("file", "b", b"2")), None),
    (form(("file", "a", b"1"), ("label", None, b"x" * 256)), "label"),
    (form(("label", None, b"x" * 256), ("file", "a", b"1")), "label"),
    (form(("file", "a", b"1"), ("label", None, b"a"), ("label", None, b"b")), "label"),
    (form(("file", "a", b"1"), ("label", None, b"\xff")), None),
    (form(("file", "a", b"1"), ("label", None, b"a\0b")), "label"),
    (form(("file", "a", b"1"), ("retention", None, b"0")), "retention"),
    (form(("file", "a", b"1"), ("retention", None, b"soon")), "retention"),
    (form(("file", "a", b"1"), ("retention", None, b"9" * 30)), "retention"),
    (form(("file", "a/..", b"1")), "file"),
    (form(("file", "x" * 256, b"1")), "file"),
    (b"", None),
    (b"x" * 100_000, None),
    (form(("file", "a", b"1"), end=b""), None),
    (form(("file", "a", b"1"))[:-20], None),
    (f"--{BOUNDARY}\r\nContent-Type: text/plain\r\n\r\nx\r\n--{BOUNDARY}--".encode(), None),
]


async def test_bad_forms_are_refused_and_store_nothing(service: Service, user: Headers) -> None:
    for body, field in BAD_FORMS:
        answer = await service.client.post("/v1/dumps", content=body, headers=user | MULTIPART)
        found = problem(answer, 422)
        if field is not None:
            assert found["errors"][0]["loc"] == ["body", field], body[:80]
    for kind in ("multipart/form-data", "multipart/mixed; boundary=a"):
        headers = user | {"Content-Type": kind}
        answer = await service.client.post("/v1/dumps", content=form(), headers=headers)
        problem(answer, 422)
    many = form(*[("label", None, b"")] * 65)
    problem(await service.client.post("/v1/dumps", content=many, headers=user | MULTIPART), 422)
    many = form(*[(f"f{n}", None, b"") for n in range(65)])
    problem(await service.client.post("/v1/dumps", content=many, headers=user | MULTIPART), 413)
    large = form(("label", None, b"x" * 70_000))
    problem(await service.client.post("/v1/dumps", content=large, headers=user | MULTIPART), 413)
    assert await read_all(service, user) == []


async def test_a_body_that_ends_anywhere_stores_nothing(service: Service, user: Headers) -> None:
    body = form(("label", None, b"a"), ("file", "f", b"data" * 20))
    for end in range(0, len(body) - 3, 11):  # what follows the last delimiter may be missing
        answer = await service.client.post(
            "/v1/dumps", content=body[:end], headers=user | MULTIPART
        )
        problem(answer, 422)
    assert await read_all(service, user) == []


async def test_a_form_may_have_an_epilogue(service: Service, user: Headers) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        whole = form(("file", "f", b"data"))
        for chunk in (b"\r\n", whole[:-2], whole[-2:], b"what mail programs say here"):
            yield chunk

    answer = await service.client.post("/v1/dumps", content=chunks(), headers=user | MULTIPART)
    assert answer.status_code == 201, answer.text


async def test_a_digest_of_the_form_is_checked(service: Service, user: Headers) -> None:
    body = form(("file", "f", b"data"))
    wrong = {"Content-Digest": "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"}
    answer = await service.client.post("/v1/dumps", content=body, headers=user | MULTIPART | wrong)
    problem(answer, 400)


async def test_what_is_over_the_tier_is_refused_before_it_is_sent(
    service: Service, user: Headers
) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield form(("file", "f", b""))[: -len(BOUNDARY) - 8]
        while True:
            sent += 1
            yield bytes(65_536)

    headers = user | MULTIPART | {"Content-Length": str(11 * 2**30)}
    answer = await service.client.post("/v1/dumps", content=endless(), headers=headers)
    problem(answer, 413)
    assert sent < 10


@pytest.mark.ordinary
async def test_lists_are_filtered(service: Service, user: Headers) -> None:
    made = [
        await upload(service, user, b"1", "one.dmp", label="acme 1"),
        await upload(service, user, b"2", "two.dmp", label="acme 2"),
        await upload(service, user, b"3", "three.dmp"),
        await upload(service, user, Minidump().write(), "four.dmp", label="acme 1"),
        await upload(service, user, Minidump(code=6, pointer=LIBC.base + 9).write(), "five.dmp"),
    ]
    await read_reports(service)
    await service.client.patch(f"/v1/dumps/{made[0]['id']}", json={"archived": True}, headers=user)
    moment = quote(made[2]["created_at"])
    for query, expected in {
        "": "54321", "label=acme+1": "41", "label=acme": "", "archived=true": "1",
        "archived=false": "5432", f"since={moment}": "543", f"until={moment}": "321",
        f"since={moment}&until={moment}": "3", "platform=linux": "54", "platform=Linux": "",
        "architecture=x86_64": "54", "exception=SIGABRT": "5", "module=app": "4",
        "signature=SIGSEGV+app%2B0x123": "4", "signature=SIGABRT+libc.so.6%2B0x9": "5",
        "label=acme+1&platform=linux": "4", "q=acme&archived=true": "1", "q=dmp&label=acme+1": "41",
        "q=dmp&signature=SIGSEGV+app%2B0x123": "4",
    }.items():  # fmt: skip
        names = [made.index(next(m for m in made if m["id"] == d["id"])) + 1
                 for d in await read_all(service, user, query)]  # fmt: skip
        assert "".join(map(str, names)) == expected, query
        in_pages = await read_all(service, user, f"limit=1&{query}")
        assert len(in_pages) == len(expected), query
    for query in ("since=yesterday", "since=2026-01-01T00:00:00", "archived=perhaps",
                  "label=%00", "q=%00", f"q={'x' * 1025}", "limit=0"):  # fmt: skip
        problem(await service.client.get(f"/v1/dumps?{query}", headers=user), 422)
    for cursor in ("x", "W10"):
        answer = await service.client.get(f"/v1/dumps?cursor={cursor}", headers=user)
        problem(answer, 400)


TEXTS = [
    "Crash in Straße 5", "ГЛАВА один", "100%_sure\\really", "it's \"quoted\" AND OR NOT *",
    "a.b-c_d", "日本語のテキスト", "e\u0301te\u0301", "x", "ab", "ꔮ vai", "line one\nline two",
]  # fmt: skip


@pytest.mark.ordinary
async def test_search_finds_any_part_of_any_text(service: Service, user: Headers) -> None:
    for text in TEXTS:
        await upload(service, user, name="f", description=text)
    for q, expected in {
        "crash": [0], "CRASH IN": [0], "strasse": [0], "STRASSE 5": [0], "rash in strasse 5": [0],
        "глава": [1], "ОДИН": [1], "100%": [2], "0%_s": [2], "%_": [2], "\\": [2], "e\\r": [2],
        "_": [2, 4], "%": [2], "it's": [3], '"quoted"': [3], "AND OR": [3], "NOT *": [3],
        ".b-": [4], "b-c": [4], "a.b-c_d": [4], "a b c": [], "本語の": [5], "日": [5],
        "テキスト": [5],
        "été": [6], "ÉT": [6], "x": [7], "ab": [8], "line two": [10], "one\nline": [10],
        "crash in  ": [], "zzz": [], "AND": [3],
    }.items():  # fmt: skip
        found = await read_all(service, user, f"q={quote(q)}")
        assert [TEXTS.index(d["description"]) for d in found] == expected[::-1], q
    assert len(await read_all(service, user, "q=")) == len(TEXTS)


@pytest.mark.ordinary
async def test_search_knows_name_label_and_description(service: Service, user: Headers) -> None:
    dump = await upload(service, user, name="Core.1234", label="Kernel 6", description="Oops!")
    for q in ("core.", "kernel 6", "oops!", "234"):
        assert len(await read_all(service, user, f"q={quote(q)}")) == 1, q
    change = {"label": None, "description": "Panic"}
    await service.client.patch(f"/v1/dumps/{dump['id']}", json=change, headers=user)
    for q, count in {"kernel": 0, "oops": 0, "panic": 1, "core": 1}.items():
        assert len(await read_all(service, user, f"q={q}")) == count, q
    await service.client.delete(f"/v1/dumps/{dump['id']}", headers=user)
    assert await read_all(service, user, "q=panic") == []


async def test_search_stays_within_the_account(service: Service, user: Headers) -> None:
    await upload(service, user, description="a secret")
    async with account_of(service) as other:
        await upload(service, other, description="a public thing")
        for q in ("secret", "a", "a s"):
            found = await read_all(service, other, f"q={q}")
            assert all(d["description"] == "a public thing" for d in found)


@pytest.mark.ordinary
async def test_a_page_that_costs_too_much_ends_early(
    service: Service, user: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "BUDGET", 4)
    monkeypatch.setattr(search.walk, "__kwdefaults__", {"budget": 4})
    await upload(service, user, description="needle in the hay")
    for number in range(11):
        await upload(service, user, description=f"hay {number}")
    for query, expected in {"q=ne": 1, "q=needle": 1, "platform=none": 0, "q=hay": 12,
                            "q=hay&archived=true": 0, "label=none&q=hay": 0}.items():  # fmt: skip
        assert len(await read_all(service, user, f"limit=2&{query}")) == expected, query
    answer = await service.client.get("/v1/dumps?limit=2&q=ne", headers=user)
    assert answer.json()["items"] == []
    assert answer.json()["next_cursor"] is not None


@pytest.mark.ordinary
async def test_labels_are_counted(service: Service, user: Headers) -> None:
    made = [
        await upload(service, user, bytes(size), label=label)
        for label, size in (("b", 1), ("a", 10), ("b", 100), ("", 1000), ("c", 7))
    ]
    answer = await service.client.get("/v1/dumps/labels", headers=user)
    assert answer.json()["next_cursor"] is None
    seen = [dump["created_at"] for dump in made]
    assert answer.json()["items"] == [
        {"label": "a", "count": 1, "size": 10, "first_seen": seen[1], "last_seen": seen[1]},
        {"label": "b", "count": 2, "size": 101, "first_seen": seen[0], "last_seen": seen[2]},
        {"label": "c", "count": 1, "size": 7, "first_seen": seen[4], "last_seen": seen[4]},
    ]
    first = (await service.client.get("/v1/dumps/labels?limit=2", headers=user)).json()
    assert [item["label"] for item in first["items"]] == ["a", "b"]
    rest = await service.client.get(
        f"/v1/dumps/labels?limit=2&cursor={first['next_cursor']}", headers=user
    )
    assert [item["label"] for item in rest.json()["items"]] == ["c"]
    problem(
        await service.client.get(
            f"/v1/dumps/signatures?cursor={first['next_cursor']}", headers=user
        ),
        400,
    )


async def test_put_replaces_file_and_label(service: Service, user: Headers) -> None:
    dump = await upload(
        service, user, Minidump().write(), label="old", description="stays", name="old.dmp"
    )
    await read_reports(service)
    etag = {"If-Match": f'"{dump["sha256"]}"'}
    put = await service.client.put(
        f"/v1/dumps/{dump['id']}", files={"file": ("new.dmp", b"new")}, headers=user | etag
    )
    assert put.status_code == 200, put.text
    new = await get(service, user, dump)
    assert put.json() == {name: new[name] for name in FACTS}
    assert new | {
        "id": dump["id"], "original_name": "new.dmp", "size": 3, "label": None,
        "description": "stays", "created_at": dump["created_at"], "report": None,
        "report_state": "none", "platform": None, "signature": None,
    } == new  # fmt: skip
    content = await service.client.get(f"/v1/dumps/{dump['id']}/content", headers=user)
    assert content.content == b"new"
    again = await service.client.put(
        f"/v1/dumps/{dump['id']}", files={"file": ("x", b"x")}, headers=user | etag
    )
    problem(again, 412)
    missing = await service.client.put(
        f"/v1/dumps/{dump['id']}", files={"label": (None, "a")}, headers=user
    )
    assert problem(missing, 422)["errors"][0]["loc"] == ["body", "file"]
    assert await get(service, user, dump) == new


@pytest.mark.ordinary
async def test_patch_changes_what_it_names(service: Service, user: Headers) -> None:
    dump = await upload(service, user, label="l", description="d")
    url = f"/v1/dumps/{dump['id']}"
    facts = {"label": "l", "description": "d", "archived": False, "size": 4}
    for json, change in (
        ({"archived": True}, {"archived": True}), ({"label": "m"}, {"label": "m"}), ({}, {}),
        ({"description": "e", "archived": False}, {"description": "e", "archived": False}),
        ({"label": None}, {"label": None}),
        ({"label": "", "description": None, "archived": None}, {"label": None}),
    ):  # fmt: skip
        answer = await service.client.patch(url, json=json, headers=user)
        assert answer.status_code == 200, answer.text
        facts |= change
        assert answer.json() | facts == answer.json()
        assert answer.json()["modified_at"] > dump["modified_at"]
    form_of: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"archived": (None, "true"), "label": (None, "n")}, {"archived": True, "label": "n"}),
        ({"file": ("x.dmp", Minidump().write())}, {"size": len(Minidump().write())}),
        ({"label": (None, "")}, {"label": None}),
    ]
    for files, change in form_of:
        answer = await service.client.patch(url, files=files, headers=user)
        assert answer.status_code == 200, answer.text
        facts |= change
        assert answer.json() | facts == answer.json()
    assert answer.json()["original_name"] == "x.dmp"
    await read_reports(service)
    assert (await get(service, user, dump))["signature"] == "SIGSEGV app+0x123"
    for content in (b"", b"[]", b"{", b'{"label": 5}', b"[" * 50_000,
                    b'{"label": "\\ud800"}'):  # fmt: skip
        headers = user | {"Content-Type": "application/json"}
        problem(await service.client.patch(url, content=content, headers=headers), 422)
    guarded = user | {"If-Match": '"x"'}
    problem(await service.client.patch(url, json={"label": "z"}, headers=guarded), 412)
    problem(await service.client.patch(url, files={"label": (None, "z")}, headers=guarded), 412)


async def test_delete_says_what_it_was(service: Service, user: Headers) -> None:
    dump = await upload(service, user, label="gone")
    url = f"/v1/dumps/{dump['id']}"
    problem(await service.client.delete(url, headers=user | {"If-Match": '"x"'}), 412)
    answer = await service.client.delete(url, headers=user)
    assert (answer.status_code, answer.json()) == (200, dump)
    for method in ("GET", "DELETE"):
        problem(await service.client.request(method, url, headers=user), 404)
    assert await read_all(service, user) == []


@pytest.mark.ordinary
async def test_what_has_expired_is_gone_and_then_removed(service: Service, user: Headers) -> None:
    dump = await upload(service, user, Minidump().write(), label="l", retention="60")
    kept = await upload(service, user, label="l")
    expired = clock.from_datetime(datetime.fromisoformat(dump["expires_at"]))
    assert await service.runtime.parts.expiry.next_due(clock.now()) is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "now", lambda: expired)
        for path in ("", "/content", "/attachments"):
            url = f"/v1/dumps/{dump['id']}{path}"
            problem(await service.client.get(url, headers=user), 404)
        for query in ("", "label=l", "q=dmp", "q=a"):
            found = await read_all(service, user, query)
            assert [d["id"] for d in found] == [kept["id"]], query
        labels = (await service.client.get("/v1/dumps/labels", headers=user)).json()["items"]
        assert [label["count"] for label in labels] == [1]
        url = f"/v1/dumps/{dump['id']}"
        for method, body in (("DELETE", None), ("PATCH", {"label": "x"})):
            problem(await service.client.request(method, url, json=body, headers=user), 404)

    def is_there(connection: Connection) -> bool:
        row = select(dumps.c.id).where(dumps.c.uuid == dump["id"])
        return connection.execute(row).first() is not None

    for moment, left in ((expired - 1, True), (expired, False)):
        while await service.runtime.parts.expiry.run_once(moment):
            pass
        assert await service.runtime.parts.database.read(is_there) is left
    assert [d["id"] for d in await read_all(service, user)] == [kept["id"]]


async def test_accounts_and_scopes(service: Service, user: Headers) -> None:
    dump = await upload(service, user)
    url = f"/v1/dumps/{dump['id']}"
    keys = {}
    for scope in ("dumps:read", "dumps:write", "dumps:submit", "files:write"):
        made = await service.client.post(
            "/v1/accounts/me/keys", json={"name": scope, "scopes": [scope]}, headers=user
        )
        keys[scope] = {"Authorization": f"Bearer {made.json()['key']}"}
    routes = [("GET", "/v1/dumps", "read"), ("GET", "/v1/dumps/labels", "read"),
              ("GET", "/v1/dumps/signatures", "read"), ("GET", url, "read"),
              ("GET", f"{url}/content", "read"), ("GET", f"{url}/attachments", "read"),
              ("POST", "/v1/dumps", "write"), ("PUT", url, "write"), ("PATCH", url, "write"),
              ("DELETE", url, "write")]  # fmt: skip
    async with account_of(service) as other:
        for method, path, needed in routes:
            files = {"file": ("f", b"x")} if method in {"POST", "PUT", "PATCH"} else None
            for scope, key in keys.items():
                if scope != f"dumps:{needed}":
                    answer = await service.client.request(method, path, files=files, headers=key)
                    problem(answer, 403)
            problem(await service.client.request(method, path, files=files), 401)
            if path.startswith(url):
                problem(await service.client.request(method, path, files=files, headers=other), 404)
        assert await read_all(service, other) == []
    assert (await get(service, user, dump))["size"] == 4
