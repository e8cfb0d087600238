"""Options of a file's link beside a raw body: headers, and all but the password in the query."""

from typing import Any, Final

from fastapi import Request

from app.errors import FieldError, InvalidRequest

PASSWORD: Final = "Link-Password"  # noqa: S105 - a header
NOTE: Final = "Link-Note"


def sent(request: Request) -> dict[str, Any]:
    """Return the password and the note that are in headers, as UTF-8.

    Raises `InvalidRequest` for a password in the URL, which logs and histories keep.
    """
    if "password" in request.query_params:
        detail = f"A password has no place in a URL; send it in the header {PASSWORD}"
        raise InvalidRequest(detail, errors=[FieldError(loc=["query", "password"], msg=detail)])
    headers = {"password": request.headers.get(PASSWORD), "note": request.headers.get(NOTE)}
    return {name: _text(value) for name, value in headers.items() if value is not None}


def _text(value: str) -> str:
    return value.encode("latin-1").decode("utf-8", "replace")
