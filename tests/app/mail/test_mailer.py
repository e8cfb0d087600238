"""Mail over real SMTP servers: those that take it, and those that refuse, hang or do no TLS."""

import asyncio
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope

from app.mail import smtp
from app.mail.smtp import SmtpMailer

pytestmark = pytest.mark.anyio

SENDER = "Höldall <holdall@example.org>"
PASSWORD = "pass wörd@/"
LOGIN = "me:pass%20w%C3%B6rd%40%2F"


class Postbox:
    """Takes mail, but for those whose address says that they want none."""

    def __init__(self) -> None:
        self.received: list[EmailMessage] = []
        self.logins: list[bytes] = []

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, _server: SMTP, _session: object, envelope: Envelope, address: str, _options: object
    ) -> str:
        if address.startswith("nobody"):
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: object, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.received.append(message)
        return "250 OK"

    def login(self, *arguments: Any) -> AuthResult:  # noqa: ANN401 - the library has few types
        self.logins.append(arguments[-1].password)
        return AuthResult(success=arguments[-1].password == PASSWORD.encode(), handled=False)


@pytest.fixture
def postbox() -> Postbox:
    """What a server has taken."""
    return Postbox()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of this host that vouches for itself, with its key behind it."""
    path = tmp_path_factory.mktemp("tls") / "host.pem"
    line = ["openssl", "req", "-x509", "-nodes", "-days", "2", "-newkey", "ec"]
    line += ["-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=localhost"]
    line += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "-", "-out", "-"]
    made = subprocess.run(line, check=True, capture_output=True)
    path.write_bytes(made.stdout)
    return path


def context_of(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@asynccontextmanager
async def serving(
    postbox: Postbox,
    tls: ssl.SSLContext | None = None,
    **options: Any,  # noqa: ANN401
) -> AsyncIterator[int]:
    """Run a server; yields its port."""
    loop, made = asyncio.get_running_loop(), []

    def make() -> SMTP:
        made.append(SMTP(postbox, hostname="here", loop=loop, **options))
        return made[-1]

    server = await loop.create_server(make, "127.0.0.1", 0, ssl=tls)
    async with server:
        yield server.sockets[0].getsockname()[1]
    for connection in made:  # those that the client has just left, too
        if connection.transport is not None:
            connection.transport.close()
    await asyncio.sleep(0)


async def send(url: str, recipient: str = "ada@example.org") -> bool:
    return await SmtpMailer(url, SENDER).send(recipient, "Wünsche", "Hällo,\n\nhttps://a/b\n")


async def test_a_letter_arrives_as_it_was_written(postbox: Postbox) -> None:
    async with serving(postbox) as port:
        assert await send(f"smtp://127.0.0.1:{port}")
        assert not await send(f"smtp://127.0.0.1:{port}", "nobody@example.org")
        assert not await send(f"smtp://127.0.0.1:{port}", "ada@example.org\r\nBcc: bob@example.org")
        assert await send(f"smtp://127.0.0.1:{port}", "ada..l.@example.org")
    letter, other = postbox.received
    assert other["To"] == "ada..l.@example.org"
    assert letter["From"] == "Höldall <holdall@example.org>"
    assert (letter["To"], letter["Subject"]) == ("ada@example.org", "Wünsche")
    assert letter["Message-ID"].endswith("@example.org>")
    assert letter.get_content().splitlines() == ["Hällo,", "", "https://a/b"]


async def test_a_password_is_sent_encrypted_alone(
    postbox: Postbox, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain: dict[str, Any] = {"authenticator": postbox.login, "auth_require_tls": False}
    starttls: dict[str, Any] = {"tls_context": context_of(certificate), "require_starttls": True}
    starttls |= {"authenticator": postbox.login, "auth_required": True}
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        open_port = await enter(serving(postbox, **plain))
        by_starttls = await enter(serving(postbox, **starttls))
        by_tls = await enter(serving(postbox, context_of(certificate), **plain))
        for url in (
            f"smtp://{LOGIN}@127.0.0.1:{by_starttls}",
            f"smtps://{LOGIN}@127.0.0.1:{by_tls}",
        ):
            assert not await send(url), "nobody vouches for the certificate"
        assert not await send(f"smtp://{LOGIN}@127.0.0.1:{open_port}")
        assert not postbox.logins
        assert await send(f"smtp://{LOGIN}@127.0.0.1:{open_port}?starttls=never")

        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        assert await send(f"smtp://{LOGIN}@127.0.0.1:{by_starttls}")
        assert await send(f"smtps://{LOGIN}@127.0.0.1:{by_tls}")
        assert not await send(f"smtp://me:wrong@127.0.0.1:{by_starttls}")
        assert not await send(f"smtp://127.0.0.1:{by_starttls}"), "it wants a login"
        assert not await send(f"smtp://127.0.0.1:{by_starttls}?starttls=never")
    assert len(postbox.received) == 3


async def _hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    del writer
    await reader.read()


async def _hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"421 not now\r\n")


@pytest.mark.parametrize("answer", [_hang, _hang_up, None])
async def test_a_server_that_does_not_do_its_work_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]] | None,
) -> None:
    monkeypatch.setattr(smtp, "TIMEOUT", 0.2)
    ended = asyncio.Event()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await (answer or _hang)(reader, writer)
        writer.close()
        await writer.wait_closed()
        ended.set()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    if answer is None:
        server.close()  # nobody listens
    begun = time.monotonic()
    assert not await send(f"smtp://127.0.0.1:{port}")
    assert time.monotonic() - begun < 5
    if answer is not None:
        await ended.wait()
    server.close()
