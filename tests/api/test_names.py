"""What things are called: the names that files bring along, and those that are chosen."""

import base64
from typing import Any, Final
from urllib.parse import quote

import httpx
import pytest
from pydantic import ValidationError

from routers.v1.schemas.accounts.tiers import TierCreate
from tests.api.conftest import Service
from tests.api.shared import shared_fixtures
from tests.pictures import plain

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

Headers = dict[str, str]


settings, service = shared_fixtures()


WORDS: Final = '"=?utf-8?B?bmHDr3ZlLnR4dA==?="'
NAMES: Final[list[tuple[str | bytes, str]]] = [
    ("filename=a.txt", "a.txt"),
    (f"filename={WORDS}; filename*=utf-8''na%C3%AFve.txt", "naïve.txt"),  # .NET
    ("filename*=utf-8''na%C3%AFve.txt", "naïve.txt"),  # old urllib3
    ("filename=\"naive.txt\"; filename*=UTF-8''na%C3%AFve.txt", "naïve.txt"),
    ("filename*=UTF-8''na%C3%AFve.txt; filename=\"naive.txt\"", "naïve.txt"),
    ("filename*=iso-8859-1''na%EFve.txt", "naïve.txt"),
    ("filename*=UTF-8''%FF; filename=\"a.txt\"", "a.txt"),
    (f"filename={WORDS}", "naïve.txt"),
    ('filename="=?ISO-8859-1?Q?na=EFve_a.txt?="', "naïve a.txt"),
    ('filename="=?utf-8?B?bmHDr3Y=?= =?utf-8?q?e=2Etxt?="', "naïve.txt"),
    ('filename="=?klingon?B?YQ==?="', "=?klingon?B?YQ==?="),
    ('filename="a =?utf-8?B?YQ==?= b"', "a =?utf-8?B?YQ==?= b"),
    ('filename="naïve.txt"', "naïve.txt"),
    ('filename="naïve.txt"'.encode("latin-1"), "naïve.txt"),
    ('filename="a\u202egpj.exe"', "agpj.exe"),
    ("filename*=UTF-8''%E2%81%A6a%E2%81%A9.txt", "a.txt"),
    ('filename="C:\\Users\\x\\a.txt"', "a.txt"),
    ('filename="a%22b.txt"', 'a"b.txt'),
]


def form(field: str, disposition: str | bytes) -> tuple[bytes, Headers]:
    given = disposition if isinstance(disposition, bytes) else disposition.encode()
    head = f'--XX\r\nContent-Disposition: form-data; name="{field}"; '.encode() + given
    body = head + b"\r\n\r\nhello\r\n--XX--\r\n"
    return body, {"Content-Type": 'multipart/form-data; boundary="XX"'}


@pytest.mark.parametrize(("disposition", "name"), NAMES)
async def test_a_file_is_called_what_its_sender_calls_it(
    service: Service, disposition: str | bytes, name: str
) -> None:
    """In a form of any kind as beside a raw body."""
    mine = service.service_token
    body, kind = form("file", disposition)
    for path, member in (("/v1/files", "name"), ("/v1/dumps", "original_name"),
                         ("/api/dumps/", "original_name")):  # fmt: skip
        made = await service.client.post(path, content=body, headers=mine | kind)
        assert (made.status_code, made.json().get(member)) == (201, name), path
    body, kind = form("upload_file_minidump", disposition)
    sent = await service.client.post("/v1/dumps/minidump", content=body, headers=mine | kind)
    dump = await service.client.get(f"/v1/dumps/{sent.text.strip()}", headers=mine)
    assert dump.json()["original_name"] == name
    given = disposition if isinstance(disposition, bytes) else disposition.encode()
    raw = [*httpx.Headers(mine | {"X-Data-Type": "file"}).raw,
           (b"content-disposition", b"attachment; " + given)]  # fmt: skip
    filled = await service.client.put("/v1/buffer", content=b"x", headers=raw)
    assert filled.json()["name"] == name


async def test_two_files_in_one_field_are_two(service: Service) -> None:
    files = "".join(
        f'--YY\r\nContent-Disposition: file; filename="{n}.txt"\r\n\r\n{n}\r\n' for n in (1, 2)
    )
    mixed = "Content-Type: multipart/mixed; boundary=YY\r\n\r\n" + f"{files}--YY--\r\n"
    field = f'--XX\r\nContent-Disposition: form-data; name="file"\r\n{mixed}\r\n--XX--\r\n'
    headers = service.service_token | {"Content-Type": "multipart/form-data; boundary=XX"}
    both = await service.client.post("/v1/files", content=field, headers=headers)
    assert both.status_code == 422
    assert both.json()["detail"] == "The form has two files"
    dump = '--XX\r\nContent-Disposition: form-data; name="upload_file_minidump"; filename=a\r\n\r\n'
    report = f"{dump}MDMP\r\n{field}"
    sent = await service.client.post("/v1/dumps/minidump", content=report, headers=headers)
    assert sent.status_code == 200, sent.text
    found = await service.client.get(f"/v1/dumps/{sent.text.strip()}", headers=headers)
    assert {(a["field"], a["name"]) for a in found.json()["attachments"]} == {
        ("file", "1.txt"),
        ("file", "2.txt"),
    }


TURNS: Final = [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]


@pytest.mark.parametrize("code", TURNS, ids=hex)
async def test_no_new_name_turns_text_around(service: Service, code: int) -> None:
    mine, name = service.service_token, f"a{chr(code)}gpj.exe"
    client = service.client
    made = await client.post("/v1/files", files={"file": ("a", b"x")}, headers=mine)
    dump = await client.post("/v1/dumps", files={"file": ("a", b"x")}, headers=mine)
    picture = {"files": {"img": ("a", plain())}}
    file_url, dump_url = f"/v1/files/{made.json()['id']}", f"/v1/dumps/{dump.json()['id']}"
    blob: dict[str, Any] = {"id": name, "data": base64.b64encode(b"x").decode()}
    for method, path, body in (
        ("POST", "/v1/blobs", {"json": blob}),
        ("PUT", f"/v1/blobs/{quote(name, safe='')}/content", {"content": b"x"}),
        ("PATCH", file_url, {"json": {"name": name}}),
        ("PATCH", dump_url, {"json": {"label": name}}),
        ("POST", "/v1/dumps", {"files": {"file": ("a", b"x")}, "data": {"label": name}}),
        ("POST", "/v1/pictures", picture | {"data": {"name": name}}),
        ("POST", "/v1/accounts/me/keys", {"json": {"name": name, "scopes": ["files:read"]}}),
    ):
        refused = await client.request(method, path, headers=mine, **body)
        assert refused.status_code == 422, (method, path, refused.text)
    with pytest.raises(ValidationError, match="pattern"):  # of an administrator's doing
        TierCreate(name=name, heights=[200])
    sent = await client.put(
        f"/v1/send/{quote(name)}", content=b"x", headers=mine | {"Accept": "application/json"}
    )
    assert sent.json()["name"] == "agpj.exe"
    named = mine | {"X-Data-Type": "file", "X-File-Name": quote(name)}
    filled = await client.put("/v1/buffer", content=b"x", headers=named)
    assert filled.json()["name"] == "agpj.exe"


async def test_marks_that_turn_nothing_around_may_stay(service: Service) -> None:
    for name in ("שלום\u200f.txt", "a\u200eb", "א"):
        url = f"/v1/blobs/{quote(name, safe='')}/content"
        put = await service.client.put(url, content=b"x", headers=service.service_token)
        assert put.json()["id"] == name
