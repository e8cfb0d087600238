"""The client of the large bodies: plain sockets, sendfile out, one reused buffer in.

The same for every server. It runs as a process of its own (``python -m bench.client``), so that no
server is measured together with an interpreter that has other things to do.
"""

import argparse
import hashlib
import json
import os
import selectors
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

BLOCK = 64 * 1024 * 1024
"""Bytes of random data in memory that bodies are made of, sent as often as the size asks for."""

BUFFER = 1024 * 1024
TIMEOUT = 120.0
"""Seconds that a server may leave a socket without a byte."""

BOUNDARY = "8dbd3a4b5f1f4b0f"
FORM_TYPE = f"Content-Type: multipart/form-data; boundary={BOUNDARY}"

_TUS = "Tus-Resumable: 1.0.0"
_TUS_TYPE = "Content-Type: application/offset+octet-stream"

BEGUN = "begun"
"""A client's first line."""

# The kernel's form of it, for sockets in blocking mode.
_TIMEVAL = struct.pack("ll", int(TIMEOUT), 0)

SLOW_PIECE, SLOW_PAUSE = 64 * 1024, 0.05
"""What a slow reader reads, in bytes, and how long it then waits, in seconds: 1.25 MiB/s."""


class WrongAnswer(Exception):
    """A server answered with another status or another length than was asked for."""


@dataclass(frozen=True)
class Transfer:
    """One body moved: seconds from connecting to the last byte of the answer, and its SHA-256."""

    seconds: float
    size: int
    sha256: str = ""


@dataclass(frozen=True)
class Call:
    """A request without its body: the port on 127.0.0.1, the target, and header lines."""

    port: int
    method: str
    target: str
    headers: Sequence[str] = ()
    is_form: bool = False
    """Whether the body goes as the file of a multipart form."""

    def wrapping(self) -> tuple[bytes, bytes]:
        """Return what goes before and after the body."""
        if not self.is_form:
            return b"", b""
        part = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="body"'
        return f"{part}\r\n\r\n".encode(), f"\r\n--{BOUNDARY}--\r\n".encode()

    def head(self, *extra: str) -> bytes:
        """Return the request's head as it goes over the wire."""
        lines = [f"{self.method} {self.target} HTTP/1.1", f"Host: 127.0.0.1:{self.port}"]
        return "\r\n".join([*lines, *self.headers, *extra, "", ""]).encode()

    def connect(self) -> socket.socket:
        """Open a connection to the server."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=TIMEOUT)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


def read_head(connection: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Read an answer's head: status, headers in lower case, and the body's bytes that came along.

    Interim answers (1xx) are skipped.
    """
    data = b""
    while True:
        while b"\r\n\r\n" not in data:
            received = connection.recv(65536)
            if not received:
                raise WrongAnswer(f"the connection ended after {data!r}")
            data += received
        head, _, data = data.partition(b"\r\n\r\n")
        status_line, *lines = head.decode("latin-1").split("\r\n")
        status = int(status_line.split()[1])
        if status >= 200:
            pairs = (line.partition(":") for line in lines)
            return status, {name.lower(): value.strip() for name, _, value in pairs}, data


def make_block(size: int) -> tuple[int, int]:
    """Return a memory file of random bytes and its length, at most `BLOCK` and at most ``size``."""
    length = min(BLOCK, size)
    block = os.memfd_create("body")
    for start in range(0, length, BUFFER):
        os.write(block, os.urandom(min(BUFFER, length - start)))
    return block, length


def digest_of(block: int, length: int, size: int) -> str:
    """Return the SHA-256 of the body of ``size`` bytes that `send` makes of a block."""
    digest = hashlib.sha256()
    for start in range(0, size, length):
        take = min(length, size - start)
        for offset in range(0, take, BUFFER):
            digest.update(os.pread(block, min(BUFFER, take - offset), offset))
    return digest.hexdigest()


def send(call: Call, block: int, length: int, size: int) -> Transfer:
    """Send a body of ``size`` bytes with sendfile and wait for the answer; any 2xx is right."""
    before, after = call.wrapping()
    lines = [f"Content-Length: {len(before) + size + len(after)}", "Connection: close"]
    begin = time.perf_counter()
    with call.connect() as connection:
        connection.sendall(call.head(*lines, *([FORM_TYPE] if call.is_form else [])) + before)
        _send_block(connection, block, length, size, after)
        _success(connection, call)
        return Transfer(time.perf_counter() - begin, size)


def send_pieces(call: Call, block: int, length: int, size: int) -> Transfer:
    """Upload a body by tus 1.0, which ``call`` creates: a request for the bytes of each block."""
    begin = time.perf_counter()
    with call.connect() as connection:
        connection.sendall(call.head(_TUS, f"Upload-Length: {size}", "Connection: close"))
        location = urlsplit(_success(connection, call)["location"])
    piece = replace(call, method="PATCH", target=location.path)
    with call.connect() as connection:
        for offset in range(0, size, length):
            count = min(length, size - offset)
            lines = [f"Upload-Offset: {offset}", f"Content-Length: {count}"]
            connection.sendall(piece.head(_TUS, _TUS_TYPE, *lines))
            _send_block(connection, block, length, count)
            _success(connection, piece)
    return Transfer(time.perf_counter() - begin, size)


