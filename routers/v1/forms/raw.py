"""Raw bodies where a form may be sent as well: the file alone, its fields in the query."""

from typing import Any, Final

from fastapi import Request
from fastapi.responses import Response

from app.accounts.identity import Access
from app.runtime import Runtime
from app.uploads.entities import Kind, NewUpload
from routers.http.bodies import body_of, has_body
from routers.http.forms.reading import check_fields, media_type_of
from routers.http.headers import media_type
from routers.http.names import disposition_name
from routers.v1 import answers, link_options
from routers.v1.schemas.uploads import MODELS, fields_of
from routers.v1.uploads import by_draft

_OF_FORMS: Final = "multipart/"


async def is_raw(request: Request, access: Access) -> bool:
    """Tell whether a request has the file alone for its body: of any type but that of a form."""
    if media_type_of(request).startswith(_OF_FORMS):
        await by_draft.begun(request, access)  # raises for what can't be resumed
        return False
    return "content-type" in request.headers or has_body(request) or by_draft.is_spoken(request)


async def create(
    request: Request, runtime: Runtime, access: Access, kind: Kind, **given: str
) -> Response:
    """Make a thing of a raw body, at once or by an upload that can be resumed.

    ``given`` are fields that the route knows.
    """
    await access.check()  # a stranger isn't told what is wrong
    content_type = media_type(request.headers.get("content-type"))
    values = _values(request, kind) | given
    fields = fields_of(check_fields(MODELS[kind], values, "query"), content_type)
    if (sent := await by_draft.begun(request, access)) is not None:
        new = NewUpload(kind, fields, terms=by_draft.terms_of(request))
        return await by_draft.create(request, runtime, access, sent, new)
    made = await runtime.uploads.make(access, kind, fields, body_of(request))
    return answers.made(request, runtime, made)


def _values(request: Request, kind: Kind) -> dict[str, Any]:
    """Return the fields; what is in the query precedes what headers say."""
    name = disposition_name(request.headers.get("content-disposition", ""))
    values = {} if name is None else {"name": name}
    if kind is Kind.FILE:
        values |= link_options.sent(request)
    return values | dict(request.query_params)
