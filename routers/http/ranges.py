"""Conditional requests and ranges (RFC 9110 §13 and §14)."""

import re
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Final

from fastapi import Request
from starlette.datastructures import Headers

from app import clock
from app.errors import BadRequest, PreconditionFailed, RangeNotSatisfiable
from app.objects.preconditions import Preconditions
from storage.base import ByteRange

# no object is larger, and int() is slow for very many digits
_RANGE: Final = re.compile(r"bytes\s*=\s*(\d{0,99})\s*-\s*(\d{0,99})", re.ASCII | re.IGNORECASE)
_OF_RANGES: Final = frozenset(
    {b"range", b"if-range", b"if-match", b"if-none-match", b"if-modified-since",
     b"if-unmodified-since"}
)  # fmt: skip
_TAG: Final = r'(W/)?"([\x21\x23-\x7e\x80-\xff]*+)"'
_TAGS: Final = re.compile(rf"[ \t,]*+(?:{_TAG}(?:[ \t]*+(?:,[ \t,]*+|$)))*+")  # RFC 9110 §5.6.1
_EACH_TAG: Final = re.compile(_TAG)


def etag(sha256: bytes) -> str:
    """Return the strong entity tag of content."""
    return f'"{sha256.hex()}"'


def http_date(microseconds: int) -> str:
    """Return a moment as an HTTP date (RFC 9110 §5.6.7), in whole seconds."""
    return format_datetime(clock.to_datetime(microseconds).replace(microsecond=0), usegmt=True)


def parse_range(header: str | None, size: int) -> ByteRange | None:
    """Return the one range that a request asks for; None for the whole.

    Several ranges, other units and invalid syntax mean the whole. Raises `RangeNotSatisfiable`.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        if int(last) == 0:
            raise _not_satisfiable(size)
        # a suffix of nothing is satisfiable, but no Content-Range can say so (RFC 9110 §14.1.2)
        return ByteRange(max(0, size - int(last)), size) if size else None
    start = int(first)
    if last and int(last) < start:
        return None
    if start >= size:
        raise _not_satisfiable(size)
    return ByteRange(start, min(int(last) + 1, size) if last else size)


def _not_satisfiable(size: int) -> RangeNotSatisfiable:
    return RangeNotSatisfiable(headers={"Content-Range": f"bytes */{size}"})


def are_asked(request: Request) -> bool:
    """Tell whether a request has a range, or conditions."""
    return any(name in _OF_RANGES for name, _ in request.scope["headers"])


def is_unmodified(headers: Headers, sha256: bytes, modified_at: int | None) -> bool:
    """Tell whether a client has these bytes already (304); raises `PreconditionFailed`.

    Where it isn't known when they were modified, dates count for nothing (RFC 9110 §13.1.3).
    """
    tag = sha256.hex()
    modified = None if modified_at is None else modified_at // clock.SECOND
    if (if_match := _field(headers, "if-match")) is None:
        since = _date(headers.get("if-unmodified-since"))
        if modified is not None and since is not None and modified > since:
            raise PreconditionFailed("If-Unmodified-Since does not hold")
    elif not _includes(if_match, tag, weak=False):
        raise PreconditionFailed("If-Match does not hold")
    if (if_none_match := _field(headers, "if-none-match")) is not None:
        return _includes(if_none_match, tag, weak=True)
    since = _date(headers.get("if-modified-since"))
    return modified is not None and since is not None and modified <= since


def range_applies(if_range: str | None, sha256: bytes, modified_at: int | None, now: int) -> bool:
    """Tell whether If-Range permits to answer a range.

    A date does so only a second after the bytes were modified: before that, other bytes may have
    had the same date (RFC 9110 §8.8.2.2).
    """
    if if_range is None:
        return True
    if '"' in if_range:
        return if_range.strip() == etag(sha256)
    if modified_at is None:
        return False
    modified = modified_at // clock.SECOND
    return _date(if_range) == modified and modified < now // clock.SECOND


def write_preconditions(headers: Headers) -> Preconditions:
    """Return the preconditions of a write; raises `BadRequest` for an invalid list of tags."""
    return Preconditions(
        if_match=_tags(_field(headers, "if-match"), weak=False),
        if_none_match=_tags(_field(headers, "if-none-match"), weak=True),
        if_unmodified_since=_date(headers.get("if-unmodified-since")),
    )


def _field(headers: Headers, name: str) -> str | None:
    """Return a list-valued field, which may have several lines (RFC 9110 §5.3)."""
    lines = headers.getlist(name)
    return ", ".join(lines) if lines else None


def _tags(header: str | None, *, weak: bool) -> frozenset[str] | None:
    """Return the entity tags in a header; weak ones only if ``weak``.

    If the header is no valid list but holds tags, it matches nothing, where that refuses the write.
    """
    if header is None:
        return None
    if header.strip() == "*":
        return frozenset("*")
    tags = _listed(header)
    if not tags and (weak or not _EACH_TAG.search(header)):
        raise BadRequest("If-Match and If-None-Match hold entity tags in quotes, or *")
    return frozenset(tag for w, tag in tags if tag != "*" and (weak or not w))


def _includes(header: str, tag: str, *, weak: bool) -> bool:
    if header.strip() == "*":
        return True
    return any(t == tag and (weak or not w) for w, t in _listed(header))


def _listed(header: str) -> list[tuple[str, str]]:
    """Return the entity tags of a list, each with its weakness mark; none if it isn't valid."""
    return _EACH_TAG.findall(header) if _TAGS.fullmatch(header) else []


def _date(header: str | None) -> int | None:
    """Return an HTTP date in seconds; None for an invalid one, which must be ignored."""
    if header is None:
        return None
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    return clock.from_datetime(_aware(moment)) // clock.SECOND


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
