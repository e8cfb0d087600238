"""What pages do with several files and bundles at once: one ZIP, one link."""

from collections.abc import Sequence
from typing import Annotated, Final
from urllib.parse import parse_qs
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field

from app.bundles.entities import MAX_MEMBERS, NewBundle
from app.errors import InvalidRequest
from app.runtime import Runtime
from app.words import plural
from routers.http.bodies import read_small
from routers.http.forms.reading import check_fields
from routers.pages.rendering.page import PageRoute, SignedIn, Visitor
from routers.pages.sending.send import show_sent
from routers.v1.files import send_selected
from routers.web.dependencies import RuntimeDep
from routers.web.urls import base_path, own_link

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_FORM: Final = 64 * MAX_MEMBERS  # bytes


_Ids = Annotated[list[UUID], Field(max_length=MAX_MEMBERS)]


class Selection(BaseModel):
    """The files and bundles that are selected."""

    id: _Ids = Field(default_factory=list)
    bundle: _Ids = Field(default_factory=list)


@router.post("/file/archive")
async def download(request: Request, visitor: SignedIn, runtime: RuntimeDep) -> Response:
    """Send what is selected as one ZIP."""
    selected = await _selected(request)
    return await send_selected(request, runtime, visitor.access, selected.id, selected.bundle)


@router.post("/file/together")
async def share(request: Request, visitor: SignedIn, runtime: RuntimeDep) -> Response:
    """Make a bundle that points to the files that are selected, and show its link."""
    ids = (await _selected(request)).id
    return await share_things(request, runtime, visitor, "file", [str(id_) for id_ in ids])


@router.get("/file/together/{id}")
async def show(
    id: UUID,  # noqa: A002 - in the URL
    request: Request,
    visitor: SignedIn,
    runtime: RuntimeDep,
) -> Response:
    """Show the link to files that were selected."""
    return await show_bundle(request, runtime, visitor, id)


async def share_things(
    request: Request, runtime: Runtime, visitor: Visitor, kind: str, ids: Sequence[str]
) -> Response:
    """Make a bundle that points to things of a kind, and lead to the page that shows its link."""
    if not ids:
        raise InvalidRequest(f"No {kind} is selected")
    new = NewBundle(plural(len(ids), kind))
    things = [(kind, id_) for id_ in ids]
    bundle = await runtime.bundles.create_of_things(visitor.access, new, things)
    return RedirectResponse(f"{base_path(request)}/file/together/{bundle.uuid}", 303)


async def show_bundle(request: Request, runtime: Runtime, visitor: Visitor, uuid: UUID) -> Response:
    """Show the link of a bundle that points to what was selected."""
    bundle = await runtime.bundles.find(visitor.access, str(uuid))
    link = own_link(request, runtime, bundle.link)
    return await show_sent(request, runtime, visitor.access, bundle, link)


def fields_of(form: bytes) -> dict[str, list[str]]:
    """Return the fields of a form about several things, each with all of its values."""
    return parse_qs(form.decode("utf-8", "replace"))


async def _selected(request: Request) -> Selection:
    return check_fields(Selection, fields_of(await read_small(request, _FORM)))
