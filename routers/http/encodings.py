"""Content codings of request bodies (RFC 9110 §8.4.1): kept with objects, refused elsewhere."""

import re
from typing import Final

from fastapi import Request

from app.errors import BadRequest, UnsupportedMediaType

MAX_LENGTH: Final = 255
_CODING: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_OF_MESSAGES: Final = frozenset({"aws-chunked", "chunked"})
"""Transfer codings, which say nothing of the content."""


def codings_of(header: str) -> tuple[str, ...]:
    """Return the codings in a Content-Encoding, in the order in which they were applied.

    ``identity`` is none. Raises `BadRequest`, or `UnsupportedMediaType` for what isn't a coding of
    content.
    """
    codings = tuple(c for part in header.split(",") if (c := part.strip().lower()))
    if len(header) > MAX_LENGTH or not all(_CODING.fullmatch(coding) for coding in codings):
        raise BadRequest("Content-Encoding holds no content codings")
    for coding in codings:
        if coding in _OF_MESSAGES:
            raise UnsupportedMediaType(f"The content coding {coding} is not supported")
    return tuple(coding for coding in codings if coding != "identity")


def codings_in(request: Request) -> tuple[str, ...]:
    """Return the codings that a request's body is in; raises as `codings_of`."""
    return codings_of(",".join(request.headers.getlist("content-encoding")))


def encoding_to_keep(header: str) -> str | None:
    """Return the value of Content-Encoding to be sent back with stored bytes; None: they have none.

    Raises as `codings_of`.
    """
    return ", ".join(codings_of(header)) or None


def require_plain(request: Request) -> None:
    """Raise `UnsupportedMediaType` for a body that would have to be decoded to be read."""
    if codings := codings_in(request):
        raise UnsupportedMediaType(f"JSON and forms are not taken encoded, as by {codings[-1]}")
