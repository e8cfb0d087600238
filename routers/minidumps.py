"""The protocol of Crashpad's and Breakpad's uploaders.

They take status 200 alone for an answer, whose body then is the report's id; whatever else they
get, the report is lost. They can send no header of ours, so that the key rides in the URL.
"""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing
from functools import partial
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import PlainTextResponse
from uuid_utils import uuid7

from app import clock
from app.errors import (
    ContentTooLarge,
    FieldError,
    InvalidRequest,
    Unauthorized,
    UnsupportedMediaType,
)
from app.runtime import Runtime
from app.services import dump_attachments, dumps
from app.services.dump_attachments import NewAttachment
from app.services.dumps import MAX_LABEL, MAX_NAME, DumpFile, NewDump
from app.services.identity import Access, ApiKey
from app.services.objects import Received
from routers.dependencies import RuntimeDep, credential_of, runtime_of
from routers.openapi import OPEN_OR_BEARER, multipart_body
from routers.problems import problems
from routers.route import HoldallRoute
from routers.schemas.dumps import MinidumpForm
from routers.transfer.encodings import codings_in
from routers.transfer.gzip import inflate, limited
from routers.transfer.headers import media_type
from routers.transfer.incoming import content_length
from routers.transfer.multipart import MAX_FIELD, Part, checked_stream, read_parts

router = APIRouter(prefix="/v1/dumps", tags=["dumps"], route_class=HoldallRoute)

MAX_ANNOTATIONS: Final = 512
MAX_ATTACHMENTS: Final = 32
_MAX_PARTS: Final = 1 + MAX_ANNOTATIONS + MAX_ATTACHMENTS
_MAX_TEXTS: Final = 1024 * 1024  # bytes of all annotations of a report
_FILE: Final = "upload_file_minidump"
_PRODUCT: Final = ("product", "prod")
_VERSION: Final = ("version", "ver")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
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
    responses=problems(400, 401, 403, 408, 409, 413, 415, 422, 503, 507),
    openapi_extra=OPEN_OR_BEARER | multipart_body(MinidumpForm),
)
async def submit(request: Request, runtime: RuntimeDep, access: Submitting) -> PlainTextResponse:
    """Store a crash report as Crashpad and Breakpad send it; answers its id.

    The minidump is read afterwards: see its report.
    """
    await access.check()  # a stranger's form isn't read
    body = _body(request, runtime.settings.max_dump_bytes)
    report = CrashReport()
    async with AsyncExitStack() as stack:
        await report.read(request, body, stack, runtime, access)
        new, received = report.dump()
        await access.write(dump_attachments.submit, new, received, report.attachments, clock.now())
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


class CrashReport:
    """A report on its way in: the minidump, and all that came with it."""

    def __init__(self) -> None:
        self.attachments: list[tuple[NewAttachment, Received]] = []
        self._annotations: dict[str, str] = {}
        self._texts = 0
        self._name = ""
        self._received: Received | None = None

    async def read(
        self,
        request: Request,
        body: AsyncIterator[bytes],
        stack: AsyncExitStack,
        runtime: Runtime,
        access: Access,
    ) -> None:
        """Read the request's form; what is received lives as long as the stack."""
        receive = partial(runtime.uploads.receive, access, kind=dumps.KIND, inline=False)
        parts = await stack.enter_async_context(
            aclosing(read_parts(request, chunks=body, max_parts=_MAX_PARTS))
        )
        async for part in parts:
            if part.name != _FILE and part.filename is None:
                await self._annotate(part)
                continue
            if part.name == _FILE and self._received is not None:
                raise InvalidRequest("The form has two minidumps")
            if part.name != _FILE and len(self.attachments) == MAX_ATTACHMENTS:
                raise ContentTooLarge(f"A report may have up to {MAX_ATTACHMENTS} attachments")
            received = await stack.enter_async_context(receive(body=part.body(), admit=dumps.admit))
            if part.name == _FILE:
                self._received, self._name = received, _tidy(part.filename or "", "minidump.dmp")
            else:
                self.attachments.append((_attachment(part), received))

    async def _annotate(self, part: Part) -> None:
        # a report is too good to be lost for half a character
        value = (await part.data(MAX_FIELD)).decode("utf-8", "replace")
        self._texts += len(part.name) + len(value)
        self._annotations[part.name] = value
        if self._texts > _MAX_TEXTS or len(self._annotations) > MAX_ANNOTATIONS:
            raise ContentTooLarge(
                f"A report may have up to {MAX_ANNOTATIONS} annotations, "
                f"of {_MAX_TEXTS} characters altogether"
            )

    def dump(self) -> tuple[NewDump, Received]:
        """Return the dump that the report is about, and its bytes; raises `InvalidRequest`."""
        if self._received is None:
            missing = FieldError(loc=["body", _FILE], msg="there is none")
            raise InvalidRequest("The form has no minidump", errors=[missing])
        file = DumpFile(self._name, is_minidump=True)
        label = _label(self._annotations)
        new = NewDump(str(uuid7()), file, label, "", self._annotations, None)
        return new, self._received


def _label(annotations: Mapping[str, str]) -> str | None:
    halves = (
        next((annotations[name] for name in names if annotations.get(name)), "")
        for names in (_PRODUCT, _VERSION)
    )
    return _CONTROL.sub(" ", " ".join(half for half in halves if half)).strip()[:MAX_LABEL] or None


def _attachment(part: Part) -> NewAttachment:
    name = _tidy(part.filename or "", "attachment")
    return NewAttachment(str(uuid7()), part.name, name, media_type(part.content_type))


def _tidy(name: str, default: str) -> str:
    """Return what a file can be called: of a path, the last segment."""
    last = _CONTROL.sub("_", name.replace("\\", "/").rpartition("/")[2])
    return default if last in {"", ".", ".."} else last[:MAX_NAME]
