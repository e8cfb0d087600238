"""Answers as they leave: their framing, files that the kernel sends, and their ends."""

import asyncio
import json
import random
import socket
import struct
import threading
from hashlib import sha256
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

import pytest
from starlette.types import Receive, Scope, Send

from routers.connection.exchanges import ABORT, INTERIM, SEND_FILE
from tests.deadline import DEADLINE
from tests.routers.connection.wire import Echo, Server, answer, serving, wait_for

GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
PUT = b"PUT / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n"
MIB = 1024 * 1024


async def unframed(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer in three pieces, and don't say how much they are."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for piece in (b"one ", b"", b"two"):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body"})


def test_http_1_0_gets_no_chunks() -> None:
    with serving(unframed) as server:
        for request in (b"GET / HTTP/1.0\r\n", b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n"):
            client = server.connect()
            client.send(request + b"\r\n")
            got = client.answer()
            assert (got.status, got.body) == (200, b"one two")
            assert "transfer-encoding" not in got.headers
            assert got.headers["connection"] == "close"
            assert client.rest() == b""
        client = server.connect()
        client.send(GET)
        got = client.answer()
        assert (got.headers["transfer-encoding"], got.body) == ("chunked", b"one two")


def test_a_body_arrives_whole_in_whatever_pieces_it_comes() -> None:
    sizes = [300_000, *[1] * 3_000, 70_000, 65_536, 2, 150_000, 1]
    data = random.Random(7).randbytes(sum(sizes))

    async def hash_of(scope: Scope, receive: Receive, send: Send) -> None:
        digest, is_last = sha256(), False
        while not is_last:
            message = await receive()
            digest.update(message["body"])
            is_last = not message["more_body"]
        await answer(send, digest.hexdigest().encode())

    with serving(hash_of) as server:
        client = server.connect()
        client.send(b"PUT / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n")
        ends = list(accumulate(sizes))
        chunks = (data[end - size : end] for size, end in zip(sizes, ends, strict=True))
        client.send(b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks))
        client.send(b"0\r\n\r\n")
        assert client.answer().body == sha256(data).hexdigest().encode()


async def interim(send: Send, count: int, value: bytes = b"") -> None:
    for _ in range(count):
        await send({"type": INTERIM, "status": 104, "headers": [(b"x", value)]})


def test_interim_responses_come_before_the_final_one() -> None:
    async def tell(scope: Scope, receive: Receive, send: Send) -> None:
        assert (INTERIM in scope["extensions"]) is (scope["http_version"] == "1.1")
        if INTERIM in scope["extensions"]:
            await interim(send, 2, b"y")
        await receive()
        await answer(send, b"done")
        await interim(send, 1)

    with serving(tell) as server:
        client = server.connect()
        for _ in range(2):
            client.send(GET)
            for _ in range(2):
                told = client.interim()
                assert (told.status, told.headers) == (104, {"x": "y"})
            assert client.answer().body == b"done"
        old = server.connect()
        old.send(b"GET / HTTP/1.0\r\n\r\n")
        assert old.answer().body == b"done"


def test_who_does_not_read_is_told_no_more_than_it_can_hold() -> None:
    async def tell(scope: Scope, receive: Receive, send: Send) -> None:
        await interim(send, 10_000, bytes(b"x" * 2000))
        await answer(send, b"done")

    with serving(tell) as server:
        client = server.connect(receive_buffer=4096)
        client.send(GET)
        told = 0
        while (found := client.interim()).status == 104:
            told += 1
        assert (found.status, found.headers["content-length"]) == (200, "4")
        assert told < 10_000


def test_http_1_0_is_not_told_to_go_on(server: Server) -> None:
    client = server.connect()
    head = b"PUT / HTTP/1.0\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n"
    client.send(head)
    server.expect(len(head))
    client.send(b"x")
    assert client.answer().status == 200


def test_who_has_asked_and_says_no_more_is_answered(server: Server) -> None:
    client = server.connect()
    client.send(GET + PUT + b"x" * 10 + GET)
    client.end()
    answers = [json.loads(client.answer().body)[0] for _ in range(3)]
    assert answers == ["GET", "PUT", "GET"]
    assert client.rest() == b""
    wait_for(lambda: server.connections == 0)


def test_who_says_no_more_to_events_has_left() -> None:
    """Only that ends them, and a client that is gone has said no more."""
    left = threading.Event()

    async def tell(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b":\n\n", "more_body": True})
        assert (await receive())["type"] == "http.disconnect"
        left.set()

    with serving(tell) as server:
        client = server.connect()
        client.send(GET)
        assert client.socket.recv(1000).startswith(b"HTTP/1.1 200")
        client.end()
        assert left.wait(DEADLINE)


def test_a_body_that_breaks_off_is_no_request(server: Server, echo: Echo) -> None:
    client = server.connect()
    client.send(PUT + b"x" * 9)
    client.end()
    assert client.rest() == b""
    wait_for(lambda: server.tasks == 0)
    assert not echo.seen[0].ended


class Slow:
    """An application that answers when it is told to, and notes whether the client went away."""

    def __init__(self) -> None:
        self.may_answer = asyncio.Event()
        self.lost = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        while (await receive())["more_body"]:
            pass
        waiting = [asyncio.ensure_future(receive()), asyncio.ensure_future(self.may_answer.wait())]
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        self.lost += waiting[0] in done
        await answer(send, b"at last")


def test_it_is_answered_however_late() -> None:
    app = Slow()
    with serving(app) as server:
        client = server.connect()
        client.send(GET)
        client.end()
        server.expect(len(GET))
        server.pass_time(3600)
        server.call(app.may_answer.set)
        assert client.answer().body == b"at last"
        assert client.rest() == b""
        assert app.lost == 0


