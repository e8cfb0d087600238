"""A symbol server for debuggers: the layouts of Breakpad and SymStore, and debuginfod's.

Debuggers send no header of ours: the API key is the first segment of the path, or the password of
Basic authentication (RFC 7617).
"""

import re
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.accounts.identity import Access
from app.errors import CredentialNeeded, NotFound, PasswordNeeded
from app.security.api_keys import PREFIX
from app.symbols.entities import Wanted, debug_id_of
from routers.http.downloads import DownloadHeaders, send_content
from routers.http.headers import DEFAULT_TYPE
from routers.web.dependencies import RuntimeDep, basic_password, credential_of, runtime_of
from routers.web.downloadable import downloadable
from routers.web.route import HoldallRoute

# out of the document: no client is generated for debuggers, whose paths OpenAPI can't describe
router = APIRouter(
    prefix="/v1/symbols/server",
    tags=["symbols"],
    route_class=HoldallRoute,
    include_in_schema=False,
)

_BREAKPAD: Final = re.compile(r"[0-9A-Fa-f]{33,40}")
_BUILD_ID: Final = re.compile(r"[0-9a-f]{8,128}")
_FEATURES: Final = {"debuginfo": "debug", "executable": "unwind"}
_OF_PE: Final = (".dll", ".exe", ".sys", ".ocx")


@downloadable(router, "/{path:path}", get="symbols_serve", head="symbols_serve_head")
async def serve(path: str, request: Request, runtime: RuntimeDep) -> Response:
    """Get a symbol file as debuggers ask for it: gdb, lldb, WinDbg, Visual Studio.

    They are given the URL up to the API key as that of a symbol server, or of debuginfod. The path
    begins with an API key with the scope `symbols:read`, unless that is the password of Basic
    authentication; `FILE/ID/FILE` follows, or `buildid/ID/debuginfo` or `executable`.
    """
    segments = path.split("/")
    key = segments.pop(0) if segments[0].startswith(PREFIX) else None
    access = _access(request, key)
    wanted = _wanted(segments)
    if wanted is None:
        await access.check()
        raise NotFound
    found = await runtime.symbols.find_wanted(access, wanted)
    headers = DownloadHeaders(found.name, DEFAULT_TYPE)
    return await send_content(request, runtime, found.content, headers)


def _access(request: Request, key: str | None) -> Access:
    runtime = runtime_of(request)
    sent = basic_password(request) if key is None else key
    try:
        credential = (
            credential_of(request, runtime) if sent is None else runtime.keyring.parse(sent)
        )
    except CredentialNeeded:
        raise PasswordNeeded("Send an API key as the password") from None
    return runtime.access(credential, "symbols:read")


def _wanted(segments: list[str]) -> Wanted | None:
    """Return what a path asks for, or None for what there never is."""
    match segments:
        case ["buildid", build_id, kind] if kind in _FEATURES and _BUILD_ID.fullmatch(build_id):
            return Wanted(code_id=build_id, forms=frozenset({"elf"}), feature=_FEATURES[kind])
        case [_, identity, file] if file.lower().endswith(_OF_PE):
            return Wanted(code_id=identity.lower(), forms=frozenset({"pe"}))
        case [_, identity, file] if _BREAKPAD.fullmatch(identity):
            form = "breakpad" if file.lower().endswith(".sym") else "pdb"
            return Wanted(debug_id=debug_id_of(identity), forms=frozenset({form}))
    return None
