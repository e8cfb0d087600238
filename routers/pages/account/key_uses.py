"""What an API key is used by: lines for a shell, and settings of programs."""

import json
import shlex
from dataclasses import dataclass
from typing import Final

KEY: Final = "hk_YOUR_KEY"
"""What stands in a line where the key goes."""


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A text to copy or to save, what it does, and the scopes without which it does not."""

    title: str
    scopes: tuple[str, ...]
    text: str
    file_name: str | None = None
    """The file that it is saved as; None: it is to be copied."""


def _link(kind: str, id_: str) -> str:
    """Return the options that ask for a link; curl knows ``--json`` only since 7.82."""
    body = json.dumps({"kind": kind, "id": id_, "time": 3600})
    return f"-H 'Content-Type: application/json' -d '{body}'"


# what to say, the scopes, curl's options, the path
_LINES: Final = (
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
    ("See what happened", "events:read", "", "/v1/events?limit=20"),
    ("Read the metrics", "metrics:read", "", "/metrics"),
)
_SUBMIT: Final = "curl -F upload_file_minidump=@crash.dmp -F prod=app -F ver=1.0"


def key_uses(url: str) -> list[KeyUse]:
    """Return the uses of a key of a service at ``url``."""
    uses = [
        KeyUse(title, tuple(scopes.split()), _curl(options, f"{url}{path}"))
        for title, scopes, options, path in _LINES
    ]
    submit = shlex.quote(f"{url}/v1/dumps/minidump?key={KEY}")
    return [
        KeyUse("A command: send FILE…", ("files:write",), _send_function(url)),
        _sharex(url, "file", "file", {}, "{json:link}"),
        _sharex(url, "picture", "img", {"name": "{filename}"}, f"{url}/pictures"),
        *uses,
        KeyUse("Submit a crash, as an uploader does", ("dumps:submit",), f"{_SUBMIT} {submit}"),
    ]


def _curl(options: str, url: str) -> str:
    words = f"curl -H 'Authorization: Bearer {KEY}'", options, shlex.quote(url)
    return " ".join(filter(None, words))


def _send_function(url: str) -> str:
    """Return a function for a shell's start-up file."""
    curl = _curl('-fsS -T "$file"', f"{url}/v1/send/")
    return f"send() {{ for file; do {curl} || return; done; }}"


def _sharex(url: str, kind: str, field: str, arguments: dict[str, str], link: str) -> KeyUse:
    """Return the settings of a custom uploader of ShareX, which makes pictures of screens."""
    settings = {
        "Version": "14.0.0",
        "Name": f"Holdall ({kind}s)",
        "DestinationType": "ImageUploader, FileUploader" if kind == "file" else "ImageUploader",
        "RequestMethod": "POST",
        "RequestURL": f"{url}/v1/{kind}s",
        "Headers": {"Authorization": f"Bearer {KEY}"},
        "Body": "MultipartFormData",
        "Arguments": arguments,
        "FileFormName": field,
        "URL": link,
        "ErrorMessage": "{json:detail}",
    }
    text = json.dumps(settings, indent=2)
    return KeyUse(f"ShareX, {kind}s", (f"{kind}s:write",), text, f"holdall-{kind}s.sxcu")
