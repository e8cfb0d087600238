"""Digests that requests announce for their bodies (RFC 9530, and RFC 1864's Content-MD5)."""

import base64
import binascii
import re
from typing import Final

from fastapi import Request

from app.errors import BadRequest
from app.objects.digests import ALGORITHMS, MD5, SHA256, SHA512, Digests

OF_BODY: Final = ("content-digest",)
OF_STORED_BODY: Final = ("content-digest", "repr-digest")
"""The fields for a raw body, which is the representation itself."""

_ALGORITHMS: Final = {"sha-256": SHA256, "sha-512": SHA512}
_MEMBER: Final = re.compile(r"([^=;]*)(?:=([^;]*))?(?:;.*)?", re.DOTALL)  # RFC 9651 §3.2
_BYTES: Final = re.compile(r":[A-Za-z0-9+/]*={0,2}:")


def announced_digests(request: Request, fields: tuple[str, ...] = OF_BODY) -> Digests:
    """Return the digests in a request's fields and in Content-MD5.

    Unknown algorithms are ignored, as RFC 9530 says. Raises `BadRequest` for a
    digest that is none, and where two fields differ.
    """
    found: dict[str, bytes] = {}
    for field in fields:
        for name, digest in _members(request, field).items():
            if found.setdefault(name, digest) != digest:
                raise BadRequest("Content-Digest and Repr-Digest differ")
    for value in request.headers.getlist("content-md5"):
        digest = _digest(MD5, value.strip(), "Content-MD5 holds no MD5, which is base64")
        if found.setdefault(MD5, digest) != digest:
            raise BadRequest("Content-MD5 is there twice")
    return frozenset(found.items())


def whole_digests(request: Request) -> Digests:
    """Return the digests in Repr-Digest, where the body may be a part of the representation."""
    return frozenset(_members(request, "repr-digest").items())


def _members(request: Request, field: str) -> dict[str, bytes]:
    """Return the digests in a field; the last one of an algorithm counts (RFC 9651 §4.2)."""
    found: dict[str, bytes] = {}
    for member in ",".join(request.headers.getlist(field)).split(","):
        match = _MEMBER.fullmatch(member.strip())
        assert match is not None  # it matches everything
        key, value = match[1].strip().lower(), (match[2] or "").strip()
        name = _ALGORITHMS.get(key)
        if name is not None:
            wrong = f"{field.title()} holds no {name}, which looks like {key}=:base64:"
            if not _BYTES.fullmatch(value):
                raise BadRequest(wrong)
            found[name] = _digest(name, value[1:-1], wrong)
    return found


def _digest(name: str, text: str, wrong: str) -> bytes:
    try:
        digest = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        digest = b""
    if len(digest) != ALGORITHMS[name]().digest_size:
        raise BadRequest(wrong)
    return digest
