"""Uploads of symbols by Breakpad's ``sym_upload``, in both versions of its protocol.

Version 2 looks for members of the answers by regular expressions with a blank after the colon. Both
take status 200 alone for success.
"""

import json
import re
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import PlainTextResponse, Response
from pydantic import BaseModel

from app import clock
from app.accounts.identity import Access
from app.errors import Forbidden, InvalidRequest, NotFound
from app.objects.file_names import file_name
from app.security.credentials import ApiKey
from app.symbols.entities import debug_id_of
from app.symbols.upload_keys import PREFIX
from routers.http.bodies import body_of, read_small
from routers.http.forms.reading import open_form
from routers.http.forms.schemas import multipart_body
from routers.v1.keys_in_urls import KeyParam, RequiresKey, credential_in
from routers.v1.schemas.dumps.symbols import (
    SymbolsCheck,
    SymbolsCompleted,
    SymbolsForm,
    SymbolsUpload,
)
from routers.web.dependencies import RuntimeDep
from routers.web.openapi import BINARY_BODY, OPEN_OR_BEARER, text_answer
from routers.web.problems import problems
from routers.web.route import HoldallRoute
from routers.web.urls import base_url

router = APIRouter(prefix="/v1/symbols/breakpad", tags=["symbols"], route_class=HoldallRoute)

Submitting = Annotated[Access, Depends(RequiresKey("symbols:submit"))]
UploadKey = Annotated[
    str, Path(description="The `uploadKey` of an upload.", examples=[f"{PREFIX}gk3Zc1x"])
]

_LIMIT: Final = 64 * 1024  # bytes of what completes an upload
_DEBUG_ID: Final = re.compile(rb"debug_id\"?\s*:\s*\"([0-9A-Fa-f-]+)\"")


@router.get(
    "/v1/symbols/{debug_file}/{debug_id}:checkStatus",
    operation_id="symbols_check",
    response_model=SymbolsCheck,
    responses=problems(404),
    openapi_extra=OPEN_OR_BEARER,
)
async def check(
    debug_file: Annotated[str, Path(description="Not looked at.", examples=["acme.so"])],
    debug_id: Annotated[
        str,
        Path(
            description="A GUID and an age, in hex.", examples=["5A9832E5287241C1838ED98914E9B7FF1"]
        ),
    ],
    runtime: RuntimeDep,
    access: Submitting,
) -> Response:
    """Tell whether there are symbols of a module, as `sym_upload` asks before it sends any.

    `status` is `FOUND` or `MISSING`.
    """
    del debug_file
    found = await runtime.symbols.newest(access, debug_id_of(debug_id))
    return _spaced({"status": "MISSING" if found is None else "FOUND"})


@router.post(
    "/v1/uploads:create",
    operation_id="symbols_begin_upload",
    response_model=SymbolsUpload,
    responses=problems(),
    openapi_extra=OPEN_OR_BEARER,
)
async def create(request: Request, runtime: RuntimeDep, key: KeyParam = None) -> Response:
    """Begin an upload as `sym_upload` does.

    `uploadUrl` takes a PUT of the file, without a credential, for an hour.
    """
    credential = credential_in(request, key)
    await runtime.access(credential, "symbols:submit").check()
    if not isinstance(credential, ApiKey):
        raise Forbidden("Such an upload is begun with an API key")
    upload = runtime.symbols.upload_keys.issue(credential, clock.now())
    url = f"{base_url(request, runtime)}{router.prefix}/uploads/{upload}"
    return _spaced({"uploadUrl": url, "uploadKey": upload})


@router.put(
    "/uploads/{upload_key}",
    operation_id="symbols_put_upload",
    response_class=PlainTextResponse,
    responses=text_answer("How many objects the file has", "1") | problems(408, 409),
    openapi_extra=OPEN_OR_BEARER | BINARY_BODY,
)
async def put(upload_key: UploadKey, request: Request, runtime: RuntimeDep) -> PlainTextResponse:
    """Take the file of an upload, which is kept at once.

    The key in the URL is the credential.
    """
    credential, _ = runtime.symbols.upload_keys.parse(upload_key, clock.now())
    access = runtime.access(credential, "symbols:submit")
    made = await runtime.symbols.create(access, "symbols.sym", body_of(request))
    return PlainTextResponse(str(len(made)))


@router.post(
    "/v1/uploads/{upload_key}:complete",
    operation_id="symbols_complete_upload",
    response_model=SymbolsCompleted,
    responses=problems(404),
    openapi_extra=OPEN_OR_BEARER,
)
async def complete(
    upload_key: UploadKey, request: Request, runtime: RuntimeDep, access: Submitting
) -> Response:
    """Complete an upload as `sym_upload` does, which names the symbols that it has sent.

    `result` is `OK`, or `DUPLICATE_DATA` for symbols that were there before.
    """
    await access.check()
    _, begun_at = runtime.symbols.upload_keys.parse(upload_key, clock.now())
    match = _DEBUG_ID.search(await read_small(request, _LIMIT))
    if match is None:
        raise InvalidRequest("The body names no debug_id")
    found = await runtime.symbols.newest(access, debug_id_of(match[1].decode()))
    if found is None:
        raise NotFound("No symbols of this debug_id have come")
    return _spaced({"result": "OK" if found >= begun_at else "DUPLICATE_DATA"})


@router.post(
    "",
    operation_id="symbols_submit",
    response_class=PlainTextResponse,
    responses=text_answer("The debug id", "5A9832E5287241C1838ED98914E9B7FF1") | problems(408, 409),
    openapi_extra=OPEN_OR_BEARER | multipart_body(SymbolsForm),
)
async def submit(request: Request, runtime: RuntimeDep, access: Submitting) -> PlainTextResponse:
    """Take a symbol file in a form, as the first version of `sym_upload` sends it.

    What else is in the form is said in the file as well, and not looked at.
    """
    async with open_form(request, access, _NoFields, file="symbol_file") as form:
        file = await form.file()
        made = await runtime.symbols.create(access, _name(file.name), file.body)
        await form.fields()
    return PlainTextResponse(made[0].debug_id)


class _NoFields(BaseModel):
    """The fields that are read."""


def _name(sent: str | None) -> str:
    try:
        return file_name(sent or "")
    except ValueError:
        return "symbols.sym"


def _spaced(members: dict[str, Any]) -> Response:
    return Response(json.dumps(members), media_type="application/json")
