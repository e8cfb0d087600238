"""Files: kept, or handed on by a link until they expire."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from app.accounts.identity import Access
from app.bundles.entities import MAX_MEMBERS
from app.errors import FieldError, InvalidRequest, NotFound
from app.files.entities import FileSort, Wanted
from app.runtime import Runtime
from app.uploads.entities import Kind
from routers.http import ranges
from routers.http.archives import ZIP, send_archive
from routers.http.downloads import DownloadHeaders, send_content
from routers.http.forms.schemas import form_or_raw
from routers.http.qr import Format, FormatParam, qr_answer, qr_response
from routers.v1 import answers
from routers.v1.forms import files as file_forms
from routers.v1.forms import raw as raw_forms
from routers.v1.schemas.files import FileChange, FileForm, FileList, FileState, StoredFile
from routers.v1.schemas.lists import DEFAULT_LIMIT, SORTED_NOTE, CursorParam, Limit, NameParam
from routers.v1.uploads import by_draft
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.downloadable import downloadable
from routers.web.problems import problems
from routers.web.route import HoldallRoute, direct
from routers.web.urls import file_link

router = APIRouter(prefix="/v1/files", tags=["files"], route_class=HoldallRoute)

Reading = Annotated[Access, Depends(Requires("files:read"))]
Writing = Annotated[Access, Depends(Requires("files:write"))]
Selected = Annotated[
    list[UUID], Query(alias="id", max_length=1000, description="The ids of the files.")
]
SelectedBundles = Annotated[
    list[UUID],
    Query(
        alias="bundle",
        max_length=1000,
        description="The ids of bundles, each of which becomes a folder. Together they may have "
        f"{MAX_MEMBERS:,} members.",
    ),
]


@router.post(
    "",
    status_code=201,
    operation_id="files_create",
    response_model=StoredFile,
    responses=problems(408, 409),
    openapi_extra=form_or_raw(FileForm),
)
async def create(request: Request, runtime: RuntimeDep, access: Writing) -> Response:
    """Store a file. If more than `MAX_FILES` expire, those that expire first are evicted.

    `evict` may say otherwise; before the file it is checked before that is read. A body of any
    other type is the file itself: its name is in `Content-Disposition` or `?name=`, the fields are
    in the query, and the password in the header `Link-Password`.
    """
    if await raw_forms.is_raw(request, access):
        return await raw_forms.create(request, runtime, access, Kind.FILE)
    return answers.made(request, runtime, await file_forms.create(request, runtime, access))


by_draft.announce(router, "", "files_options")


@router.get(
    "",
    operation_id="files_list",
    response_model=FileList,
    responses=problems(400),
)
async def list_files(
    request: Request,
    runtime: RuntimeDep,
    access: Reading,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorParam = None,
    state: Annotated[
        FileState | None, Query(description="Only files that expire, or only those that are kept.")
    ] = None,
    q: NameParam = "",
    sort: Annotated[
        FileSort,
        Query(
            description=f"{SORTED_NOTE}; `size` begins with the largest, `ends` with what ends "
            "first."
        ),
    ] = FileSort.NEWEST,
) -> FileList:
    """List files, newest first.

    Each comes with its link, where it has one.
    """
    expiring = None if state is None else state is FileState.EXPIRING
    page = await runtime.files.page(access, limit, cursor, Wanted(q, sort, expiring))
    items = [StoredFile.of(file, file_link(request, runtime, file)) for file in page.items]
    return FileList(items=items, next_cursor=page.next_cursor)


@downloadable(router, "/archive", get="files_get_archive", head="files_head_archive")
async def get_archive(
    request: Request,
    runtime: RuntimeDep,
    access: Reading,
    ids: Selected = [],  # noqa: B006 - FastAPI copies it
    bundles: SelectedBundles = [],  # noqa: B006
) -> Response:
    """Get several files and bundles as one ZIP, or a range of it.

    They are stored in it as they are, in the order of the ids, each under a name of its own. A
    single bundle gives the ZIP its name.
    """
    return await send_selected(request, runtime, access, ids, bundles)


async def send_selected(
    request: Request,
    runtime: Runtime,
    access: Access,
    ids: Sequence[UUID],
    bundles: Sequence[UUID],
) -> Response:
    """Answer several files and bundles as one ZIP; raises `InvalidRequest` for none."""
    if not ids and not bundles:
        await access.check()  # a stranger isn't told what is wrong
        words = "At least one file is needed, or one `bundle`"
        raise InvalidRequest(words, errors=[FieldError(loc=["query", "id"], msg=words)])
    make = partial(
        runtime.files.archive, access, [str(id_) for id_ in ids], [str(id_) for id_ in bundles]
    )
    name = "files"
    if not ids and len(bundles) == 1:
        name = (await runtime.bundles.find(access, str(bundles[0]))).name
    return await send_archive(request, runtime, make, DownloadHeaders(f"{name}.zip", ZIP))


@router.get(
    "/{id}",
    operation_id="files_get",
    response_model=StoredFile,
    responses=problems(404),
)
async def get(id: UUID, request: Request, runtime: RuntimeDep, access: Reading) -> StoredFile:  # noqa: A002 - on the wire
    """Get a file's metadata.

    The link is the file's own, which lives as long as the file, or else the newest that is active.
    """
    file = await runtime.files.find(access, str(id))
    return StoredFile.of(file, file_link(request, runtime, file))


@router.patch(
    "/{id}",
    operation_id="files_update",
    response_model=StoredFile,
    responses=problems(404, 412),
)
async def update(
    id: UUID,  # noqa: A002 - on the wire
    body: FileChange,
    request: Request,
    runtime: RuntimeDep,
    access: Writing,
) -> StoredFile:
    """Change a file's name, when it expires, or what its link allows.

    Its own link lives as long; a file that has none gets one for `max_downloads`, `password` or
    `note`. What is absent stays; an `expires_in` of 0 keeps the file.
    """
    conditions = ranges.write_preconditions(request.headers)
    file = await runtime.files.change(access, str(id), body.facts(), conditions)
    return StoredFile.of(file, file_link(request, runtime, file))


@router.delete(
    "/{id}",
    status_code=204,
    operation_id="files_delete",
    responses=problems(400, 404, 412),
)
async def delete(id: UUID, request: Request, runtime: RuntimeDep, access: Writing) -> None:  # noqa: A002 - on the wire
    """Delete a file, and end its links.

    Whoever has a link to it gets a 404 from then on.
    """
    conditions = ranges.write_preconditions(request.headers)
    await runtime.files.remove(access, str(id), conditions)


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
    """Get a file's bytes, or a range of them.

    Conditions and ranges are honoured; the type is the one that the bytes were sent with.
    """
    file = await runtime.files.find(access, str(id))
    headers = DownloadHeaders(file.name, file.content_type)
    return await send_content(request, runtime, file.content, headers, inline=inline)


@router.get(
    "/{id}/qr",
    operation_id="files_get_qr",
    response_class=Response,
    responses=qr_answer() | problems(404),
)
async def get_qr(
    id: UUID,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
    access: Reading,
    image_format: FormatParam = Format.SVG,
) -> Response:
    """Get the QR code of a file's link; a file without a link has none.

    A kept file has no link until one is made: that is a 404.
    """
    file = await runtime.files.find(access, str(id))
    url = file_link(request, runtime, file)
    if url is None:
        raise NotFound("The file has no link")
    return await qr_response(url, image_format)
