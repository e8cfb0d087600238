"""Resumable uploads by the IETF draft, of routes that take raw bodies.

An upload begins as the ordinary request to its target, and goes on at a URL of its own. At its end
the answer is the target's.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.accounts.identity import Access
from app.errors import (
    BadRequest,
    LeaseLost,
    LengthMismatch,
    Locked,
    NotFound,
    OffsetMismatch,
    PreconditionFailed,
    ProblemError,
    RequestTimeout,
    ServiceUnavailable,
    Unauthorized,
    UnsupportedMediaType,
    UploadComplete,
)
from app.objects.preconditions import NO_CONDITIONS, Preconditions
from app.objects.uploads import Body
from app.runtime import Runtime
from app.uploads.entities import NewUpload, Piece, Terms, Upload
from routers.http.bodies import kept_encoding, piece_of
from routers.http.digests import whole_digests
from routers.http.forms.reading import media_type_of
from routers.http.resumable import draft
from routers.http.resumable.draft import (
    RESUMPTION_SUPPORTED,
    CompletedUpload,
    InconsistentLength,
    MismatchingOffset,
    Sent,
)
from routers.http.resumable.interim import can_be_told, kept_alive, send_interim
from routers.v1 import answers
from routers.v1.schemas import upload_headers as documented
from routers.web.dependencies import RuntimeDep
from routers.web.urls import base_path

_NEWEST: Final = draft.VERSIONS[-1]
_STATE: Final = ("Upload-Offset", "Upload-Complete", "Upload-Length")


def announce(router: APIRouter, path: str, operation_id: str) -> None:
    """Let a target tell by OPTIONS that uploads to it can be resumed."""

    async def options(request: Request, runtime: RuntimeDep) -> Response:
        """Get the limits of uploads that can be resumed, by the IETF draft.

        They are in the header `Upload-Limit`; no credential is needed.
        """
        return Response(status_code=204, headers=offered(request, runtime))

    router.add_api_route(
        path,
        options,
        methods=["OPTIONS"],
        status_code=204,
        operation_id=operation_id,
        response_class=Response,
        openapi_extra={"parameters": documented.any_of(path)},
    )


def offered(request: Request, runtime: Runtime) -> dict[str, str]:
    """Return the headers that say that the draft is spoken, and within which limits."""
    version = draft.version_of(request.headers) or _NEWEST
    lifetime = runtime.settings.upload_lifetime
    return draft.echo(version) | {
        "Upload-Limit": draft.limits(version, lifetime),
        "Accept-Patch": draft.MEDIA_TYPE,
    }


def is_spoken(request: Request) -> bool:
    """Tell whether a request to a target begins an upload that can be resumed."""
    sent = draft.sent(request.headers)
    return sent is not None and sent.is_complete is not None


async def begun(request: Request, access: Access) -> Sent | None:
    """Return what a request to a target says of an upload that it begins; None: an ordinary one.

    Raises `PreconditionFailed` for a part in another version, which must not pass for the whole.
    """
    sent = draft.sent(request.headers)
    if sent is None or sent.is_complete is None:
        if draft.is_part(request.headers):
            await access.check()  # a stranger isn't told what is wrong
            raise PreconditionFailed("Upload-Draft-Interop-Version must be 6 or 8")
        return None
    await access.check()
    if media_type_of(request).startswith("multipart/"):
        raise UnsupportedMediaType("A form can't be resumed; send the bytes alone")
    if sent.offset is not None:
        raise BadRequest("A new upload has no Upload-Offset")
    return sent


async def create(
    request: Request, runtime: Runtime, access: Access, sent: Sent, new: NewUpload
) -> Response:
    """Create the upload that a request to a target begins, and answer the request."""
    body, exchange = piece_of(request), _Exchange(request, runtime, access, sent.version)
    length = _length(sent, body)
    upload = await exchange.create(replace(new, length=length))
    if sent.is_complete or body.size != 0:
        piece = Piece(0, length, sent.is_complete)
        try:
            upload = await exchange.append(upload.uuid, piece, body)
        except BaseException:
            if not can_be_told(request):  # its client doesn't know of it
                await exchange.cancel(upload.uuid)
            raise
    if sent.is_complete:
        return exchange.final(upload)
    headers = draft.state(sent.version, upload) | {"Location": exchange.location(upload)}
    return Response(status_code=201, headers=headers)


def terms_of(
    request: Request, conditions: Preconditions = NO_CONDITIONS, target: str = ""
) -> Terms:
    """Return what a request says of the upload that it begins, beside what it is for."""
    return Terms(target, kept_encoding(request), whole_digests(request), conditions)


async def status(
    request: Request, runtime: Runtime, access: Access, sent: Sent, uuid: str
) -> Response:
    """Answer how far an upload is."""
    _forbid_state(request, sent)
    exchange = _Exchange(request, runtime, access, sent.version)
    with exchange.wording():
        upload = await runtime.uploads.status(access, uuid)
    headers = draft.state(sent.version, upload) | answers.made_at(request, upload)
    return Response(status_code=204, headers=headers)


async def append(
    request: Request, runtime: Runtime, access: Access, sent: Sent, uuid: str
) -> Response:
    """Append bytes to an upload; the answer to the last ones is its target's."""
    if media_type_of(request) != draft.MEDIA_TYPE:
        raise UnsupportedMediaType(
            f"The Content-Type must be {draft.MEDIA_TYPE}",
            headers={"Accept-Patch": draft.MEDIA_TYPE},
        )
    if sent.offset is None:
        raise BadRequest("Upload-Offset is required, a number of bytes")
    if sent.is_complete is None and sent.version == _NEWEST:
        raise BadRequest("Upload-Complete is required, ?1 or ?0")
    exchange = _Exchange(request, runtime, access, sent.version)
    piece = Piece(sent.offset, sent.length, bool(sent.is_complete), whole_digests(request))
    upload = await exchange.append(uuid, piece, piece_of(request))
    if upload.is_finished:
        return exchange.final(upload)
    status_code = 204 if sent.version == _NEWEST else 201
    return Response(status_code=status_code, headers=draft.state(sent.version, upload))


