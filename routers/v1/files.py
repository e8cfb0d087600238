"""Files: kept, or handed on by a link until they expire."""

from collections.abc import Sequence
from contextlib import AsyncExitStack, aclosing
from functools import partial
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from app import clock
from app.accounts.identity import Access
from app.errors import FieldError, InvalidRequest, NotFound
from app.files import expiry as file_ends
from app.files import rows as files
from app.objects import media_types
from app.objects.lifecycle import Received
from app.runtime import Runtime
from routers.http import ranges
from routers.http.downloads import Named, send_content
from routers.http.forms import check_fields
from routers.http.headers import media_type
from routers.http.multipart import Part, read_parts
from routers.http.qr import Format, FormatParam, qr_answer, qr_response
from routers.v1.schemas.files import File, FileChange, FileFields, FileForm, FileList, FileState
from routers.v1.schemas.lists import DEFAULT_LIMIT, CursorParam, Limit
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.downloadable import downloadable
from routers.web.openapi import multipart_body
from routers.web.problems import problems
from routers.web.route import HoldallRoute, direct
from routers.web.urls import link_key, link_url, locate

router = APIRouter(prefix="/v1/files", tags=["files"], route_class=HoldallRoute)

Reading = Annotated[Access, Depends(Requires("files:read"))]
Writing = Annotated[Access, Depends(Requires("files:write"))]

UNNAMED: Final = "upload"
"""What a file is called that came without a name, as from a pipe."""


@router.post(
    "",
    status_code=201,
    operation_id="files_create",
    response_model=File,
    responses=problems(400, 401, 403, 408, 409, 413, 422, 503, 507),
    openapi_extra=multipart_body(FileForm),
)
async def create(
    request: Request, response: Response, runtime: RuntimeDep, access: Writing
) -> File:
    """Store a file. One more that expires than `MAX_FILES` evicts those that expire first.

    Unless `evict` says otherwise, which must come before the file to be heeded before that is read.
    """
    file = await store_form(request, runtime, access)
    locate(request, response, f"/v1/files/{file.uuid}")
    return File.of(file, link_of(request, runtime, file))


async def store_form(
    request: Request, runtime: Runtime, access: Access, *, unnamed: str = UNNAMED
) -> files.File:
    """Make a file of a form as it arrives; one without a name is called ``unnamed``."""
    await access.check()  # a stranger's form isn't read
    fields: dict[str, Any] = {}
    content_type = ""
    received: Received | None = None
    async with AsyncExitStack() as stack:
        parts = await stack.enter_async_context(aclosing(read_parts(request)))
        async for part in parts:
            if part.name in {"expires_in", "evict"}:
                fields[part.name] = await part.text()
            elif part.name == "file":
                if received is not None:
                    raise InvalidRequest("The form has two files")
                fields["name"] = unnamed if part.filename is None else part.filename
                content_type = part.content_type
                known = check_fields(FileFields, fields)  # before anything is stored
                received = await stack.enter_async_context(receive(runtime, access, known, part))
        if received is None:
            missing = FieldError(loc=["body", "file"], msg="there is none")
            raise InvalidRequest("The form has no file", errors=[missing])
        return await commit(
            runtime, access, check_fields(FileFields, fields), content_type, received
        )


def receive(runtime: Runtime, access: Access, fields: FileFields, part: Part) -> Any:  # noqa: ANN401 - a context
    """Receive the file of a form whose fields are known so far."""
    evict = file_ends.ANY if fields.expires_in == 0 else str(fields.evict)
    admitted = admit(runtime, evict)
    return runtime.uploads.receive(access, part.body(), kind=files.KIND, admit=admitted)


def admit(runtime: Runtime, evict: str = file_ends.ANY) -> partial[int]:
    """Return what says whether a file may be sent, for `Uploads.receive`."""
    settings = runtime.settings
    return partial(file_ends.admit, max_files=settings.max_files, now=clock.now(), evict=evict)


async def commit(
    runtime: Runtime, access: Access, fields: FileFields, content_type: str, received: Received
) -> files.File:
    """Make a file of what was received."""
    (file,) = await commit_all(runtime, access, [(fields, content_type, received)])
    return file


