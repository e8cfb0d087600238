"""Signatures of crashes: list, look at and change them."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from app.accounts.identity import Access
from app.dumps.entities import Filters
from app.dumps.signatures.entities import Sort, State, Wanted
from routers.v1.schemas.dumps.dumps import dump_filters
from routers.v1.schemas.dumps.signatures import (
    DumpSignature,
    DumpSignatureChange,
    DumpSignatureDetails,
    DumpSignatureList,
)
from routers.v1.schemas.fields import Text
from routers.v1.schemas.lists import DEFAULT_LIMIT, CursorParam, Limit
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.problems import problems
from routers.web.route import HoldallRoute

router = APIRouter(prefix="/v1/dumps/signatures", tags=["dumps"], route_class=HoldallRoute)

Reading = Annotated[Access, Depends(Requires("dumps:read"))]
Writing = Annotated[Access, Depends(Requires("dumps:write"))]
Days = Annotated[
    int, Query(ge=1, le=365, description="How many days to count, the last one today.")
]

_DAYS: Final = 30


@router.get(
    "",
    operation_id="dumps_list_signatures",
    response_model=DumpSignatureList,
    responses=problems(400),
)
async def list_signatures(
    runtime: RuntimeDep,
    access: Reading,
    state: Annotated[State | None, Query(description="Only those in this state.")] = None,
    q: Annotated[
        Text | None,
        Field(max_length=1024),
        Query(description="Only those with this text in their name, ignoring case."),
    ] = None,
    sort: Annotated[
        Sort, Query(description="The order: by name from A, else from the highest down.")
    ] = Sort.NAME,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorParam = None,
) -> DumpSignatureList:
    """List the signatures of crashes, with their counts of the last days.

    A signature stays when its dumps are gone. Where few pass the filters, a page with a
    `next_cursor` may be short, or even empty.
    """
    page = await runtime.signatures.page(access, Wanted(state, q or None, sort), limit, cursor)
    items = [DumpSignature.of(listed) for listed in page.items]
    return DumpSignatureList(items=items, next_cursor=page.next_cursor)


@router.get(
    "/{id}",
    operation_id="dumps_get_signature",
    response_model=DumpSignatureDetails,
    responses=problems(404),
)
async def get(
    id: UUID,  # noqa: A002 - on the wire
    runtime: RuntimeDep,
    access: Reading,
    filters: Annotated[Filters, Depends(dump_filters)],
    days: Days = _DAYS,
) -> DumpSignatureDetails:
    """Get a signature with its dumps counted by day, version and platform.

    The filters are those of the list of dumps, and narrow the counts alone.
    """
    return DumpSignatureDetails.of(await runtime.signatures.find(access, str(id), filters, days))


@router.patch(
    "/{id}",
    operation_id="dumps_update_signature",
    response_model=DumpSignatureDetails,
    responses=problems(404),
)
async def update(
    id: UUID,  # noqa: A002 - on the wire
    change: DumpSignatureChange,
    runtime: RuntimeDep,
    access: Writing,
) -> DumpSignatureDetails:
    """Change a signature's state, the version that has the fix, or its note.

    A new state, or version, ends what is told of a regression.
    """
    await runtime.signatures.change(access, str(id), change.changes())
    return DumpSignatureDetails.of(await runtime.signatures.find(access, str(id), Filters(), _DAYS))
