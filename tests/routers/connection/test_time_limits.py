"""How long a client may take: to ask, to send a body, to read an answer, and to go."""

import asyncio
import json
from dataclasses import dataclass, field

import pytest
from starlette.types import Receive, Scope, Send

from tests.routers.connection.wire import Client, Echo, Server, answer, serving, wait_for

HEAD = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"
LOGIN = b"POST /v1/auth/token HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\n"
MIB = 1024 * 1024


class Sender:
    """A client of a server that waits until what was sent has come."""

    def __init__(self, server: Server, *, receive_buffer: int | None = None) -> None:
        self.client = server.connect(receive_buffer=receive_buffer)
        self._server = server

    def send(self, data: bytes) -> None:
        expected = self._server.received + len(data)
        self.client.send(data)
        self._server.expect(expected)


def is_cut(client: Client, status: int) -> None:
    """Expect a refusal for slowness, and the end of the connection."""
    refused = client.answer()
    assert (refused.status, refused.headers["connection"]) == (status, "close")
    client.end()
    assert client.rest() == b""


def test_who_says_nothing_is_let_go_after_15_s(server: Server) -> None:
    client = server.connect()
    wait_for(lambda: server.connections == 1)
    server.pass_time(14.9)
    assert server.connections == 1
    server.pass_time(0.2)
    assert client.rest() == b""
    wait_for(lambda: server.connections == 0)


def test_a_head_has_15_s_however_it_drips(server: Server, echo: Echo) -> None:
    sender = Sender(server)
    for byte in HEAD[:14]:
        sender.send(bytes([byte]))
        server.pass_time(1)
    assert server.connections == 1
    server.pass_time(1.1)
    is_cut(sender.client, 408)
    assert not echo.seen


def test_the_next_head_has_as_long_from_its_first_byte(server: Server) -> None:
    sender = Sender(server)
    for _ in range(3):
        sender.send(HEAD[:5])
        server.pass_time(14)
        sender.send(HEAD[5:])
        assert sender.client.answer().status == 200
        wait_for(lambda: server.tasks == 0)
        server.pass_time(4)
    sender.send(b"\r\n")  # which begins nothing
    server.pass_time(15)
    assert sender.client.rest() == b""


def test_who_asks_nothing_more_is_let_go_after_5_s(server: Server) -> None:
    client = server.connect()
    client.send(HEAD)
    assert client.answer().status == 200
    wait_for(lambda: server.tasks == 0)
    server.pass_time(5)
    assert client.rest() == b""


def test_a_body_that_drips_is_cut_off(server: Server, echo: Echo) -> None:
    sender = Sender(server)
    sender.send(LOGIN)
    for _ in range(5):  # a byte each 25 s
        sender.send(b"x")
        server.pass_time(25)
    is_cut(sender.client, 408)
    wait_for(lambda: server.tasks == 0)
    assert not echo.seen[0].ended


@pytest.mark.parametrize("field", [b"Tus-Resumable: 1.0.0", b"Upload-Complete: ?1"])
def test_uploads_that_can_go_on_are_told_something_that_clients_retry(
    server: Server, field: bytes
) -> None:
    sender = Sender(server)
    sender.send(LOGIN.replace(b"Content-Length", field + b"\r\nContent-Length"))
    server.pass_time(60)
    sender.send(b"x")
    server.pass_time(60)
    is_cut(sender.client, 503)


def test_a_body_of_a_kib_a_second_is_not(server: Server) -> None:
    sender = Sender(server)
    minutes = 5
    length = b"Content-Length: %d" % (minutes * 60 * 1024)
    sender.send(LOGIN.replace(b"Content-Length: 1000", length))
    server.pass_time(60)  # the first minute is free
    for _ in range(minutes):
        sender.send(b"x" * 60 * 1024)
        server.pass_time(60)
    assert len(json.loads(sender.client.answer().body)[2]) == minutes * 60 * 1024


def test_chunks_of_nothing_do_not_count(server: Server) -> None:
    sender = Sender(server)
    sender.send(LOGIN.replace(b"Content-Length: 1000", b"Transfer-Encoding: chunked"))
    for _ in range(12):
        sender.send(b"1" + b";x" * 5000 + b"\r\nx\r\n")
        server.pass_time(10)
    is_cut(sender.client, 408)


@dataclass
class Hesitant:
    """An application that reads a body only when it is told to."""

    reads: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/refused":
            await answer(send, b"no", status=413)
            return
        await self.reads.wait()
        await Echo()(scope, receive, send)


def test_who_waits_for_the_application_is_not_cut_off() -> None:
    app = Hesitant()
    with serving(app) as server:
        sender = Sender(server)
        sender.send(LOGIN + b"x")
        expecting = Sender(server)
        expecting.send(LOGIN.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
        second = Sender(server)
        second.send(HEAD + LOGIN)  # it comes to the second only after the first
        for _ in range(10):
            server.pass_time(60)
        server.call(app.reads.set)
        assert expecting.client._stream.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert expecting.client._stream.readline() == b"\r\n"
        assert second.client.answer().status == 200
        for sent, waiting in ((999, sender), (1000, expecting), (1000, second)):
            waiting.send(b"x" * sent)
            assert json.loads(waiting.client.answer().body)[2] == "x" * 1000


def test_a_body_that_drips_on_after_an_early_answer_is_cut_off() -> None:
    with serving(Hesitant()) as server:
        sender = Sender(server)
        sender.send(LOGIN.replace(b"/v1/auth/token", b"/refused"))
        assert sender.client.answer().status == 413
        for _ in range(20):
            sender.send(b"x")
            server.pass_time(3)
        assert sender.client.rest() == b""


def test_silence_after_a_body_that_nobody_wanted_is_as_any() -> None:
    with serving(Hesitant()) as server:
        sender = Sender(server)
        sender.send(LOGIN.replace(b"/v1/auth/token", b"/refused"))
        assert sender.client.answer().status == 413
        sender.send(b"x" * 1000)
        server.pass_time(15)
        assert sender.client.rest() == b""
