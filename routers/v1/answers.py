"""Answers to whoever has sent bytes: what has been made of them."""

from typing import Final
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel
from pydantic_core import to_json

from app.blobs.entities import Blob
from app.buffer.entities import Clip
from app.dumps.entities import Dump
from app.files.entities import File
from app.objects.entities import Content
from app.pictures.entities import Picture
from app.runtime import Runtime
from app.uploads.entities import Kind, Upload
from app.uploads.makers import Made
from routers.http import ranges
from routers.v1.schemas.blobs import StoredBlob
from routers.v1.schemas.buffer import BufferContent
from routers.v1.schemas.dumps import Dump as DumpAnswer
from routers.v1.schemas.files import StoredFile
from routers.v1.schemas.pictures import Picture as PictureAnswer
from routers.web.urls import base_path, base_url, file_link, locate

BY_LINK: Final = "send"
"""The target that answers a file's link instead of the file."""

_PATHS: Final = {
    Kind.FILE: "/v1/files/{}",
    Kind.BLOB: "/v1/blobs/{}/content",
    Kind.DUMP: "/v1/dumps/{}",
    Kind.PICTURE: "/v1/pictures/{}",
    Kind.BUFFER: "/v1/buffer",
}
"""Where clients find what has been made of an upload."""


def made(request: Request, runtime: Runtime, what: Made, target: str = "") -> Response:
    """Return the answer of the route that makes such things at once; ``target`` names another."""
    match what:
        case File() if target == BY_LINK:
            return sent_file(request, runtime, what)
        case File():
            stored = StoredFile.of(what, file_link(request, runtime, what))
            return _created(request, stored, f"/v1/files/{what.uuid}")
        case Dump():
            return _created(request, DumpAnswer.of(what), f"/v1/dumps/{what.uuid}")
        case Picture():
            return _created(request, PictureAnswer.of(what), f"/v1/pictures/{what.uuid}")
        case (Blob() as blob, is_new):
            return _put(StoredBlob.of(blob), blob.content, is_new=is_new)
        case (Clip() as clip, was_empty):
            return _put(BufferContent.of(clip), clip.content, is_new=was_empty)
    raise TypeError(what)


def made_at(request: Request, upload: Upload) -> dict[str, str]:
    """Return the header that says where to find what has been made of an upload, if anything."""
    if upload.made is None:
        return {}
    path = _PATHS[upload.kind].format(quote(upload.made, safe=""))
    return {"Content-Location": base_path(request) + path}


def sent_file(request: Request, runtime: Runtime, file: File) -> Response:
    """Return a file's link in plain text, or the file if JSON is asked for."""
    link, path = file_link(request, runtime, file), f"/v1/files/{file.uuid}"
    url = base_url(request, runtime) + path
    if "application/json" in request.headers.get("accept", ""):
        response = _created(request, StoredFile.of(file, link), path)
    else:
        response = Response(f"{link or f'{url}/content'}\n", 201, media_type="text/plain")
        locate(request, response, path)
    response.headers["X-Url-Delete"] = url
    if file.clamped:
        response.headers["X-Clamped"] = ", ".join(file.clamped)
    return response


def _created(request: Request, model: BaseModel, path: str) -> Response:
    response = Response(to_json(model), 201, media_type="application/json")
    locate(request, response, path)
    return response


def _put(model: BaseModel, content: Content, *, is_new: bool) -> Response:
    status, headers = 201 if is_new else 200, {"ETag": ranges.etag(content.sha256)}
    return Response(to_json(model), status, headers, media_type="application/json")