def _send_block(
    connection: socket.socket, block: int, length: int, size: int, after: bytes = b""
) -> None:
    """Send ``size`` bytes of a block, as often as it takes, and some more."""
    # A socket with a timeout is non-blocking underneath, and sendfile needs a blocking one.
    connection.settimeout(None)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _TIMEVAL)
    sent = 0
    with suppress(BrokenPipeError, ConnectionResetError):  # Refused: the answer says why.
        while sent < size:
            offset = sent % length
            count = min(length - offset, size - sent)
            sent += os.sendfile(connection.fileno(), block, offset, count)
        connection.sendall(after)
    connection.settimeout(TIMEOUT)


def _success(connection: socket.socket, call: Call) -> dict[str, str]:
    """Return the headers of an answer; raises `WrongAnswer` for any status but 2xx."""
    status, headers, rest = read_head(connection)
    if not 200 <= status < 300:
        raise WrongAnswer(f"{call.method} {call.target}: {status} {rest[:500]!r}")
    return headers


def receive(call: Call, size: int, *, digest: bool) -> Transfer:
    """Read a body of ``size`` bytes into one buffer, over and over, and drop it."""
    buffer = memoryview(bytearray(BUFFER))
    sha256 = hashlib.sha256()
    begin = time.perf_counter()
    with call.connect() as connection:
        connection.sendall(call.head("Connection: close"))
        status, headers, rest = read_head(connection)
        if status != 200 or int(headers.get("content-length", -1)) != size:
            raise WrongAnswer(f"GET {call.target}: {status} {headers} {rest[:500]!r}")
        connection.settimeout(None)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEVAL)
        sha256.update(rest)
        left = size - len(rest)
        while left:
            count = connection.recv_into(buffer)
            if not count:
                raise WrongAnswer(f"GET {call.target}: {left} bytes are missing")
            if digest:
                sha256.update(buffer[:count])
            left -= count
    return Transfer(time.perf_counter() - begin, size, sha256.hexdigest() if digest else "")


def read_slowly(call: Call, readers: int) -> None:
    """Hold slow downloads open until this process is ended; one that ends begins anew."""
    buffer = memoryview(bytearray(SLOW_PIECE))
    ready = selectors.DefaultSelector()
    for _ in range(readers):
        ready.register(_ask(call), selectors.EVENT_READ)
    print(BEGUN, flush=True)
    while True:
        for key, _ in ready.select():
            connection = key.fileobj
            assert isinstance(connection, socket.socket)
            if not connection.recv_into(buffer):
                ready.unregister(connection)
                connection.close()
                ready.register(_ask(call), selectors.EVENT_READ)
        time.sleep(SLOW_PAUSE)


def run(call: Call, action: str, size: int, *, digest: bool = False) -> Transfer:
    """Move one body in a process of its own; raises `WrongAnswer` when it fails."""
    with start(call, action, size, digest=digest) as process:
        return finish(process)


def start(call: Call, action: str, size: int, *, digest: bool = False) -> subprocess.Popen[str]:
    """Start a client (``put``, ``pieces``, ``get``, or ``size`` readers that are ``slow``).

    Its first line comes when it is about to connect; for slow readers, when they all read.
    """
    command = [sys.executable, "-m", "bench.client", action, call.method, call.target]
    command += ["--port", str(call.port), "--size", str(size)]
    command += [f"--header={line}" for line in call.headers]
    if digest:
        command.append("--digest")
    if call.is_form:
        command.append("--form")
    return subprocess.Popen(
        command,
        cwd=Path(__file__).parent.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> Transfer:
    """Wait for a client that `start` started; raises `WrongAnswer` when it failed."""
    assert process.stdout is not None
    assert process.stderr is not None
    output, errors = process.stdout.read(), process.stderr.read()
    if process.wait() != 0:
        raise WrongAnswer(errors.strip().rpartition("\n")[2])
    return Transfer(**json.loads(output.strip().rpartition("\n")[2]))


def wait_until_begun(process: subprocess.Popen[str]) -> None:
    """Wait for the first line of a client that `start` started."""
    assert process.stdout is not None
    process.stdout.readline()


def _ask(call: Call) -> socket.socket:
    connection = call.connect()
    # A small window, or the kernel would take megabytes in on behalf of a reader that reads none.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_PIECE)
    connection.sendall(call.head("Connection: close"))
    return connection


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("action", choices=["put", "pieces", "get", "slow"])
    parser.add_argument("method")
    parser.add_argument("target")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--digest", action="store_true")
    parser.add_argument("--form", action="store_true")
    given = parser.parse_args()
    call = Call(given.port, given.method, given.target, given.header, given.form)
    if given.action == "slow":
        read_slowly(call, given.size)
    if given.action == "get":
        print(BEGUN, flush=True)
        print(json.dumps(asdict(receive(call, given.size, digest=given.digest))))
        return
    block, length = make_block(given.size)
    expected = digest_of(block, length, given.size) if given.digest else ""
    print(BEGUN, flush=True)
    sending = send if given.action == "put" else send_pieces
    done = sending(call, block, length, given.size)
    print(json.dumps(asdict(Transfer(done.seconds, done.size, expected))))


if __name__ == "__main__":
    _main()
