"""Multipart bodies in all their forms, cut into chunks anywhere."""

from collections.abc import AsyncIterator

import pytest

from app.errors import InvalidRequest
from routers.http.forms.segments import read_segments
from routers.http.names import disposition_name

pytestmark = pytest.mark.anyio

HEAD = b'Content-Disposition: form-data; name="%s"%s\r\n\r\n'
FILE = HEAD % (b"file", b'; filename="a.txt"')


async def segments(
    body: bytes, size: int, content_type: str = "multipart/form-data; boundary=XX"
) -> list[tuple[str | None, str | None, bytes]]:
    """Return name, file name and bytes of each segment of a body that comes in such chunks."""

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            yield body[start : start + size]

    found: list[tuple[str | None, str | None, bytes]] = []
    async for event in read_segments(chunks(), content_type):
        if isinstance(event, bytes):
            name, filename, data = found[-1]
            found[-1] = (name, filename, data + event)
        elif event is not None:
            filename = disposition_name(event.header("Content-Disposition", ""))
            found.append((event.name, filename, b""))
    return found


def form(*parts: bytes, boundary: bytes = b"XX", padding: bytes = b"") -> bytes:
    body = b"".join(b"--" + boundary + padding + b"\r\n" + part + b"\r\n" for part in parts)
    return body + b"--" + boundary + b"--" + padding + b"\r\n"


DATA = b"hello\r\n--X\r\n --XX \r\nx--XX  \r\n\r\r\n--XXX\t\r\n-\r\n--"
PARTS = (HEAD % (b"label", b"") + b"acme", FILE + DATA)
EXPECTED = [("label", None, b"acme"), ("file", "a.txt", DATA)]


@pytest.mark.parametrize("padding", [b"", b" ", b"\t", b" \t  ", b" " * 64])
@pytest.mark.parametrize("before", [b"", b"\r\n", b"preamble\r\n"])
async def test_blanks_after_a_boundary_are_none_of_a_body(padding: bytes, before: bytes) -> None:
    # a line that goes on after the boundary is data to whoever wrote it, and no boundary to us
    data = DATA.replace(b"\r\n--XXX\t\r\n", b"\r\n")
    body = before + form(PARTS[0], FILE + data, padding=padding)
    for size in (1, 2, 3, 7, 64, len(body)):
        assert await segments(body, size) == [EXPECTED[0], ("file", "a.txt", data)], size


async def test_bytes_come_as_they_are_wherever_they_are_cut() -> None:
    data = bytes(range(256)) * 3 + b"\r\n--X" + b"\r" * 70 + b"\r\n-- \r\n" + b"-" * 200
    body = form(FILE + data)
    for size in range(1, 300):
        assert await segments(body, size) == [("file", "a.txt", data)], size


@pytest.mark.parametrize(
    ("written", "boundary"),
    [("a:b/c=d", b"a:b/c=d"), ("'()+_,-./:=?", b"'()+_,-./:=?"), ('"a b c"', b"a b c"),
     ("XX; charset=utf-8", b"XX"), ("XX;", b"XX"), ('"a\\"b"', b'a"b'), ("\\1", b"\\1"),
     ("Z" * 70, b"Z" * 70)],
)  # fmt: skip
async def test_boundaries_of_all_kinds(written: str, boundary: bytes) -> None:
    kind = f"Multipart/Form-Data; BOUNDARY={written}"
    for padding in (b"", b"  "):
        body = form(*PARTS[:1], boundary=boundary, padding=padding)
        assert await segments(body, 5, kind) == EXPECTED[:1]


MIXED = (
    HEAD.replace(b"\r\n\r\n", b"\r\nContent-Type: multipart/mixed; boundary=YY\r\n\r\n")
    % (b"file", b"")
) + form(
    b'Content-Disposition: file; filename="1.txt"\r\n\r\none',
    b"Content-Disposition: attachment; filename*=UTF-8''zw%C3%B6.txt\r\n\r\ntwo",
    boundary=b"YY",
)


@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_files_that_share_a_field_are_files_of_it(size: int) -> None:
    body = form(PARTS[0], MIXED, FILE + b"three")
    assert await segments(body, size) == [
        EXPECTED[0],
        ("file", "1.txt", b"one"),
        ("file", "zwö.txt", b"two"),
        ("file", "a.txt", b"three"),
    ]


@pytest.mark.parametrize("mixed", [MIXED.replace(b"boundary=YY", b""), MIXED[:-8], MIXED[:-60]])
async def test_a_broken_field_of_files_is_refused(mixed: bytes) -> None:
    with pytest.raises(InvalidRequest):
        await segments(form(mixed), 100)