async def commit_all(
    runtime: Runtime, access: Access, sent: Sequence[tuple[FileFields, str, Received]]
) -> list[files.File]:
    """Make files of what was received, each with its fields and its media type: all or none."""
    settings, now = runtime.settings, clock.now()

    def new_file(fields: FileFields, content_type: str) -> files.NewFile:
        kind = media_types.guess(fields.name, media_type(content_type))
        key, usual = link_key(runtime), settings.expire_time
        lifetime = files.lifetime_of(key, fields.expires_in, usual, now)
        return files.new_file(fields.name, kind, lifetime, str(fields.evict))

    new = [(new_file(fields, content_type), received) for fields, content_type, received in sent]
    made = await access.write(files.create_all, new, settings.max_files, now)
    for file, evicted in made:
        _wake_tasks(runtime, file, evicted)
    return [file for file, _ in made]


def _wake_tasks(runtime: Runtime, file: files.File, evicted: int) -> None:
    if evicted:
        runtime.sweep.wake()
    if file.expires_at is not None:
        runtime.expiry.wake_for(file.expires_at)


def link_of(request: Request, runtime: Runtime, file: files.File) -> str | None:
    """Return the URL of a file's link, if it has one."""
    return None if file.link is None else link_url(request, runtime, file.link)


@router.get(
    "",
    operation_id="files_list",
    response_model=FileList,
    responses=problems(400, 401, 403, 422, 503),
)
async def list_files(
    request: Request,
    runtime: RuntimeDep,
    access: Reading,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorParam = None,
    state: Annotated[
        FileState | None, Query(description="Only files that expire, or that are kept.")
    ] = None,
) -> FileList:
    """List files, newest first."""
    expiring = None if state is None else state is FileState.EXPIRING
    page = await access.read(files.page, limit, cursor, clock.now(), expiring=expiring)
    items = [File.of(file, link_of(request, runtime, file)) for file in page.items]
    return FileList(items=items, next_cursor=page.next_cursor)


@router.get(
    "/{id}",
    operation_id="files_get",
    response_model=File,
    responses=problems(401, 403, 404, 422, 503),
)
async def get(id: UUID, request: Request, runtime: RuntimeDep, access: Reading) -> File:  # noqa: A002 - on the wire
    """Get what is known of a file."""
    file = await access.read(files.find, str(id), clock.now())
    return File.of(file, link_of(request, runtime, file))


@router.patch(
    "/{id}",
    operation_id="files_update",
    response_model=File,
    responses=problems(400, 401, 403, 404, 412, 413, 422, 503, 507),
)
async def update(
    id: UUID,  # noqa: A002 - on the wire
    body: FileChange,
    request: Request,
    runtime: RuntimeDep,
    access: Writing,
) -> File:
    """Rename a file, or change how long it lives from now; its own link lives as long."""
    settings, now = runtime.settings, clock.now()
    lifetime = None
    if body.expires_in is not None:
        lifetime = files.lifetime_of(link_key(runtime), body.expires_in, settings.expire_time, now)
    conditions = ranges.write_preconditions(request.headers)
    file, evicted = await access.write(
        files.change, str(id), body.name, lifetime, conditions, settings.max_files, now
    )
    _wake_tasks(runtime, file, evicted)
    return File.of(file, link_of(request, runtime, file))


@router.delete(
    "/{id}",
    status_code=204,
    operation_id="files_delete",
    responses=problems(400, 401, 403, 404, 412, 422, 503),
)
async def delete(id: UUID, request: Request, runtime: RuntimeDep, access: Writing) -> None:  # noqa: A002 - on the wire
    """Delete a file, and end its links."""
    conditions = ranges.write_preconditions(request.headers)
    await access.write(files.remove, str(id), conditions, clock.now())
    runtime.sweep.wake()


@downloadable(
    router,
    "/{id}/content",
    get="files_get_content",
    head="files_head_content",
)
@direct
async def get_content(
    id: UUID,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
    access: Reading,
    *,
    inline: bool = False,
) -> Response:
    """Get a file's bytes, or a range of them."""
    file = await access.read(files.find, str(id), clock.now())
    named = Named(file.name, file.content_type)
    return await send_content(request, runtime, file.content, named, inline=inline)


@router.get(
    "/{id}/qr",
    operation_id="files_get_qr",
    response_class=Response,
    responses=qr_answer() | problems(401, 403, 404, 422, 503),
)
async def get_qr(
    id: UUID,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
    access: Reading,
    image_format: FormatParam = Format.SVG,
) -> Response:
    """Get the QR code of a file's link; a file without a link has none."""
    file = await access.read(files.find, str(id), clock.now())
    url = link_of(request, runtime, file)
    if url is None:
        raise NotFound("The file has no link")
    return await qr_response(url, image_format)
