"""The headers of tus 1.0, the open protocol for resumable uploads (tus.io)."""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Final

from starlette.datastructures import Headers

from app.errors import BadRequest, FieldError, InvalidRequest

VERSION: Final = "1.0.0"
EXTENSIONS: Final = (
    "creation",
    "creation-with-upload",
    "creation-defer-length",
    "expiration",
    "termination",
)
MEDIA_TYPE: Final = "application/offset+octet-stream"
MAX_LENGTH: Final = 2**63 - 1

RESUMABLE: Final = {"Tus-Resumable": VERSION}
"""What every response has."""

_NUMBER: Final = re.compile(r"[0-9]{1,19}", re.ASCII)
_KEY: Final = re.compile(r"[!-+\--~]{1,255}")  # ASCII but spaces and commas
_MOST_KEYS: Final = 100


def is_spoken(headers: Headers) -> bool:
    """Tell whether a request is in this version of the protocol."""
    return headers.get("tus-resumable") == VERSION


def method_of(headers: Headers) -> str:
    """Return the method that a POST means: some proxies let only that pass."""
    return headers.get("x-http-method-override", "POST").upper()


def number_in(headers: Headers, header: str) -> int | None:
    """Return the number of bytes in a header, or None if it isn't there; raises `BadRequest`."""
    text = headers.get(header)
    if text is None:
        return None
    if not _NUMBER.fullmatch(text) or int(text) > MAX_LENGTH:
        raise BadRequest(f"{header} must be a number of bytes")
    return int(text)


def length_of_new(headers: Headers) -> int | None:
    """Return the length of an upload that is to be created; None: it is deferred."""
    length = number_in(headers, "Upload-Length")
    deferred = headers.get("upload-defer-length")
    if deferred not in {None, "1"}:
        raise BadRequest("Upload-Defer-Length can only be 1")
    if (length is None) == (deferred is None):
        raise BadRequest("Either Upload-Length or Upload-Defer-Length is required")
    return length


def metadata_of(headers: Headers) -> tuple[str, Mapping[str, str]]:
    """Return Upload-Metadata as it was sent, and what it says; raises `InvalidRequest`."""
    sent = headers.get("upload-metadata", "")
    values: dict[str, str] = {}
    for pair in filter(None, (pair.strip(" \t") for pair in sent.split(","))):
        key, _, encoded = pair.partition(" ")
        if not _KEY.fullmatch(key):
            raise _invalid("keys are ASCII without spaces and commas")
        if key in values:
            raise _invalid(f"the key {key} is there twice")
        try:
            values[key] = base64.b64decode(encoded.strip(" \t"), validate=True).decode()
        except (binascii.Error, ValueError):
            raise _invalid(f"the value of {key} is not UTF-8 in base64") from None
        if len(values) > _MOST_KEYS:
            raise _invalid(f"there may be up to {_MOST_KEYS} keys")
    return sent, values


def without(sent: str, key: str) -> str:
    """Return Upload-Metadata without a key, whose value is not to be kept as it was sent."""
    pairs = (pair.strip(" \t") for pair in sent.split(","))
    return ",".join(pair for pair in pairs if pair.partition(" ")[0] != key)


def _invalid(wrong: str) -> InvalidRequest:
    detail = f"Upload-Metadata is not valid: {wrong}"
    return InvalidRequest(
        detail, errors=[FieldError(loc=["header", "Upload-Metadata"], msg=detail)]
    )
