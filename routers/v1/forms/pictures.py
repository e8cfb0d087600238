"""Pictures over HTTP, for every contract: the form that brings one, and the bytes that show it."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from fastapi import Request
from fastapi.responses import Response

from app.accounts.identity import Access
from app.errors import FieldError, InvalidRequest, UnsupportedMediaType
from app.pictures.entities import NewPicture, Picture
from app.pictures.formats import ThumbnailFormat
from app.runtime import Runtime
from routers.http.downloads import DownloadHeaders, send_content
from routers.http.forms.reading import open_form
from routers.http.negotiation import prefers
from routers.v1.schemas.pictures import PictureFields

_EXTENSIONS: Final = {"jpeg": (".jpg", ".jpeg"), "heic": (".heic", ".heif", ".hif")}


async def create(request: Request, runtime: Runtime, access: Access) -> Picture:
    """Create a picture from a form; raises `NoFile`, and what `Pictures.create` does."""
    async with open_form(request, access, PictureFields, file="img", noun="picture") as form:
        file = await form.file()

        async def describe() -> NewPicture:
            return NewPicture((await form.fields()).name)

        with _blaming_img():
            return await runtime.pictures.create(access, file.body, describe)


@contextmanager
def _blaming_img() -> Iterator[None]:
    """Name the field ``img`` in errors about the picture itself."""
    try:
        yield
    except (UnsupportedMediaType, InvalidRequest) as error:
        error.errors = error.errors or [FieldError(loc=["body", "img"], msg=error.detail)]
        raise


async def send_original(
    request: Request, runtime: Runtime, access: Access, uuid: str, *, inline: bool
) -> Response:
    """Answer with a picture as it was uploaded, where the account's tier allows it."""
    picture = await runtime.pictures.find_original(access, uuid)
    headers = picture_headers(picture.name, picture.facts.format)
    return await send_content(request, runtime, picture.content, headers, inline=inline)


async def send_thumbnail(
    request: Request, runtime: Runtime, access: Access, uuid: str, height: int, *, inline: bool
) -> Response:
    """Answer with a thumbnail: a WebP for clients that prefer it, else a JPEG."""
    accept = request.headers.get("accept")
    webp = prefers(accept, "image/webp", "image/jpeg")
    image_format: ThumbnailFormat = "webp" if webp else "jpeg"
    thumbnail = await runtime.pictures.find_thumbnail(access, uuid, height, image_format)
    headers = picture_headers(thumbnail.name, image_format)
    headers = dataclasses.replace(headers, extra=(("Vary", "Accept"),))
    return await send_content(request, runtime, thumbnail.content, headers, inline=inline)


def picture_headers(name: str, image_format: str) -> DownloadHeaders:
    """Return the download headers of a picture with this name, in this format."""
    extensions = _EXTENSIONS.get(image_format, (f".{image_format}",))
    filename = name if name.lower().endswith(extensions) else name + extensions[0]
    return DownloadHeaders(filename, f"image/{image_format}")
