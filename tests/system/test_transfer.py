"""Bytes in and out of a real process: what only a socket shows."""

import contextlib
import hashlib
import http.client
import socket
import sqlite3
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system import processes
from tests.system.processes import DEADLINE, SERVICE_TOKEN, Service, wait_for

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
LARGE = array("I", range(6 * MIB)).tobytes()  # 24 MiB: more than the kernel and the server buffer
TOKEN = f"Authorization: Bearer {SERVICE_TOKEN}"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One process on SQLite and local disk for all tests here."""
    folder = tmp_path_factory.mktemp("transfer")
    with processes.running({"DATA_DIR": str(folder / "data")}, folder) as service:
        yield service


@pytest.fixture
def data(service: Service) -> Path:
    """The folder of the service's data."""
    return service._output.parent / "data"


@contextlib.contextmanager
def connection(service: Service, *, receive_buffer: int | None = None) -> Iterator[socket.socket]:
    """Connect; a small receive buffer makes a client that the server has to wait for."""
    with socket.socket() as opened:
        if receive_buffer is not None:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        opened.settimeout(DEADLINE)
        opened.connect(service.address)
        yield opened


def head(request: str, *headers: str) -> bytes:
    return "\r\n".join([f"{request} HTTP/1.1", "Host: test", *headers, "", ""]).encode()


