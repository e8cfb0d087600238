"""Uploads of strangers that can go on, by tus 1.0 below the address of an inbox."""

import hashlib
from collections.abc import Mapping
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import AfterValidator, BaseModel, Field

from app.accounts.identity import Access
from app.errors import BadRequest, NotFound
from app.inboxes.entities import PublicInbox
from app.objects.file_names import relative_name
from app.runtime import Runtime
from app.security.characters import without_bidi
from app.uploads.entities import Kind, NewUpload, Terms
from routers.http.resumable import tus
from routers.pages.public import inbox as doors
from routers.pages.public.visiting import LinkRoute, guarded
from routers.v1.schemas.bundles import MAX_BUNDLE_NAME
from routers.v1.schemas.fields import Text
from routers.v1.schemas.files import UNNAMED, FileName
from routers.v1.uploads import by_tus
from routers.web.dependencies import RuntimeDep, basic_password

router = APIRouter(include_in_schema=False, route_class=LinkRoute)

_OFFERED: Final = tus.RESUMABLE | {
    "Tus-Version": tus.VERSION,
    "Tus-Extension": ",".join(name for name in tus.EXTENSIONS if name != "creation-defer-length"),
}


class GivenFile(BaseModel):
    """What is said of a file that is given alone."""

    name: FileName = UNNAMED


class GivenMember(BaseModel):
    """What is said of one of several files, which all bring the same secret."""

    name: Annotated[str, Field(max_length=4096), AfterValidator(relative_name)] = UNNAMED
    delivery: Annotated[str, Field(min_length=16, max_length=64)]
    delivery_name: Annotated[
        Text, Field(min_length=1, max_length=MAX_BUNDLE_NAME), AfterValidator(without_bidi)
    ] = "Files"


@router.options("/t/{token}/uploads")
@router.options("/t/{token}/uploads/{upload}")
async def options() -> Response:
    """Answer the version of tus, and its extensions."""
    return Response(status_code=204, headers=_OFFERED)


@router.patch("/t/{token}/uploads/{upload}")
@router.delete("/t/{token}/uploads/{upload}")
async def change(token: str, upload: str, request: Request, runtime: RuntimeDep) -> Response:
    """Append to an upload, or delete it."""
    return await speak(request, runtime, token, f"uploads/{upload}")


async def speak(request: Request, runtime: Runtime, token: str, path: str) -> Response:
    """Answer a request in the words of tus, given with what follows the token in its path."""

    async def answer(visitor: str) -> Response:
        place, _, upload = path.strip("/").partition("/")
        if place != "uploads" or not tus.is_spoken(request.headers):
            raise NotFound
        inbox = await runtime.inboxes.open(token)
        await doors.unlock(request, runtime, inbox, basic_password(request), visitor)
        access = runtime.inboxes.access_of(inbox, visitor)
        async with doors.discreet():
            if upload:
                return await _act_on(request, runtime, access, _id_in(upload))
            await runtime.inboxes.count(inbox, visitor)
            return await _create(request, runtime, access, inbox, f"/t/{token}/uploads")

    return await guarded(request, runtime, answer)


async def _create(
    request: Request, runtime: Runtime, access: Access, inbox: PublicInbox, place: str
) -> Response:
    if request.method != "POST" or "upload-defer-length" in request.headers:
        raise BadRequest("An upload is created by a POST with its Upload-Length")

    def describe(
        sent: str, values: Mapping[str, str], length: int | None, terms: Terms
    ) -> NewUpload:
        return NewUpload(Kind.INBOX, _fields(inbox, values), length, sent, terms)

    return await by_tus.create_at(request, runtime, access, place, describe)


async def _act_on(request: Request, runtime: Runtime, access: Access, upload: str) -> Response:
    method = tus.method_of(request.headers) if request.method == "POST" else request.method
    match method:
        case "HEAD":
            return await by_tus.status(request, runtime, access, upload)
        case "PATCH":
            return await by_tus.append(request, runtime, access, upload)
        case "DELETE":
            return await by_tus.delete(runtime, access, upload)
    raise BadRequest("An upload takes HEAD, PATCH and DELETE")


def _id_in(path: str) -> str:
    try:
        return str(UUID(path))
    except ValueError:
        raise NotFound("No such upload") from None


def _fields(inbox: PublicInbox, values: Mapping[str, str]) -> dict[str, str]:
    content_type = by_tus.type_in(values)
    if "delivery" not in values:
        file = by_tus.checked(GivenFile, by_tus.named(values))
        return {"name": file.name, "content_type": content_type}
    member = by_tus.checked(GivenMember, by_tus.named(values))
    secret = hashlib.sha256(f"{inbox.uuid} {member.delivery}".encode()).hexdigest()
    return {
        "name": member.name,
        "content_type": content_type,
        "delivery": secret,
        "delivery_name": member.delivery_name or "Files",
    }
