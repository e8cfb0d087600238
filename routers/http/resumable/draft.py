"""The headers of the IETF draft "Resumable Uploads for HTTP" (draft-ietf-httpbis-resumable-upload).

Its interop version 6 is that of the drafts 04 and 05, which Apple's clients speak; 8 is that from
09 on. Fields whose value is none of their type are ignored, as the draft says.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.datastructures import Headers

from app import clock
from app.errors import LengthMismatch, OffsetMismatch, UploadComplete
from app.uploads.entities import Upload

VERSIONS: Final = (6, 8)
MEDIA_TYPE: Final = "application/partial-upload"
RESUMPTION_SUPPORTED: Final = 104

_TYPES: Final = "https://iana.org/assignments/http-problem-types#"
_PARAMETERS: Final = r"(?:[ ]*;[ ]*[a-z*][a-z0-9_.*-]*(?:=[^;,]+)?)*"
_INTEGER: Final = re.compile(rf"([0-9]{{1,15}}){_PARAMETERS}")  # RFC 9651 §3.3.1
_BOOLEAN: Final = re.compile(rf"\?([01]){_PARAMETERS}")


class MismatchingOffset(OffsetMismatch):
    """Bytes for another offset than where the upload goes on."""

    uri = f"{_TYPES}mismatching-upload-offset"

    @property
    def members(self) -> Mapping[str, Any]:
        return {"expected-offset": self.expected, "provided-offset": self.provided}


class InconsistentLength(LengthMismatch):
    """A length that differs from what was said before, or from what has arrived."""

    uri = f"{_TYPES}inconsistent-upload-length"


class CompletedUpload(UploadComplete):
    """An append to an upload that is complete."""

    uri = f"{_TYPES}completed-upload"
    status = 400


@dataclass(frozen=True, slots=True)
class Sent:
    """What a request says of an upload; None: nothing, or nothing that is valid."""

    version: int
    is_complete: bool | None
    """Whether its body is the end of the upload."""
    offset: int | None
    length: int | None


def version_of(headers: Headers) -> int | None:
    """Return the interop version of a request, or None if it has none that is spoken here."""
    version = _integer(headers, "upload-draft-interop-version")
    return version if version in VERSIONS else None


def is_part(headers: Headers) -> bool:
    """Tell whether a body is said to be a part, by clients of any version: 3 says it otherwise."""
    return (
        _boolean(headers, "upload-complete") is False
        or _boolean(headers, "upload-incomplete") is True
    )


def sent(headers: Headers) -> Sent | None:
    """Return what a request says of an upload, or None if it doesn't speak a version."""
    version = version_of(headers)
    if version is None:
        return None
    return Sent(
        version,
        _boolean(headers, "upload-complete"),
        _integer(headers, "upload-offset"),
        _integer(headers, "upload-length"),
    )


def echo(version: int) -> dict[str, str]:
    """Return the header by which clients know their own version."""
    return {"Upload-Draft-Interop-Version": str(version)}


def offer(version: int, upload: Upload, location: str) -> dict[str, str]:
    """Return the headers of the interim response that says where an upload can be resumed."""
    return echo(version) | {"Location": location, "Upload-Limit": _limits_of(version, upload)}


def progress(version: int, offset: int) -> dict[str, str]:
    """Return the headers of an interim response that says how many bytes are kept."""
    return echo(version) | {"Upload-Offset": str(offset)}


def state(version: int, upload: Upload) -> dict[str, str]:
    """Return the headers that say how far an upload is."""
    headers = echo(version) | {
        "Upload-Offset": str(upload.offset),
        "Upload-Complete": _flag(upload.is_finished),
        "Upload-Limit": _limits_of(version, upload),
    }
    if upload.length is not None:
        headers["Upload-Length"] = str(upload.length)
    return headers


def verdict(version: int, *, of_target: bool) -> dict[str, str]:
    """Return the headers of an error: whether it is the target's, so that resuming is of no use."""
    return echo(version) | {"Upload-Complete": _flag(of_target)}


def limits(version: int, lifetime: int, max_size: int | None = None) -> str:
    """Return the value of Upload-Limit; ``lifetime`` is in seconds."""
    age = "expires" if version == VERSIONS[0] else "max-age"
    values = {"min-size": 0, "max-size": max_size, age: lifetime}
    return ", ".join(f"{key}={value}" for key, value in values.items() if value is not None)


def _limits_of(version: int, upload: Upload) -> str:
    lifetime = max(0, upload.expires_at - clock.now()) // clock.SECOND
    return limits(version, lifetime, upload.max_size)


def _flag(value: bool) -> str:  # noqa: FBT001 - it is the value
    return "?1" if value else "?0"


def _integer(headers: Headers, name: str) -> int | None:
    match = _INTEGER.fullmatch(_item(headers, name))
    return None if match is None else int(match[1])


def _boolean(headers: Headers, name: str) -> bool | None:
    match = _BOOLEAN.fullmatch(_item(headers, name))
    return None if match is None else match[1] == "1"


def _item(headers: Headers, name: str) -> str:
    return ",".join(headers.getlist(name)).strip(" ")
