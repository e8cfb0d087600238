"""Resumable uploads of everything that accounts keep, by tus 1.0 and by the IETF draft."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from app.accounts.identity import Access
from app.errors import BadRequest, PreconditionFailed, ProblemError
from routers.http.resumable import draft, tus
from routers.http.resumable.draft import Sent
from routers.v1.schemas import upload_headers as documented
from routers.v1.uploads import by_draft, by_tus
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.problems import problems
from routers.web.route import HoldallRoute

_OFFERED: Final = {
    "Tus-Version": tus.VERSION,
    "Tus-Extension": ",".join(tus.EXTENSIONS),
} | tus.RESUMABLE


_NEITHER: Final = f"Tus-Resumable must be {tus.VERSION}, or Upload-Draft-Interop-Version 6 or 8"


class UploadRoute(HoldallRoute):
    """A route of uploads; clients of tus go on after 409, 423 and 5xx, and after no other."""

    def answer_problem(self, request: Request, error: ProblemError) -> Response:
        is_tus = draft.version_of(request.headers) is None or tus.is_spoken(request.headers)
        return by_tus.refuse(request, error, tus.RESUMABLE if is_tus else {})


router = APIRouter(prefix="/v1/uploads", tags=["uploads"], route_class=UploadRoute)

Uploading = Annotated[Access, Depends(Requires(None))]
"""The access of a caller; what it may upload is its scopes' matter."""


@router.options("", status_code=204, operation_id="uploads_options", response_class=Response)
async def options() -> Response:
    """Get the version of tus, and its extensions.

    They are in the headers `Tus-Version` and `Tus-Extension`; no credential is needed.
    """
    return Response(status_code=204, headers=_OFFERED)


@router.options(
    "/{id}", status_code=204, operation_id="uploads_options_of_one", response_class=Response
)
async def options_of_one(
    id: UUID,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
) -> Response:
    """Get the version of tus, and its extensions.

    They are the same for every upload. `Upload-Limit` has the limits by the IETF draft.
    """
    del id
    return Response(status_code=204, headers=_OFFERED | by_draft.offered(request, runtime))


@router.post(
    "",
    status_code=201,
    operation_id="uploads_create",
    response_class=Response,
    responses=documented.CREATED | problems(400, 408, 409, 412, 413, 415, 423),
    openapi_extra=documented.NEW,
)
async def create(request: Request, runtime: RuntimeDep, access: Uploading) -> Response:
    """Create an upload. A body, if there is one, is its first piece.

    What cannot be taken is refused now: too long an upload, a full quota, fields that are wrong.
    """
    await access.check()
    if not tus.is_spoken(request.headers):
        raise PreconditionFailed(
            f"Tus-Resumable must be {tus.VERSION}", headers={"Tus-Version": tus.VERSION}
        )
    return await by_tus.create(request, runtime, access)


@router.head(
    "/{id}",
    operation_id="uploads_head",
    response_class=Response,
    responses=documented.FOUND | problems(404, 410, 412, 423),
    openapi_extra={"parameters": [documented.VERSION]},
)
async def head(
    id: UUID,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
    access: Uploading,
) -> Response:
    """Get how far an upload is, in `Upload-Offset`.

    A request that still appends to it is stopped, and what it brought is kept. By the IETF draft,
    whose headers may stand in place of tus's, the answer is a 204.
    """
    sent = await _check(request, access)
    if sent is not None:
        return await by_draft.status(request, runtime, access, sent, str(id))
    return await by_tus.status(request, runtime, access, str(id))


@router.patch(
    "/{id}",
    status_code=204,
    operation_id="uploads_append",
    response_class=Response,
    responses=documented.APPENDED_TO | problems(404, 408, 409, 410, 412, 423),
    openapi_extra=documented.APPENDED,
)
async def append(
    id: UUID,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
    access: Uploading,
) -> Response:
    """Append bytes to an upload. The last ones finish it, and make what it is for.

    If the connection breaks off, what has arrived is kept. Another offset than the one that the
    upload goes on at is a 409. By the IETF draft the last bytes are answered as its target does.
    """
    sent = await _check(request, access)
    if sent is not None:
        return await by_draft.append(request, runtime, access, sent, str(id))
    return await by_tus.append(request, runtime, access, str(id))


@router.delete(
    "/{id}",
    status_code=204,
    operation_id="uploads_delete",
    response_class=Response,
    responses=problems(404, 410, 423),
)
async def delete(
    id: UUID,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
    access: Uploading,
) -> Response:
    """Delete an upload with the bytes that it has.

    What has been made of a complete one stays.
    """
    sent = None if tus.is_spoken(request.headers) else draft.sent(request.headers)
    if sent is not None:
        return await by_draft.delete(request, runtime, access, sent, str(id))
    return await by_tus.delete(runtime, access, str(id))


@router.post(
    "/{id}",
    status_code=204,
    operation_id="uploads_override",
    response_class=Response,
    responses=documented.APPENDED_TO | problems(404, 408, 409, 410, 412, 423),
    openapi_extra=documented.OVERRIDDEN,
)
async def override(
    id: UUID,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
    access: Uploading,
) -> Response:
    """Do what the header X-HTTP-Method-Override says, for networks that let only POST pass.

    It is PATCH as a rule, and may be HEAD or DELETE.
    """
    sent = await _check(request, access)
    if sent is not None:
        raise BadRequest("X-HTTP-Method-Override is for tus")
    match tus.method_of(request.headers):
        case "PATCH":
            return await by_tus.append(request, runtime, access, str(id))
        case "HEAD":
            return await by_tus.status(request, runtime, access, str(id))
        case "DELETE":
            return await by_tus.delete(runtime, access, str(id))
    raise BadRequest("X-HTTP-Method-Override must be PATCH, HEAD or DELETE")


async def _check(request: Request, access: Access) -> Sent | None:
    """Check who asks, and then the protocol: a stranger isn't told what is wrong.

    Returns what is said in the draft's words, or None if tus is spoken.
    """
    await access.check()
    if tus.is_spoken(request.headers):
        return None
    sent = draft.sent(request.headers)
    if sent is None:
        raise PreconditionFailed(_NEITHER, headers={"Tus-Version": tus.VERSION})
    return sent
