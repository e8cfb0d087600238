"""VertexCloud's files: uploaded, listed, fetched and deleted by a session's key."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import WithJsonSchema
from pydantic_core import to_json

from app import clock
from app.errors import InvalidRequest, NotFound, Unauthorized
from app.files import by_name as named_files
from app.files import rows as files
from app.files.rows import File
from app.objects import media_types
from app.objects.lifecycle import Received
from app.objects.unclaimed import Held
from app.objects.uploads import Body
from app.runtime import Runtime
from app.security.addresses import networks_of
from routers.compat.vertexcloud.keys import (
    Holder,
    MediaRoute,
    Messages,
    VertexcloudRoute,
    admit,
    admit_by_cookie,
    answer,
    errors,
    refused,
)
from routers.compat.vertexcloud.schemas import (
    MEDIA,
    PRODUCER,
    VertexcloudCreated,
    VertexcloudFile,
    VertexcloudFileDeleted,
    VertexcloudFiles,
    VertexcloudKey,
    VertexcloudRefusal,
    VertexcloudUpload,
)
from routers.http.arrays import BATCH
from routers.http.bodies import content_length
from routers.http.downloads import Named, StreamedContent, send_content
from routers.http.forms import check_fields, describe_any, read_fields
from routers.http.headers import media_type
from routers.http.multipart import Part, read_parts
from routers.v1.files import UNNAMED
from routers.v1.schemas.dumps import Text
from routers.v1.schemas.files import FileFields
from routers.web.dependencies import RuntimeDep
from routers.web.downloadable import downloadable
from routers.web.forwarded import address_of
from routers.web.openapi import multipart_body
from routers.web.urls import base_path

_MAX_DIGITS: Final = 18  # of a number that every database has room for

_NO_KEY: Final = "A session's key is needed: add ?key= to the URL"
_NONE_SENT: Final = "Invalid Token or Did you forget to add your token to your parameters?"
_NOT_GOT: Final = (
    "Invalid Token Key. you can visit '/token/' for a new token key or get your existing ones"
)
_NOT_LISTED: Final = (
    "Invalid Key entered For this user. You can use /token/ endpoint to create a new key"
)
_NOT_CREATED: Final = (
    "Could not create file : -'{}' - due to Invalid Key! #if you need a new key, use this endpoint "
    "'/token/' and register a new key or check if you have an existing one."
)
_CREATING: Final = Messages.same(_NOT_CREATED)
_GETTING: Final = Messages.same(_NOT_GOT)
_DOWNLOADING: Final = Messages.same(_NO_KEY)
_LISTING: Final = Messages(
    missing=_NOT_LISTED, unknown=_NOT_LISTED, gone="User credentail is not valid for this Operation"
)
_DELETING: Final = Messages(
    missing="Route is locked due to No login credentials Found. Login to contnue",
    unknown="Invalid Token Key.",
    gone="Invalid Token key",
)

router = APIRouter(tags=["vertexcloud"], route_class=VertexcloudRoute)
media = APIRouter(tags=["vertexcloud"], route_class=MediaRoute)

# what is no number names no file, rather than being an error of its own
Number = Annotated[
    str | None,
    Query(alias="id", description="The file's id."),
    WithJsonSchema({"type": "integer"}),
]
Key = Annotated[str | None, Query(description="The session's key.")]


@router.post(
    "/create/file/",
    operation_id="vertexcloud_create_file",
    response_model=VertexcloudCreated | VertexcloudRefusal,
    responses=errors(400, 408, 413, 415, 503, 507),
    openapi_extra=multipart_body(VertexcloudUpload),
)
async def create_file(request: Request, runtime: RuntimeDep) -> Response:
    """Store a file, which is kept. One whose name is taken gets a number: `a_1.pdf`."""
    upload = _Upload(request, runtime)
    try:
        file = await upload.store()
    except Unauthorized:
        return refused(_NOT_CREATED.format(upload.name), producer=PRODUCER)
    return answer(
        VertexcloudCreated(file_type=file.content_type, filename=file.name, size=file.content.size)
    )


class _Upload:
    """A form with a file and a key, in any order.

    A file that comes after the key, or with a session's cookie, goes to the store as it arrives.
    One that comes first waits until the key says whose it is.
    """

    def __init__(self, request: Request, runtime: Runtime) -> None:
        self.name = ""
        self._request = request
        self._runtime = runtime
        self._stack = AsyncExitStack()  # leaving it by an exception gives up what was received
        self._key: str | None = None
        self._content_type = ""
        self._encoding: str | None = None
        self._sender: Holder | None = None
        self._held: Held | None = None
        self._received: Received | None = None

    async def store(self) -> File:
        """Read the form and make a file of it; raises `Unauthorized` without a good key."""
        async with self._stack:
            parts = await self._stack.enter_async_context(aclosing(read_parts(self._request)))
            async for part in parts:
                if part.name == "key":
                    self._key = await part.text()
                elif part.name == "file" and part.filename != "":  # a browser's form without one
                    await self._take(part)
            return await self._commit()

    async def _take(self, part: Part) -> None:
        if self.name:
            raise InvalidRequest("The form has two files")
        given = UNNAMED if part.filename is None else part.filename
        self.name = check_fields(FileFields, {"name": given}).name
        self._content_type, self._encoding = part.content_type, part.encoding
        if self._key is None:
            self._sender = await admit_by_cookie(self._request, self._runtime, "files:write")
        else:
            self._sender = await self._holder()
        if self._sender is not None:
            self._received = await self._receive(self._sender, part.body())
            return
        waiting = self._runtime.anteroom.hold(
            part.chunks(),
            host=networks_of(address_of(self._request))[-1],  # a site gets no more than one
            announced=content_length(self._request),
        )
        self._held = await self._stack.enter_async_context(waiting)

    async def _holder(self) -> Holder:
        return await admit(self._request, self._runtime, self._key, "files:write", _CREATING)

    async def _receive(self, sender: Holder, body: Body) -> Received:
        receiving = self._runtime.uploads.receive(
            sender.access, body, kind=files.KIND, admit=named_files.admit
        )
        return await self._stack.enter_async_context(receiving)

    async def _commit(self) -> File:
        holder = await self._holder()
        received = self._received
        if self._held is not None:
            self._held.admit()
            body = Body(self._held.chunks(), self._held.size, encoding=self._encoding)
            received = await self._receive(holder, body)
        elif self._sender is not None and not self._sender.is_same_account(holder):
            raise Unauthorized  # the cookie's account has been charged for it
        if received is None:
            raise InvalidRequest("The form has no file")
        kind = media_types.guess(self.name, media_type(self._content_type))
        new = files.new_file(self.name, kind, files.KEPT)
        return await holder.access.write(named_files.keep, new, received, clock.now())


@router.post(
    "/get/files/",
    operation_id="vertexcloud_get_files",
    response_model=VertexcloudFiles | VertexcloudRefusal,
    responses=errors(408, 413, 415, 503),
    openapi_extra=describe_any(VertexcloudKey),
)
async def get_files(request: Request, runtime: RuntimeDep) -> Response:
    """List all files by their names, oldest first; of several with one name the newest."""
    form = await read_fields(request, VertexcloudKey)
    holder = await admit(request, runtime, form.key, "files:read", _LISTING)
    batch = await _batch(holder, 0)
    if not batch:
        return refused("No file is available under this User", authorization="user-token")
    stack = AsyncExitStack()
    entries = _entries(holder, batch, base_path(request))
    chunks = await stack.enter_async_context(aclosing(entries))
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return StreamedContent(chunks, stack, 200, headers)


async def _batch(holder: Holder, after: int) -> Sequence[File]:
    return await holder.access.read(named_files.list_after, after, BATCH, clock.now())


async def _entries(holder: Holder, batch: Sequence[File], base: str) -> AsyncGenerator[bytes, None]:
    before = b'{"file":{'
    while batch:
        yield before + to_json({f.name: VertexcloudFile.of(f, base) for f in batch})[1:-1]
        before = b","
        batch = await _batch(holder, batch[-1].number)
    yield b"}}"


@router.get(
    "/get/file/",
    operation_id="vertexcloud_get_file",
    response_model=VertexcloudFiles | VertexcloudRefusal,
    responses=errors(503),
)
async def get_file(
    request: Request, runtime: RuntimeDep, number: Number = None, token: Key = None
) -> Response:
    """Get what is known of a file."""
    if not token:
        return refused(_NONE_SENT)
    holder = await admit(request, runtime, token, "files:read", _GETTING)
    try:
        found = _number(number)
        file = await holder.access.read(named_files.find_numbered, found, clock.now())
    except NotFound:
        return refused("File matching query does not exist.")
    return answer(VertexcloudFiles(file={file.name: VertexcloudFile.of(file, base_path(request))}))


def _number(text: str | None) -> int:
    """Read a file's id; raises `NotFound` for what can be none."""
    if text is None or not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise NotFound
    return int(text)


