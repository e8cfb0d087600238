"""The protocol of Crashpad's and Breakpad's uploaders.

They take status 200 alone for an answer, whose body then is the report's id; whatever else they
get, the report is lost. They can send no header of ours, so that the key rides in the URL.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import PlainTextResponse

from app import clock
from app.accounts.identity import Access
from app.dumps import attachments as dump_attachments
from app.dumps import submissions
from app.errors import (
    ContentTooLarge,
    Unauthorized,
    UnsupportedMediaType,
)
from app.security.credentials import ApiKey
from routers.http.bodies import content_length
from routers.http.encodings import codings_in
from routers.http.gzip import inflate, limited
from routers.http.multipart import checked_stream
from routers.v1.crash_reports import CrashReport
from routers.v1.schemas.dumps import MinidumpForm
from routers.web.dependencies import RuntimeDep, credential_of, runtime_of
from routers.web.forwarded import address_of
from routers.web.openapi import OPEN_OR_BEARER, multipart_body
from routers.web.problems import problems
from routers.web.route import HoldallRoute

router = APIRouter(prefix="/v1/dumps", tags=["dumps"], route_class=HoldallRoute)

_GZIP: Final = frozenset({("gzip",), ("x-gzip",)})

KeyParam = Annotated[
    str | None,
    Query(description="An API key; `dumps:submit` is enough, and all that it should permit."),
]


async def _submitting(request: Request, key: KeyParam = None) -> Access:
    """Give `Access` to the bearer of a header as elsewhere, or else of an API key in the URL."""
    runtime = runtime_of(request)
    if key is None or "authorization" in request.headers:
        credential = credential_of(request, runtime)
    else:
        credential = runtime.keyring.parse(key)
        if not isinstance(credential, ApiKey):  # what opens more has no place in a URL
            raise Unauthorized("The key is no API key", error="invalid_token")
    return Access(runtime.database, credential, "dumps:submit")


Submitting = Annotated[Access, Depends(_submitting)]


@router.post(
    "/minidump",
    operation_id="dumps_submit",
    response_class=PlainTextResponse,
    responses=problems(400, 401, 403, 408, 409, 413, 415, 422, 429, 503, 507),
    openapi_extra=OPEN_OR_BEARER | multipart_body(MinidumpForm),
)
async def submit(request: Request, runtime: RuntimeDep, access: Submitting) -> PlainTextResponse:
    """Store a crash report as Crashpad and Breakpad send it; answers its id.

    The minidump is read afterwards: see its report.
    """
    settings = runtime.settings
    identity = await access.identity()  # a stranger's form isn't read
    await submissions.admit(
        runtime.rate_limits,
        identity,
        address_of(request),
        per_minute=settings.submissions_per_minute,
    )
    body = _body(request, settings.max_dump_bytes)
    async with AsyncExitStack() as stack:
        report = CrashReport(runtime, access, stack)
        await report.read(request, body)
        new, received = report.dump()
        gone = await access.write(
            dump_attachments.submit,
            new,
            received,
            report.attachments,
            clock.now(),
            budget=settings.max_submitted_bytes,
        )
    if gone:
        runtime.sweep.wake()
    runtime.reports.wake()
    return PlainTextResponse(new.uuid)


def _body(request: Request, limit: int) -> AsyncIterator[bytes]:
    codings = codings_in(request)
    if codings in _GZIP:
        return limited(inflate(checked_stream(request)), limit)
    if codings:
        raise UnsupportedMediaType(f"A body may be encoded by gzip, and not by {codings[-1]}")
    if (content_length(request) or 0) > limit:
        raise ContentTooLarge(f"A body may have up to {limit} bytes here")
    return limited(checked_stream(request), limit)
