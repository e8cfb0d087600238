"""Lines for a shell that an API key makes possible, each with the scopes that it takes."""

import json
import shlex
from dataclasses import dataclass
from typing import Final

KEY: Final = "hk_YOUR_KEY"
"""What stands in a line where the key goes."""


@dataclass(frozen=True, slots=True)
class CurlLine:
    """A line, what it does, and the scopes without which it does not."""

    title: str
    scopes: tuple[str, ...]
    line: str


def _link(kind: str, id_: str) -> str:
    """Return the options that ask for a link; curl knows ``--json`` only since 7.82."""
    body = json.dumps({"kind": kind, "id": id_, "time": 3600})
    return f"-H 'Content-Type: application/json' -d '{body}'"


# what to say, the scopes, curl's options, the path
_USES: Final = (
    ("Send a file, and get its link", "files:write", "-T photo.jpg", "/v1/send/"),
    ("List the files", "files:read", "", "/v1/files"),
    (
        "Put a text into the buffer",
        "buffer:write",
        "-X PUT -H 'X-Data-Type: text' --data-binary 'Hello'",
        "/v1/buffer",
    ),
    ("See what is in the buffer", "buffer:read", "", "/v1/buffer"),
    ("Add a picture", "pictures:write", "-F name=photo -F img=@photo.jpg", "/v1/pictures"),
    ("List the pictures", "pictures:read", "", "/v1/pictures"),
    ("Store a dump", "dumps:write", "-F label=app -F file=@crash.dmp", "/v1/dumps"),
    ("List the dumps", "dumps:read", "", "/v1/dumps"),
    ("Store a blob", "blobs:write", "-T hello.txt", "/v1/blobs/hello.txt/content"),
    ("Fetch a blob", "blobs:read", "", "/v1/blobs/hello.txt/content"),
    (
        "Make a link to a blob",
        "timelinks:write blobs:read",
        _link("blob", "hello.txt"),
        "/v1/timelinks",
    ),
    (
        "Make a link to a file, by its id",
        "timelinks:write files:read",
        _link("file", "ID"),
        "/v1/timelinks",
    ),
    (
        "Make a link to a picture, by its id",
        "timelinks:write pictures:read",
        _link("picture", "ID"),
        "/v1/timelinks",
    ),
    (
        "Make a link to a dump, by its id",
        "timelinks:write dumps:read",
        _link("dump", "ID"),
        "/v1/timelinks",
    ),
    ("List the links", "timelinks:read", "", "/v1/timelinks"),
    ("Read the metrics", "metrics:read", "", "/metrics"),
)
_SUBMIT: Final = "curl -F upload_file_minidump=@crash.dmp -F prod=app -F ver=1.0"


def curl_lines(url: str) -> list[CurlLine]:
    """Return the lines for a service at ``url``."""
    lines = []
    for title, scopes, options, path in _USES:
        words = f"curl -H 'Authorization: Bearer {KEY}'", options, shlex.quote(f"{url}{path}")
        lines.append(CurlLine(title, tuple(scopes.split()), " ".join(filter(None, words))))
    submit = shlex.quote(f"{url}/v1/dumps/minidump?key={KEY}")
    lines.append(
        CurlLine("Submit a crash, as an uploader does", ("dumps:submit",), f"{_SUBMIT} {submit}")
    )
    return lines