async def delete(
    request: Request, runtime: Runtime, access: Access, sent: Sent, uuid: str
) -> Response:
    """Delete an upload."""
    _forbid_state(request, sent)
    with _Exchange(request, runtime, access, sent.version).wording():
        await runtime.uploads.cancel(access, uuid)
    return Response(status_code=204, headers=draft.echo(sent.version))


class _Exchange:
    """A request that brings bytes, and what its client is told meanwhile."""

    def __init__(self, request: Request, runtime: Runtime, access: Access, version: int) -> None:
        self._request = request
        self._runtime = runtime
        self._access = access
        self._version = version
        self._offset = 0
        self._is_of_target = False  # whether errors are the target's

    async def create(self, new: NewUpload) -> Upload:
        """Create an upload, and say where it can be resumed."""
        self._is_of_target = True
        with self.wording():
            upload = await self._runtime.uploads.create(self._access, new)
        self._is_of_target = False
        offer = draft.offer(self._version, upload, self.location(upload))
        await send_interim(self._request, RESUMPTION_SUPPORTED, offer)
        return upload

    async def append(self, uuid: str, piece: Piece, body: Body) -> Upload:
        """Append a body to an upload; an upload that its target refuses is removed."""
        self._offset = piece.offset
        try:
            with self.wording():
                async with kept_alive(self._request, RESUMPTION_SUPPORTED, self._progress):
                    return await self._runtime.uploads.append(self._access, uuid, piece, body, self)
        except CompletedUpload as error:
            upload = await self._runtime.uploads.status(self._access, uuid)
            error.headers |= answers.made_at(self._request, upload)
            raise
        except ProblemError as error:
            if self._is_targets(error):
                await self.cancel(uuid)
            raise

    async def cancel(self, uuid: str) -> None:
        """Remove an upload, unless it has ended by itself."""
        with suppress(NotFound):
            await self._runtime.uploads.cancel(self._access, uuid)

    async def kept(self, offset: int) -> None:
        """Tell the client how many bytes are kept."""
        self._offset = offset
        await send_interim(self._request, RESUMPTION_SUPPORTED, self._progress())

    def completed(self) -> None:
        """Note that errors are the target's from now on."""
        self._is_of_target = True

    def location(self, upload: Upload) -> str:
        """Return where an upload can be resumed."""
        return f"{base_path(self._request)}/v1/uploads/{upload.uuid}"

    def final(self, upload: Upload) -> Response:
        """Return the answer of the target of an upload that is finished."""
        request = self._request
        response = answers.made(request, self._runtime, upload.result, upload.terms.target)
        response.headers.update(
            draft.state(self._version, upload) | answers.made_at(request, upload)
        )
        return response

    @contextmanager
    def wording(self) -> Iterator[None]:
        """Word errors as the draft has them."""
        try:
            yield
        except ProblemError as error:
            worded = _worded(error)
            worded.headers |= draft.verdict(self._version, of_target=self._is_targets(error))
            if isinstance(worded, OffsetMismatch):
                worded.headers["Upload-Offset"] = str(worded.expected)
            raise worded from None

    def _progress(self) -> dict[str, str]:
        return draft.progress(self._version, self._offset)

    def _is_targets(self, error: ProblemError) -> bool:
        """Tell whether an error is the target's own, so that resuming would not help."""
        is_of_now = isinstance(error, Unauthorized | LeaseLost)
        return self._is_of_target and error.status < 500 and not is_of_now  # noqa: PLR2004


def _worded(error: ProblemError) -> ProblemError:
    match error:
        case OffsetMismatch():
            return MismatchingOffset(error.expected, error.provided)
        case LengthMismatch():
            return InconsistentLength(error.detail)
        case UploadComplete():
            return CompletedUpload()
        case RequestTimeout() | Locked():  # a client would take a 4xx for the end
            return ServiceUnavailable(error.detail, retry_after=2)
    return error


def _length(sent: Sent, body: Body) -> int | None:
    """Return the length of a new upload; raises `InconsistentLength`."""
    if not sent.is_complete or body.size is None:
        return sent.length
    if sent.length not in {None, body.size}:
        raise InconsistentLength(f"Upload-Length is {sent.length}, Content-Length {body.size}")
    return body.size


def _forbid_state(request: Request, sent: Sent) -> None:
    """Refuse what version 6 forbids where nothing is appended; later ones don't mind."""
    found = [name for name in _STATE if name in request.headers]
    if found and sent.version != _NEWEST:
        raise BadRequest(f"{found[0]} has no place in this request")
