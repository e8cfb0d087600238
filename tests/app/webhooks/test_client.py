"""The client, against receivers that mean it no good."""

import asyncio
import gzip
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from app.webhooks.client import Client
from tests.receiver import Answer, Receiver, answer, hang, raw, receiving

pytestmark = pytest.mark.anyio

HOST = "hook.test"
MIB = 1024 * 1024


class Names:
    """A name server: each look-up takes the next answer, the last for ever."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = list(addresses)
        self.asked = 0

    def __call__(self, host: str, port: int) -> list[Any]:
        assert host == HOST
        self.asked += 1
        address = self._addresses.pop(0) if len(self._addresses) > 1 else self._addresses[0]
        return socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)


@asynccontextmanager
async def client(**options: Any) -> AsyncIterator[Client]:  # noqa: ANN401 - of `Client`
    opened = Client(**({"private": True} | options))
    try:
        yield opened
    finally:
        await opened.aclose()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def test_private_addresses_are_refused(receiver: Receiver) -> None:
    names = Names("127.0.0.1")
    async with client(private=False, look_up=names) as public:
        for host in ("127.0.0.1", HOST):
            attempt = await public.post(f"http://{host}:{receiver.port}/", b"{}", {})
            assert (attempt.status, attempt.error) == (None, "The address is not public")
    async with client(look_up=names) as private:
        assert (await private.post(f"http://{HOST}:{receiver.port}/", b"{}", {})).succeeded
    assert len(receiver.requests) == 1


async def test_a_name_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.webhooks.client.is_allowed", lambda text, **_: text == "127.0.0.2")
    async with receiving("127.0.0.2") as public, receiving("127.0.0.1", public.port) as inside:
        names = Names("127.0.0.2", "127.0.0.1")
        async with client(look_up=names) as rebound:
            assert (await rebound.post(f"http://{HOST}:{public.port}/", b"{}", {})).succeeded
            assert names.asked == 1
            attempt = await rebound.post(f"http://{HOST}:{public.port}/", b"{}", {})
            assert attempt.error == "The address is not public"
        assert public.requests[0].headers["host"] == f"{HOST}:{public.port}"
        assert (len(public.requests), inside.requests) == (1, [])


async def test_redirects_proxies_and_cookies(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = Names("127.0.0.1")
    async with receiving() as inside, client(look_up=names) as posting:
        url = f"http://{HOST}:{receiver.port}/"
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, inside.url)
        receiver.answers += [
            answer(307, location=inside.url, set_cookie="a=b; Path=/"),
            answer(301, location=inside.url),
        ]
        statuses = [(await posting.post(url, b"{}", {})).status for _ in range(3)]
        assert statuses == [307, 301, 204]
        assert inside.requests == []
    assert all("cookie" not in request.headers for request in receiver.requests)
    assert all("authorization" not in request.headers for request in receiver.requests)


async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer byte by byte, without an end."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(0.02)


async def dawdle(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Begin an answer whose head comes to no end."""
    writer.write(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        writer.write(b"1")
        await writer.drain()
        await asyncio.sleep(0.02)


def flood(sent: list[int]) -> Answer:
    """Return what answers with gigabytes, and counts what it could send."""

    async def send(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n")
        for _chunk in range(4096):
            writer.write(b"x" * MIB)
            await writer.drain()
            sent.append(MIB)

    return send


async def test_slow_answers_end_in_time(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.webhooks.client.SECONDS", 0.2)
    receiver.answers += [drip, dawdle, hang]
    async with client() as posting:
        attempts = [await posting.post(receiver.url, b"{}", {}) for _ in range(3)]
    assert [attempt.status for attempt in attempts] == [200, None, None]
    assert attempts[0].answer.startswith("..")
    assert all("No answer within" in (attempt.error or "") for attempt in attempts[1:])
    assert all(150 < attempt.milliseconds < 2000 for attempt in attempts)


async def test_large_answers_are_cut(receiver: Receiver) -> None:
    sent: list[int] = []
    bomb = gzip.compress(b"bomb" * MIB)
    receiver.answers += [flood(sent), answer(200, bomb, content_encoding="gzip")]
    async with client() as posting:
        attempt = await posting.post(receiver.url, b"{}", {})
        assert (attempt.status, attempt.answer) == (200, "x" * 512)
        inflated = await posting.post(receiver.url, b"{}", {})
        assert "bomb" not in inflated.answer
        assert inflated.status == 200
    assert sum(sent) < 64 * MIB  # what sockets hold, though nobody reads it


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (raw(b"220 mail.example.org ESMTP\r\n"), "not HTTP"),
        (raw(b""), "broke"),
        (raw(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 100_000), "not HTTP"),
        (raw(b"HTTP/1.1 200 OK\r\nX: " + b"a" * MIB + b"\r\n\r\n"), "not HTTP"),
    ],
)
async def test_answers_that_are_none(receiver: Receiver, reply: Answer, words: str) -> None:
    receiver.answers.append(reply)
    async with client() as posting:
        attempt = await posting.post(receiver.url, b"{}", {})
    assert attempt.status is None
    assert words in (attempt.error or "")


async def test_what_cannot_be_reached(receiver: Receiver) -> None:
    def unknown(host: str, port: int) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        async with client(look_up=unknown) as posting:
            attempts = [
                await posting.post(f"http://{where}/", b"{}", {})
                for where in (f"127.0.0.1:{port}", HOST, "127.1", "a..b", f"{'a' * 300}.test")
            ]
    errors = [attempt.error for attempt in attempts]
    assert errors[:2] == ["The connection was refused", "The name of the host leads to no address"]
    assert all(errors)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of `HOST` that vouches for itself, with its key behind it."""
    path = tmp_path_factory.mktemp("tls") / "host.pem"
    line = ["openssl", "req", "-x509", "-nodes", "-days", "2", "-newkey", "ec"]
    line += ["-pkeyopt", "ec_paramgen_curve:P-256", "-subj", f"/CN={HOST}"]
    line += ["-addext", f"subjectAltName=DNS:{HOST}", "-keyout", "-", "-out", "-"]
    path.write_bytes(subprocess.run(line, check=True, capture_output=True).stdout)
    return path


async def test_certificates_are_verified(certificate: Path) -> None:
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=str(certificate))
    names = Names("127.0.0.1")
    async with receiving(tls=serving) as receiver:
        url = f"https://{HOST}:{receiver.port}/"
        async with client(look_up=names, trust=trusting) as posting:
            assert (await posting.post(url, b"{}", {})).succeeded
            other_name = await posting.post(receiver.url, b"{}", {})
        async with client(look_up=names) as posting:
            nobody_known = await posting.post(url, b"{}", {})
    for refused in (other_name, nobody_known):
        assert "certificate" in (refused.error or "")
    assert len(receiver.requests) == 1
