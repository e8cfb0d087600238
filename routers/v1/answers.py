"""Answers to whoever has sent bytes: what has been made of them."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel
from pydantic_core import to_json

from app.blobs.entities import Blob
from app.buffer.entities import Clip
from app.bundles.entities import Bundle, Member
from app.dumps.entities import Dump
from app.files.entities import File
from app.objects.entities import Content, Receipt
from app.pictures.entities import Picture
from app.runtime import Runtime
from app.uploads.entities import Kind, Upload
from app.uploads.makers import Made
from routers.http import ranges
from routers.http.headers import repr_digest
from routers.v1.schemas.blobs import StoredBlob
from routers.v1.schemas.buffer import BufferContent
from routers.v1.schemas.bundles import Bundle as BundleAnswer
from routers.v1.schemas.bundles import Member as MemberAnswer
from routers.v1.schemas.bundles import MemberList
from routers.v1.schemas.dumps.dumps import Dump as DumpAnswer
from routers.v1.schemas.files import StoredFile
from routers.v1.schemas.pictures import Picture as PictureAnswer
from routers.web.urls import base_path, base_url, file_link, locate, own_link

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


_MEMBER: Final = "/v1/bundles/{bundle}/items/{}"


def made(request: Request, runtime: Runtime, what: Made, target: str = "") -> Response:
    """Return the answer of the route that makes such things at once; ``target`` names another."""
    match what:
        case File() if target == BY_LINK:
            return sent(request, runtime, what)
        case Member():
            return members(request, [what])
        case File() | Dump() | Picture():
            return _created(request, *_described(request, runtime, what))
        case (Blob() as blob, is_new):
            return _put(StoredBlob.of(blob), blob.content, is_new=is_new)
        case (Clip() as clip, was_empty):
            return _put(BufferContent.of(clip), clip.content, is_new=was_empty)
    raise TypeError(what)


def _described(
    request: Request, runtime: Runtime, what: File | Dump | Picture
) -> tuple[BaseModel, str]:
    """Return a thing as clients see it, and where."""
    match what:
        case File():
            return StoredFile.of(what, file_link(request, runtime, what)), f"/v1/files/{what.uuid}"
        case Dump():
            return DumpAnswer.of(what), f"/v1/dumps/{what.uuid}"
        case Picture():
            return PictureAnswer.of(what), f"/v1/pictures/{what.uuid}"


def made_at(request: Request, upload: Upload) -> dict[str, str]:
    """Return the header that says where to find what has been made of an upload, if anything.

    A stranger gets its digest instead.
    """
    if upload.kind is Kind.INBOX:  # strangers don't get to know where it is
        receipt: Receipt | None = upload.result
        return {} if receipt is None else {"Repr-Digest": repr_digest(receipt.sha256)}
    if upload.made is None:
        return {}
    template = _MEMBER if "bundle" in upload.fields else _PATHS[upload.kind]
    path = template.format(quote(upload.made, safe=""), bundle=upload.fields.get("bundle"))
    return {"Content-Location": base_path(request) + path}


def sent(request: Request, runtime: Runtime, what: File | Bundle) -> Response:
    """Return the link of what was sent in plain text, or the thing if JSON is asked for."""
    link = own_link(request, runtime, what.link)
    if isinstance(what, File):
        path, content, model = f"/v1/files/{what.uuid}", "/content", StoredFile.of(what, link)
        return _sent(request, runtime, link, path, content, model, what.clamped)
    path = f"/v1/bundles/{what.uuid}"
    return _sent(request, runtime, link, path, "", BundleAnswer.of(what, link), what.clamped)


def _sent(
    request: Request,
    runtime: Runtime,
    link: str | None,
    path: str,
    content: str,
    model: BaseModel,
    clamped: Sequence[str],
) -> Response:
    url = base_url(request, runtime) + path
    if "application/json" in request.headers.get("accept", ""):
        response = _created(request, model, path)
    else:
        response = Response(f"{link or url + content}\n", 201, media_type="text/plain")
        locate(request, response, path)
    response.headers["X-Url-Delete"] = url
    if clamped:
        response.headers["X-Clamped"] = ", ".join(clamped)
    return response


def members(request: Request, added: Sequence[Member]) -> Response:
    """Return members that have been added to a bundle; the only one is where Location says."""
    answer = MemberList(items=[MemberAnswer.of(member) for member in added], next_cursor=None)
    first = added[0]
    path = f"/v1/bundles/{first.bundle}/items"
    return _created(request, answer, f"{path}/{first.uuid}" if len(added) == 1 else path)


def _created(request: Request, model: BaseModel, path: str) -> Response:
    response = Response(to_json(model), 201, media_type="application/json")
    locate(request, response, path)
    return response


def _put(model: BaseModel, content: Content, *, is_new: bool) -> Response:
    status, headers = 201 if is_new else 200, {"ETag": ranges.etag(content.sha256)}
    return Response(to_json(model), status, headers, media_type="application/json")
