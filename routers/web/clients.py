"""Clients as the connection shows them."""

from fastapi import Request


def address_of(request: Request) -> str:
    """Return the client's address, which limits count by and the log names."""
    return request.client.host if request.client else "unknown"