def test_a_connection_lost_is_lost_for_the_answer_under_way() -> None:
    """Not only for the last one that was asked for."""
    app = Slow()
    with serving(app) as server:
        client = server.connect()
        client.send(GET * 3)
        server.expect(3 * len(GET))
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        wait_for(lambda: app.lost == 1)
        wait_for(lambda: server.tasks == 0)


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer without reading the body."""
    await answer(send, b"no", status=413)


@pytest.mark.parametrize("line", [b"Connection: close", b"Expect: 100-continue"])
def test_who_is_still_sending_can_read_an_early_answer(line: bytes) -> None:
    """After one to Expect the connection ends: whether the body comes is not to be known."""
    with serving(refuse) as server:
        client = server.connect()
        length = b"Content-Length: %d" % (100 * MIB)
        client.send(b"\r\n".join([b"PUT / HTTP/1.1", b"Host: test", length, line, b"", b""]))
        client.send(b"x" * MIB)
        got = client.answer()
        assert (got.status, got.headers["connection"], got.body) == (413, "close", b"no")
        client.send(b"x" * MIB)
        server.pass_time(2)
        assert client.rest() == b""


class Files:
    """An application that sends parts of a file: ``?start,stop``."""

    def __init__(self, path: Path, *, length: int | None = None) -> None:
        self._path = path
        self._length = length
        self.errors: list[BaseException] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        start, _, stop = scope["query_string"].partition(b",")
        with self._path.open("rb", buffering=0) as file:
            try:
                await self._answer(send, file, int(start), int(stop))
            except BaseException as error:
                self.errors.append(error)
                raise

    async def _answer(self, send: Send, file: BinaryIO, start: int, stop: int) -> None:
        length = stop - start if self._length is None else self._length
        headers = [(b"content-length", b"%d" % length)]
        await send({"type": "http.response.start", "status": 206, "headers": headers})
        part = {"file": file, "offset": start, "count": stop - start}
        await send({"type": SEND_FILE, **part})


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / "file"
    path.write_bytes(random.Random(6).randbytes(32 * MIB))
    return path


def ranged(start: int, stop: int, fields: bytes = b"") -> bytes:
    return b"GET /?%d,%d HTTP/1.1\r\nHost: test\r\n%b\r\n" % (start, stop, fields)


def test_the_kernel_sends_parts_of_files(path: Path) -> None:
    content = path.read_bytes()
    with serving(Files(path)) as server:
        client = server.connect()
        parts = [
            (0, len(content)),
            (5, 5),
            (1, 2),
            (17 * MIB, 32 * MIB),
            (len(content) - 3, len(content)),
        ]
        client.send(b"".join(ranged(start, stop) for start, stop in parts))
        for start, stop in parts:
            assert client.answer().body == content[start:stop]


def test_a_file_from_where_it_is_read_to_its_end(path: Path) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        with path.open("rb", buffering=0) as file:
            file.seek(-10, 2)
            headers = [(b"content-length", b"14")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": SEND_FILE, "file": file, "more_body": True})
            await send({"type": "http.response.body", "body": b" end"})

    with serving(app) as server:
        client = server.connect()
        client.send(GET + GET)
        for _ in range(2):
            assert client.answer().body == path.read_bytes()[-10:] + b" end"


def test_no_more_of_a_file_than_was_announced(path: Path) -> None:
    app = Files(path, length=10)
    with serving(app) as server:
        client = server.connect()
        client.send(ranged(0, 11))
        client.rest()
        wait_for(lambda: server.tasks == 0)
        assert isinstance(app.errors[0], RuntimeError)


def test_who_goes_while_a_file_is_sent_is_told_of(path: Path) -> None:
    app = Files(path)
    with serving(app) as server:
        client = server.connect(receive_buffer=4096)
        client.send(ranged(0, 32 * MIB))
        assert client.socket.recv(1)
        client.close()
        wait_for(lambda: server.tasks == 0)
        assert isinstance(app.errors[0], ConnectionError)


def test_who_is_given_up_by_the_kernel_is_gone(path: Path) -> None:
    app = Files(path)
    with serving(app) as server:
        client = server.connect(receive_buffer=4096, given_up_after=1)
        body = bytes(MIB)  # of which nobody reads more, so that sending alone meets the error
        client.send(ranged(0, 32 * MIB, f"Content-Length: {len(body)}\r\n".encode()) + body)
        wait_for(lambda: app.errors)
        assert isinstance(app.errors[0], ConnectionError)


def test_an_answer_can_be_broken_off() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert ABORT in scope["extensions"]
        headers = [(b"content-length", b"10")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await send({"type": ABORT})

    with serving(app) as server:
        client = server.connect()
        client.send(GET)
        assert client.rest().partition(b"\r\n\r\n")[2] in {b"x", b""}
        wait_for(lambda: server.connections == 0)


@pytest.mark.parametrize("line", [b"X: y", b"Connection: close"])
def test_who_takes_nothing_of_an_answer_is_cut_off(line: bytes) -> None:
    """Though the application has answered, and its answer waits in the connection."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, b"x" * 40 * MIB)

    with serving(app) as server:
        client = server.connect(receive_buffer=4096)
        client.send(GET[:-2] + line + b"\r\n\r\n")
        assert client.socket.recv(1)
        wait_for(lambda: server.tasks == 0)
        for _ in range(5):  # a reader who takes some of it in a minute stays
            server.pass_time(55)
            assert server.connections == 1
            read_some(client.socket)
        server.pass_time(120)
        wait_for(lambda: server.connections == 0)


def read_some(reader: socket.socket) -> None:
    """Read more than the kernels hold, so that the server's buffer shrinks."""
    left = 6 * MIB
    while left > 0:
        left -= len(reader.recv(left))
