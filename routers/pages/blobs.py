"""The pages of blobs: those whose ids begin with a text, and each with what is in it."""

import shlex
from functools import partial
from typing import Annotated, Final
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field

from app.blobs.entities import BlobSort
from app.bundles.entities import MAX_MEMBERS
from app.objects.preconditions import Preconditions
from routers.http.archives import ZIP, send_archive
from routers.http.bodies import read_small
from routers.http.downloads import DownloadHeaders
from routers.http.forms.reading import check_fields, open_form
from routers.http.headers import media_type
from routers.pages.link_choice import link_choice
from routers.pages.rendering.page import PageRoute, SignedIn, render_app
from routers.pages.rendering.preview import glimpse
from routers.pages.sending.details import links_to
from routers.pages.sending.selection import fields_of, share_things
from routers.v1.schemas.blobs import BlobId, BlobIdPrefix, StoredBlob
from routers.v1.schemas.lists import CursorParam
from routers.web.dependencies import RuntimeDep
from routers.web.urls import base_path, base_url

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_LIMIT: Final = 100  # blobs on a page
_FORM: Final = 4 * 1024 * 1024  # bytes of the ids of those that are selected


class UploadForm(BaseModel):
    """What a blob's id begins with; the name of its file follows."""

    prefix: BlobIdPrefix = ""


class Selection(BaseModel):
    """The blobs that are selected."""

    id: Annotated[list[BlobId], Field(min_length=1, max_length=MAX_MEMBERS)]


class _NewId(BaseModel):
    id: BlobId


@router.get("/blobs")
async def show(
    request: Request,
    visitor: SignedIn,
    runtime: RuntimeDep,
    cursor: CursorParam = None,
    prefix: Annotated[BlobIdPrefix, Query()] = "",
    sort: BlobSort = BlobSort.NEWEST,
) -> Response:
    """List blobs whose ids begin with ``prefix``."""
    page = await runtime.blobs.page(visitor.access, _LIMIT, cursor, prefix=prefix, sort=sort)
    query = {"prefix": prefix, "sort": sort.value, "cursor": page.next_cursor}
    return render_app(
        request,
        "blobs.html",
        visitor,
        place="blobs",
        blobs=[(StoredBlob.of(blob), _path(blob.name)) for blob in page.items],
        more=page.next_cursor and urlencode(query),
        prefix=prefix,
        sort=sort.value,
        is_first=cursor is None,
        curl=partial(_curl, base_url(request, runtime)),
        **link_choice(runtime.settings, visitor.identity.tier),
    )


@router.post("/blobs")
async def upload(request: Request, visitor: SignedIn, runtime: RuntimeDep) -> Response:
    """Store the file of a form as a blob, or replace its bytes."""
    async with open_form(request, visitor.access, UploadForm) as form:
        file = await form.file()
        prefix = form.fields_so_far().prefix
        blob_id = check_fields(_NewId, {"id": f"{prefix}{file.name or ''}"}).id
        kind = media_type(file.content_type)
        await runtime.blobs.put(visitor.access, blob_id, file.body, kind, Preconditions())
    query = urlencode({"id": blob_id})
    return RedirectResponse(f"{base_path(request)}/blobs/show?{query}", 303)


@router.post("/blobs/archive")
async def download_selected(request: Request, visitor: SignedIn, runtime: RuntimeDep) -> Response:
    """Send the blobs that are selected as one ZIP."""
    make = partial(runtime.blobs.archive, visitor.access, await _selected(request))
    return await send_archive(request, runtime, make, DownloadHeaders("blobs.zip", ZIP))


@router.post("/blobs/together")
async def share_selected(request: Request, visitor: SignedIn, runtime: RuntimeDep) -> Response:
    """Make a bundle that points to the blobs that are selected, and show its link."""
    return await share_things(request, runtime, visitor, "blob", await _selected(request))


async def _selected(request: Request) -> list[str]:
    return check_fields(Selection, fields_of(await read_small(request, _FORM))).id


@router.get("/blobs/show")
async def show_one(
    request: Request,
    visitor: SignedIn,
    runtime: RuntimeDep,
    blob_id: Annotated[str, Query(alias="id", min_length=1, max_length=255)],
) -> Response:
    """Show a blob: its facts, what is in it where a browser shows that, and how to get it."""
    blob = await runtime.blobs.find(visitor.access, blob_id)
    path = _path(blob.name)
    shown_at = f"{base_path(request)}{path}/content?inline=1"
    return render_app(
        request,
        "blob.html",
        visitor,
        place="blobs",
        blob=StoredBlob.of(blob),
        links=await links_to(request, runtime, visitor, "blob", blob.name),
        path=path,
        preview=await glimpse(runtime, blob.content, blob.content_type, shown_at),
        curl=_curl(base_url(request, runtime), path),
        **link_choice(runtime.settings, visitor.identity.tier),
    )


def _curl(url: str, path: str) -> str:
    """Return a line for a shell that gets a blob."""
    where = shlex.quote(f"{url}{path}/content")
    return f'curl -OJ -H "Authorization: Bearer $TOKEN" {where}'


def _path(blob_id: str) -> str:
    return f"/v1/blobs/{quote(blob_id, safe='')}"
