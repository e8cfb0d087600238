"""VertexCloud's files."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import WithJsonSchema
from pydantic_core import to_json

from app.accounts.identity import Access
from app.errors import InvalidRequest, NotFound, Unauthorized
from app.files.entities import File, NewFile
from app.runtime import Runtime
from app.security.addresses import networks_of
from routers.compat.vertexcloud.keys import (
    Holder,
    MediaRoute,
    Messages,
    VertexcloudRoute,
    answer,
    errors,
    find_by_cookie,
    find_holder,
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
from routers.http.downloads import DownloadHeaders, StreamedContent, send_content
from routers.http.forms.reading import open_form, read_fields
from routers.http.forms.schemas import describe_any, multipart_body
from routers.http.headers import media_type
from routers.v1.forms.files import checked_name
from routers.v1.schemas.fields import Text
from routers.web.dependencies import RuntimeDep
from routers.web.downloadable import downloadable
from routers.web.forwarded import address_of
from routers.web.urls import base_path

_MAX_DIGITS: Final = 18  # of a number that fits into every database

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

# what is no number is an unknown file, rather than an error of its own
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

    async def store(self) -> File:
        """Store the form's file; raises `Unauthorized` without a valid key."""
        async with open_form(self._request, None, VertexcloudKey) as form:
            file = await form.optional_file()
            if file is None:
                await self._holder(await form.fields())
                raise InvalidRequest("The form has no file")
            self.name = checked_name(file.name)
            new = NewFile(self.name, media_type(file.content_type))
            sender = await self._sender(form.fields_so_far())

            async def claim() -> Access:
                holder = await self._holder(await form.fields())
                if sender is not None and not sender.is_same_account(holder):
                    raise Unauthorized  # the cookie's account has been charged for it
                return holder.access

            if sender is not None:
                return await self._runtime.files.keep(sender.access, new, file.body, claim)
            return await self._runtime.files.keep_unclaimed(
                new,
                file.body,
                claim,
                host=networks_of(address_of(self._request))[-1],  # a site counts as one host
                announced=content_length(self._request),
            )

    async def _sender(self, fields: VertexcloudKey) -> Holder | None:
        """Return who sends the file, if that is known before it arrives."""
        if fields.key is None:
            return await find_by_cookie(self._request, self._runtime, "files:write")
        return await self._holder(fields)

    async def _holder(self, fields: VertexcloudKey) -> Holder:
        return await find_holder(self._request, self._runtime, fields.key, "files:write", _CREATING)


@router.post(
    "/get/files/",
    operation_id="vertexcloud_get_files",
    response_model=VertexcloudFiles | VertexcloudRefusal,
    responses=errors(400, 408, 413, 415, 503),
    openapi_extra=describe_any(VertexcloudKey),
)
async def get_files(request: Request, runtime: RuntimeDep) -> Response:
    """List all files by name, oldest first; of several with one name the newest.

    Each comes with its path, type, size and the time of its upload.
    """
    form = await read_fields(request, VertexcloudKey)
    holder = await find_holder(request, runtime, form.key, "files:read", _LISTING)
    batch = await runtime.files.list_after(holder.access, 0, BATCH)
    if not batch:
        return refused("No file is available under this User", authorization="user-token")
    stack = AsyncExitStack()
    entries = _entries(runtime, holder, batch, base_path(request))
    chunks = await stack.enter_async_context(aclosing(entries))
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return StreamedContent(chunks, stack, 200, headers)


async def _entries(
    runtime: Runtime, holder: Holder, batch: Sequence[File], base: str
) -> AsyncGenerator[bytes, None]:
    before = b'{"file":{'
    while batch:
        yield before + to_json({f.name: VertexcloudFile.of(f, base) for f in batch})[1:-1]
        before = b","
        batch = await runtime.files.list_after(holder.access, batch[-1].number, BATCH)
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
    """Get a file's metadata.

    Only the caller's own files are found.
    """
    if not token:
        return refused(_NONE_SENT)
    holder = await find_holder(request, runtime, token, "files:read", _GETTING)
    try:
        file = await runtime.files.find_numbered(holder.access, _number(number))
    except NotFound:
        return refused("File matching query does not exist.")
    return answer(VertexcloudFiles(file={file.name: VertexcloudFile.of(file, base_path(request))}))


def _number(text: str | None) -> int:
    """Parse a file's id; raises `NotFound` if it can't be one."""
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
    """Delete a file, and end its links.

    Only the caller's own files are found.
    """
    holder = await find_holder(request, runtime, key, "files:write", _DELETING)
    try:
        found = _number(number)
        await runtime.files.remove_numbered(holder.access, found)
    except NotFound:
        return refused("Could not delete file due to File not exists or invalid id given")
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
    """Get a file's bytes, or a range of them.

    The key is that of a session of its owner; without it this is a 401.
    """
    holder = await find_holder(request, runtime, key, "files:read", _DOWNLOADING)
    file = await runtime.files.find_named(holder.access, name)
    no_referrer = (("Referrer-Policy", "no-referrer"),)  # the URL holds the key
    headers = DownloadHeaders(file.name, file.content_type, extra=no_referrer)
    return await send_content(request, runtime, file.content, headers, inline=inline)
