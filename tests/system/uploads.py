"""An upload over a plain socket, which can stall, go on or break off at any byte."""

import http.client
import socket
from types import TracebackType
from typing import Self

from tests.system.processes import DEADLINE, SERVICE_TOKEN, Service


class Upload:
    """A PUT of a blob's content, by the built-in account, of which the test sends the bytes."""

    def __init__(self, service: Service, name: str, size: int) -> None:
        self.socket = socket.create_connection(service.address, timeout=DEADLINE)
        head = (
            f"PUT /v1/blobs/{name}/content HTTP/1.1\r\nHost: here\r\n"
            f"Authorization: Bearer {SERVICE_TOKEN}\r\nContent-Length: {size}\r\n\r\n"
        )
        self.socket.sendall(head.encode())

    def send(self, data: bytes) -> None:
        """Send some of the body."""
        self.socket.sendall(data)

    def status(self) -> int:
        """Wait for the answer; returns its status."""
        with http.client.HTTPResponse(self.socket, method="PUT") as answer:
            answer.begin()
            answer.read()
            return answer.status

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.socket.close()
