"""Crash reports, uploaded as Crashpad and Breakpad do.

Their uploaders take status 200 alone for success, with the report's id as the body, and drop the
report after any other answer. They can send no headers of ours, so the API key is in the URL.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import PlainTextResponse

from app.accounts.identity import Access
from app.dumps.crash_reports import MAX_PARTS, Part
from app.errors import ContentTooLarge, UnsupportedMediaType
from app.objects.intake.gzip import inflate, limited
from routers.http.bodies import content_length
from routers.http.encodings import codings_in
from routers.http.forms.multipart import checked_stream, read_parts
from routers.http.forms.schemas import multipart_body
from routers.http.headers import media_type
from routers.v1.keys_in_urls import RequiresKey
from routers.v1.schemas.dumps.crash_reports import MinidumpForm
from routers.web.dependencies import RuntimeDep
from routers.web.forwarded import address_of
from routers.web.openapi import OPEN_OR_BEARER, text_answer
from routers.web.problems import problems
from routers.web.route import HoldallRoute

router = APIRouter(prefix="/v1/dumps", tags=["dumps"], route_class=HoldallRoute)

_GZIP: Final = frozenset({("gzip",), ("x-gzip",)})

Submitting = Annotated[Access, Depends(RequiresKey("dumps:submit"))]


@router.post(
    "/minidump",
    operation_id="dumps_submit",
    response_class=PlainTextResponse,
    responses=text_answer("The dump's id", "0199a8b0-7f6e-7b1c-9a55-3d2f6c1e8a90")
    | problems(408, 409, 429),
    openapi_extra=OPEN_OR_BEARER | multipart_body(MinidumpForm),
)
async def submit(request: Request, runtime: RuntimeDep, access: Submitting) -> PlainTextResponse:
    """Store a crash report as Crashpad and Breakpad send it; answers its id.

    The minidump is read afterwards: see its report.
    """
    async with aclosing(_parts(request, runtime.settings.max_dump_bytes)) as parts:
        return PlainTextResponse(await runtime.dumps.submit(access, address_of(request), parts))


async def _parts(request: Request, limit: int) -> AsyncGenerator[Part, None]:
    """Yield the parts of a report's form, which begins to be read when the first is asked for."""
    body = _body(request, limit)
    async with aclosing(read_parts(request, chunks=body, max_parts=MAX_PARTS)) as parts:
        async for part in parts:
            yield Part(part.name, part.filename, media_type(part.content_type), part.body())


def _body(request: Request, limit: int) -> AsyncIterator[bytes]:
    codings = codings_in(request)
    if codings in _GZIP:
        return limited(inflate(checked_stream(request)), limit)
    if codings:
        raise UnsupportedMediaType(f"A body may be encoded by gzip, and not by {codings[-1]}")
    if (content_length(request) or 0) > limit:
        raise ContentTooLarge(f"A body may have up to {limit} bytes here")
    return limited(checked_stream(request), limit)
