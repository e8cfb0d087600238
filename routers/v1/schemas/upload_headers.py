"""The headers of uploads that can be resumed, as the OpenAPI document has them."""

import re
from typing import Any, Final

from routers.http.resumable import tus
from routers.web.openapi import header, optional_header, required_header

VERSION: Final = required_header("Tus-Resumable", "The version: `1.0.0`.", tus.VERSION)
_BODY: Final = {
    "required": True,
    "content": {tus.MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
}
NEW: Final[dict[str, Any]] = {
    "parameters": [
        VERSION,
        optional_header("Upload-Length", "Bytes of the whole upload.", "104857600"),
        optional_header("Upload-Defer-Length", "`1`: the length is said later.", "1"),
        optional_header(
            "Upload-Metadata",
            "What is uploaded, as pairs of a key and a value in base64: `kind` (file, blob, dump, "
            "picture, buffer), `filename`, `filetype`, and the fields of the kind's own form.",
            "filename cGhvdG8uanBn,filetype aW1hZ2UvanBlZw==",
        ),
    ],
}
APPENDED: Final[dict[str, Any]] = {
    "parameters": [
        VERSION,
        required_header("Upload-Offset", "Where the bytes go: at the end of those there.", "0"),
        optional_header("Upload-Length", "Of the whole upload, if it was deferred.", "104857600"),
    ],
    "requestBody": _BODY,
}
OVERRIDDEN: Final[dict[str, Any]] = APPENDED | {
    "parameters": [
        required_header("X-HTTP-Method-Override", "PATCH, HEAD or DELETE.", "PATCH"),
        *APPENDED["parameters"],
    ]
}
_STATE: Final = {
    "Tus-Resumable": header("The version: `1.0.0`."),
    "Upload-Offset": header("How many bytes are kept: where the upload goes on."),
    "Upload-Expires": header("Until when the upload is kept."),
    "Content-Location": header("Where what has been made of it is, once it is complete."),
}
CREATED: Final[dict[int | str, dict[str, Any]]] = {
    201: {"description": "Created", "headers": _STATE}
}
APPENDED_TO: Final[dict[int | str, dict[str, Any]]] = {
    204: {"description": "The bytes are kept", "headers": _STATE}
}
FOUND: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "How far the upload is",
        "headers": _STATE
        | {
            "Upload-Length": header("Bytes of the whole upload."),
            "Upload-Defer-Length": header("`1`: the length isn't known."),
            "Upload-Metadata": header("As it was sent."),
        },
    }
}


def any_of(path: str) -> list[dict[str, Any]]:
    """Declare the parameters of a path whose answer is the same for all their values."""
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "description": "Any: the answer is the same.",
            "schema": {"type": "string"},
            "example": "photo.jpg",
        }
        for name in re.findall(r"{(\w+)", path)
    ]