def answer_on(opened: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Read one whole answer; its connection can be used again."""
    answer = http.client.HTTPResponse(opened)
    answer.begin()
    headers = {name.lower(): value for name, value in answer.getheaders()}
    return answer.status, headers, answer.read()


def put(service: Service, name: str, content: bytes) -> None:
    assert service.client.put(f"/v1/blobs/{name}/content", content=content).is_success


def left_behind(data: Path) -> tuple[int, int, int]:
    """Return the pending objects, the bytes charged, and the files being staged."""
    with contextlib.closing(sqlite3.connect(data / "holdall.db")) as database:
        pending = database.execute("SELECT count(*) FROM objects WHERE state = 'pending'")
        charged = database.execute("SELECT sum(used_bytes) FROM accounts")
        numbers = int(pending.fetchone()[0]), int(charged.fetchone()[0])
    staged = [path for path in (data / "objects").rglob("*") if path.is_file() and is_staged(path)]
    return *numbers, len(staged)


def is_staged(path: Path) -> bool:
    return path.parts[-4] != "blobs" and "0" * 32 not in path.name


def uploads_aborted(service: Service) -> int:
    return sum((e.get("method"), e.get("aborted")) == ("PUT", True) for e in service.events)


def test_a_file_that_is_sent_in_pieces_comes_whole(service: Service) -> None:
    size = 130 * MIB + 1  # three pieces
    content = (LARGE * (size // len(LARGE) + 1))[:size]
    put(service, "pieces", content)
    answer = service.client.get("/v1/blobs/pieces/content")
    assert answer.headers["content-length"] == str(size)
    assert hashlib.sha256(answer.content).digest() == hashlib.sha256(content).digest()
    part = {"Range": f"bytes={3 * MIB}-{3 * MIB + 64 * MIB}"}  # a byte more than a piece
    answer = service.client.get("/v1/blobs/pieces/content", headers=part)
    assert answer.status_code == 206
    assert answer.content == content[3 * MIB : 67 * MIB + 1]
    sent = {size, 64 * MIB + 1}
    wait_for(lambda: sent <= {event.get("bytes_out") for event in service.events})


def test_a_large_file_comes_whole_and_in_parts(service: Service) -> None:
    put(service, "large", LARGE)
    sha256 = hashlib.sha256(LARGE).hexdigest()
    with connection(service) as opened:
        for header, part in [
            (None, slice(None)), ("bytes=0-0", slice(0, 1)), ("bytes=5-5000004", slice(5, 5000005)),
            ("bytes=-17000000", slice(-17_000_000, None)),
            ("bytes=16777216-", slice(16 * MIB, None)),
        ]:  # fmt: skip
            lines = [TOKEN] if header is None else [TOKEN, f"Range: {header}"]
            opened.sendall(head("GET /v1/blobs/large/content", *lines))
            status, headers, body = answer_on(opened)
            assert status == (200 if header is None else 206)
            assert headers["content-length"] == str(len(LARGE[part]))
            assert headers["etag"] == f'"{sha256}"'
            assert body == LARGE[part]
            # what follows on the same connection is in its place
            opened.sendall(head("HEAD /v1/blobs/large/content", TOKEN))
            assert opened.recv(65_536).startswith(b"HTTP/1.1 200")


def test_pipelined_requests_are_answered_in_turn(service: Service) -> None:
    json_blob = LARGE[: 5 * MIB]  # its JSON waits in the server's own buffer, not in the kernel's
    for name, content in (("small", b"small"), ("json", json_blob), ("large", LARGE)):
        put(service, name, content)
    in_json = service.client.get("/v1/blobs/json").content
    expected = {"json": in_json, "large/content": LARGE, "small/content": b"small"}
    paths = ["json", "large/content", "small/content", "large/content", "json", "small/content"]
    with connection(service) as opened:
        opened.sendall(b"".join(head(f"GET /v1/blobs/{path}", TOKEN) for path in paths))
        with opened.makefile("rb") as stream:
            for path in paths:
                assert stream.readline().startswith(b"HTTP/1.1 200")
                length = 0
                while line := stream.readline().strip():
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.partition(b":")[2])
                assert stream.read(length) == expected[path]


def test_a_slow_reader_gets_every_byte_and_holds_nobody_up(service: Service) -> None:
    put(service, "large", LARGE)
    put(service, "small", b"small")
    with contextlib.ExitStack() as stack:
        slow = [
            stack.enter_context(connection(service, receive_buffer=4096)) for _ in range(20)
        ]  # more than there are threads that send files
        for opened in slow:
            opened.sendall(head("GET /v1/blobs/large/content", TOKEN))
        for name, content in (("small", b"small"), ("large", LARGE)):
            assert service.client.get(f"/v1/blobs/{name}/content").content == content
        for opened in slow[:2]:
            assert answer_on(opened)[2] == LARGE


def test_a_reader_that_goes_away_is_let_go(service: Service) -> None:
    put(service, "large", LARGE)
    with connection(service) as opened:  # whatever it opens once and keeps
        opened.sendall(head("GET /v1/blobs/large/content", TOKEN))
        answer_on(opened)
        before = service.open_files  # the connection's among them
    with connection(service, receive_buffer=4096) as opened:
        opened.sendall(head("GET /v1/blobs/large/content", TOKEN))
        assert opened.recv(100).startswith(b"HTTP/1.1 200")
        wait_for(lambda: service.open_files > before)
    wait_for(lambda: service.open_files < before)


def test_a_blob_deleted_while_it_is_sent_is_whole_or_cut(service: Service) -> None:
    put(service, "gone", LARGE)
    with connection(service) as opened:
        opened.sendall(head("GET /v1/blobs/gone/content", TOKEN, "Connection: close"))
        got = opened.recv(1000)
        assert service.client.delete("/v1/blobs/gone").status_code == 204
        while received := opened.recv(MIB):
            got += received
    assert LARGE.startswith(got.partition(b"\r\n\r\n")[2])
    assert service.client.get("/v1/blobs/gone/content").status_code == 404


@pytest.mark.parametrize(
    "framing", ["Content-Length: 50000000", "Transfer-Encoding: chunked", "Content-Length: 1000"]
)
@pytest.mark.parametrize("sent", [0, 500, 5 * MIB])
def test_an_upload_that_breaks_off_leaves_nothing(
    service: Service, data: Path, framing: str, sent: int
) -> None:
    if framing.endswith("1000"):
        sent = min(sent, 999)
    before = left_behind(data)
    aborted = uploads_aborted(service)
    with connection(service) as opened:
        opened.sendall(head("PUT /v1/blobs/broken/content", TOKEN, framing))
        body = b"x" * sent
        opened.sendall(b"%x\r\n%b\r\n" % (sent, body) if "chunked" in framing and sent else body)
        if sent > 2 * MIB:  # it is under way: a row, a charge, a file
            wait_for(
                lambda: (
                    [a > b for a, b in zip(left_behind(data), before, strict=True)] == [True] * 3
                )
            )
    wait_for(lambda: uploads_aborted(service) > aborted)
    assert left_behind(data) == before
    assert service.client.get("/v1/blobs/broken/content").status_code == 404


@pytest.mark.parametrize("chunk", [1, 4096, MIB])
def test_chunks_of_any_size_make_one_body(service: Service, chunk: int) -> None:
    content = LARGE[: 50 * chunk + 1]
    with connection(service) as opened:
        opened.sendall(head("PUT /v1/blobs/chunked/content", TOKEN, "Transfer-Encoding: chunked"))
        for start in range(0, len(content), chunk):
            part = content[start : start + chunk]
            opened.sendall(b"%x;ext=1\r\n%b\r\n" % (len(part), part))
        opened.sendall(b"0\r\nTrailer: x\r\n\r\n")
        assert answer_on(opened)[0] in {200, 201}
    assert service.client.get("/v1/blobs/chunked/content").content == content


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([], 401),
        (["Authorization: Bearer hk_nonsense"], 401),
        ([TOKEN, 'If-Match: "x"'], 412),
        ([TOKEN, "Content-Digest: sha-256=:x:"], 400),
        ([TOKEN, "Content-Range: bytes 0-1/2"], 400),
    ],
)
def test_who_expects_to_be_told_is_told_before_the_body(
    service: Service, lines: list[str], status: int
) -> None:
    with connection(service) as opened:
        expecting = [*lines, "Expect: 100-continue", "Content-Length: 50000000"]
        opened.sendall(head("PUT /v1/blobs/expected/content", *expecting))
        got, _, body = answer_on(opened)
        assert got == status
        assert b'"status"' in body


def test_who_expects_to_go_on_is_told_so(service: Service) -> None:
    with connection(service) as opened:
        for content in (b"small", LARGE[: 3 * MIB]):
            opened.sendall(
                head(
                    "PUT /v1/blobs/continued/content",
                    TOKEN,
                    "Expect: 100-continue",
                    f"Content-Length: {len(content)}",
                )
            )
            assert opened.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
            opened.sendall(content)
            assert answer_on(opened)[0] in {200, 201}
            assert service.client.get("/v1/blobs/continued/content").content == content


def test_a_connection_goes_on_after_a_refusal_if_the_body_was_sent(service: Service) -> None:
    body = b"x" * (40 * MIB)  # a JSON body is refused at 12 MiB
    with connection(service) as opened:
        opened.sendall(head("POST /v1/blobs", TOKEN, f"Content-Length: {len(body)}"))
        assert answer_on(opened)[0] == 413  # before a byte of it was sent
        opened.sendall(body)
        opened.sendall(head("GET /v1/blobs/none", TOKEN))
        assert answer_on(opened)[0] == 404


def test_garbage_is_refused_and_the_service_goes_on(service: Service) -> None:
    for garbage in [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
        head("PUT /v1/blobs/a/content", TOKEN, "Content-Length: x"),
        head("PUT /v1/blobs/a/content", TOKEN, "Content-Length: -1"),
        head("PUT /v1/blobs/a/content", TOKEN, "Content-Length: 1", "Content-Length: 2"),
        head("PUT /v1/blobs/a/content", TOKEN, "Content-Length: 1", "Transfer-Encoding: chunked"),
        head("PUT /v1/blobs/a/content", TOKEN, "Transfer-Encoding: chunked") + b"zz\r\n",
        head("GET /v1/blobs/\x00", TOKEN), b"GET /v1/blobs/\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
    ]:  # fmt: skip
        with connection(service) as opened:
            opened.sendall(garbage)
            opened.shutdown(socket.SHUT_WR)
            got = b""
            with contextlib.suppress(ConnectionResetError):
                while received := opened.recv(65_536):
                    got += received
            assert not got or got[9:10] == b"4", got
    assert service.client.get("/v1/blobs/a").status_code == 404
    assert service.client.get("/healthz").status_code == 200


def test_a_path_that_is_not_ascii_and_a_query_that_is_no_text_are_survived(
    service: Service,
) -> None:
    with connection(service) as opened:
        opened.sendall(b"GET /nothing?\xff\xfe HTTP/1.1\r\nHost: [\r\n\r\n")
        status, headers, _ = answer_on(opened)
        assert status in {400, 404}
        if status == 404:
            assert headers["content-type"] == "application/problem+json"