@router.get(
    "/delete/file/",
    operation_id="vertexcloud_delete_file",
    response_model=VertexcloudFileDeleted | VertexcloudRefusal,
    responses=errors(503, 507),
)
async def delete_file(
    request: Request, runtime: RuntimeDep, number: Number = None, key: Key = None
) -> Response:
    """Delete a file, and end its links."""
    holder = await admit(request, runtime, key, "files:write", _DELETING)
    try:
        found = _number(number)
        await holder.access.write(named_files.remove_numbered, found, clock.now())
    except NotFound:
        return refused("Could not delete file due to File not exists or invalid id given")
    runtime.sweep.wake()
    return answer(VertexcloudFileDeleted(message=f"File with id : '{found}' has been deleted"))


@downloadable(
    media,
    f"{MEDIA}{{name}}",
    get="vertexcloud_get_media",
    head="vertexcloud_head_media",
    errors=errors,
    statuses=(401, 404, 412, 422, 503),
)
async def get_media(
    request: Request,
    runtime: RuntimeDep,
    name: Annotated[Text, Path(description="The file's name.")],
    key: Key = None,
    *,
    inline: bool = False,
) -> Response:
    """Get a file's bytes, or a range of them."""
    holder = await admit(request, runtime, key, "files:read", _DOWNLOADING)
    file = await holder.access.read(named_files.find_named, name, clock.now())
    no_referrer = {"Referrer-Policy": "no-referrer"}  # the URL holds the key
    named = Named(file.name, file.content_type, headers=no_referrer)
    return await send_content(request, runtime, file.content, named, inline=inline)
