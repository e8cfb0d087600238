"""The client that posts to webhooks: to public addresses, within limits, and nowhere else.

A connection is made to an address that has been checked, not to a name, so that no answer of a name
server comes in between. Redirects aren't followed.
"""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from app import VERSION, clock
from app.webhooks.addresses import is_allowed
from app.webhooks.entities import Attempt
from app.webhooks.schedule import parse_retry_after

CONNECT_SECONDS: Final = 5.0
SECONDS: Final = 15.0
"""What a whole attempt may take: look-up, connection, request and answer."""

_MAX_ANSWER: Final = 64 * 1024  # bytes that are read of it
_MAX_KEPT: Final = 512  # of these
_HEADERS: Final = {
    "Content-Type": "application/json",
    "User-Agent": f"Holdall/{VERSION}",
    "Accept-Encoding": "identity",
}

LookUp = Callable[[str, int], list[Any]]
"""Returns what `socket.getaddrinfo` does for a host and a port."""


class _Refused(OSError):
    """The address is none that a webhook may lead to."""


class Client:
    """Posts bodies; each request has a connection of its own."""

    def __init__(
        self,
        *,
        private: bool,
        look_up: LookUp | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        """``private`` allows private addresses; ``trust`` says whose certificates are good."""
        self._private = private
        connector = aiohttp.TCPConnector(
            resolver=_Resolver(look_up or _look_up),
            use_dns_cache=False,
            limit=0,
            force_close=True,
            ssl=trust or ssl.create_default_context(),
            socket_factory=self._open_socket,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            auto_decompress=False,
            trust_env=False,
        )

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Attempt:
        """Post a body, and return what came of it; never raises but when it is cancelled."""
        at, begun = clock.now(), time.monotonic()
        status, answer, error, retry_after = None, bytearray(), None, None
        try:
            async with (
                asyncio.timeout(SECONDS),
                self._session.post(
                    url, data=body, headers=_HEADERS | dict(headers), allow_redirects=False
                ) as response,
            ):
                status = response.status
                retry_after = parse_retry_after(response.headers.get("Retry-After"), at)
                await _read(response.content, answer)
        except (aiohttp.ClientError, OSError, ValueError) as problem:
            # once there is a status, it counts, whatever becomes of the answer's body
            error = None if status is not None else _in_words(problem)
        took = round((time.monotonic() - begun) * 1000)
        return Attempt(at, took, status, _text(bytes(answer)), error, retry_after)

    async def aclose(self) -> None:
        """Close what is open."""
        await self._session.close()

    def _open_socket(self, info: Any) -> socket.socket:  # noqa: ANN401 - of getaddrinfo
        """Make the socket for an address, just before the connection; raises `_Refused`."""
        family, kind, protocol, _, address = info
        if not is_allowed(address[0], private=self._private):
            raise _Refused
        return socket.socket(family, kind, protocol)


class _Resolver(AbstractResolver):
    """Looks names up in threads of its own: a slow name server holds up nothing else."""

    def __init__(self, look_up: LookUp) -> None:
        self._look_up = look_up

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        del family
        loop = asyncio.get_running_loop()
        found: asyncio.Future[list[Any]] = loop.create_future()

        def run() -> None:
            try:
                infos, problem = self._look_up(host, port), None
            except OSError as error:
                infos, problem = [], error
            except UnicodeError:
                infos, problem = [], OSError("no name")
            with suppress(RuntimeError):  # the loop has been closed
                loop.call_soon_threadsafe(settle, infos, problem)

        def settle(infos: list[Any], problem: OSError | None) -> None:
            if found.done():  # nobody waits any more
                return
            if problem is None:
                found.set_result(infos)
            else:
                found.set_exception(problem)

        # daemons, since a look-up can't be cancelled, and none may keep the process from ending
        threading.Thread(target=run, name="webhook-name", daemon=True).start()
        return [
            ResolveResult(
                hostname=host,
                host=address[0],
                port=port,
                family=kind,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, address in await found
        ]

    async def close(self) -> None:
        pass


def _look_up(host: str, port: int) -> list[Any]:
    return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)


async def _read(content: aiohttp.StreamReader, answer: bytearray) -> None:
    """Read an answer as far as it is wanted, and keep its first bytes."""
    left = _MAX_ANSWER
    while left > 0 and (chunk := await content.read(left)):
        left -= len(chunk)
        answer += chunk[: _MAX_KEPT - len(answer)]


def _text(answer: bytes) -> str:
    """Return the bytes of an answer as a text that can be kept and shown."""
    text = answer.decode("utf-8", "replace")
    return "".join(c if c.isprintable() or c in "\n\t" else "�" for c in text)


def _in_words(problem: Exception) -> str:
    """Return why there was no answer; says nothing of addresses, which the network may hide."""
    cause = getattr(problem, "os_error", problem)
    words = "The connection broke before there was an answer"
    match problem:
        case _ if isinstance(cause, _Refused):
            words = "The address is not public"
        case TimeoutError():
            words = f"No answer within {SECONDS:.0f} seconds"
        case aiohttp.ClientConnectorDNSError():
            words = "The name of the host leads to no address"
        case aiohttp.ClientConnectorCertificateError():
            words = "The certificate is not valid for this host, or nobody known has signed it"
        case aiohttp.ClientConnectorSSLError():
            words = "TLS could not be agreed on"
        case aiohttp.ClientConnectorError() if isinstance(cause, ConnectionRefusedError):
            words = "The connection was refused"
        case aiohttp.ClientConnectorError():
            words = "No connection could be made"
        case aiohttp.InvalidURL():
            words = "The URL can't be used"
        case aiohttp.ClientResponseError(status=HTTPStatus.BAD_REQUEST):
            words = "The answer is not HTTP"
    return words
