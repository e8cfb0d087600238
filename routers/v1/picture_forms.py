"""Pictures in and out: the form that brings one, and the bytes that show it."""

import dataclasses
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, Final

from fastapi import Request
from fastapi.responses import Response

from app import clock
from app.accounts.identity import Access
from app.errors import FieldError, InvalidRequest, UnsupportedMediaType
from app.objects.lifecycle import Content, Received
from app.objects.uploads import Body
from app.pictures import formats as images
from app.pictures import rows as pictures
from app.pictures.formats import Kind
from app.pictures.rows import Picture
from app.runtime import Runtime
from routers.http.downloads import Named, send_content
from routers.http.forms import open_form
from routers.http.negotiation import prefers
from routers.v1.schemas.pictures import PictureFields

_EXTENSIONS: Final = {"jpeg": (".jpg", ".jpeg"), "heic": (".heic", ".heif", ".hif")}
_IMG: Final[list[str | int]] = ["body", "img"]


async def create(request: Request, runtime: Runtime, access: Access) -> Picture:
    """Store the picture of a request's form, once it has been seen that it can be decoded."""
    async with open_form(request, access, PictureFields, file="img", noun="picture") as form:
        file = await form.file()
        with _blamed_on_img():
            async with _receive(runtime, access, file.body) as received:
                fields = await form.fields()
                facts = await runtime.imaging.examine(_arrived(received))
                new = pictures.new_picture(fields.name, facts)
                return await access.write(pictures.create, new, received, clock.now())


@contextmanager
def _blamed_on_img() -> Iterator[None]:
    """Say of errors about the picture's bytes in which field these came."""
    try:
        yield
    except (UnsupportedMediaType, InvalidRequest) as error:
        error.errors = error.errors or [FieldError(loc=_IMG, msg=error.detail)]
        raise


def _receive(runtime: Runtime, access: Access, sent: Body) -> Any:  # noqa: ANN401 - a context
    body = dataclasses.replace(sent, chunks=_of_a_picture(sent.chunks))
    return runtime.uploads.receive(access, body, kind=pictures.KIND, admit=pictures.admit)


async def _of_a_picture(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Pass a body on that begins as a picture does; another is refused before it is stored."""
    header: bytes | None = b""
    async for chunk in chunks:
        if header is None:
            yield chunk
        elif len(header) + len(chunk) < images.HEADER:
            header += chunk
        else:
            _check_header(header + chunk)
            yield header + chunk
            header = None
    if header is not None:
        _check_header(header)
        yield header


def _check_header(header: bytes) -> None:
    if images.kind_of(header[: images.HEADER]) is None:
        raise images.unsupported()


def _arrived(received: Received) -> Content:
    """Return what has been received as what can be read before it is committed."""
    held = received.reservation
    return Content(
        object_id=0 if held is None else held.object_id,
        key=None if held is None else held.key,
        size=received.size,
        sha256=received.sha256,
        modified_at=clock.now(),
        data=received.data,
    )


async def send_original(
    request: Request, runtime: Runtime, access: Access, uuid: str, *, inline: bool
) -> Response:
    """Answer with a picture as it was uploaded, where the account's tier allows it."""
    picture = await access.read(pictures.find_original, uuid)
    named = named_picture(picture.name, picture.facts.format)
    return await send_content(request, runtime, picture.content, named, inline=inline)


async def send_thumbnail(
    request: Request, runtime: Runtime, access: Access, uuid: str, height: int, *, inline: bool
) -> Response:
    """Answer with a thumbnail: a JPEG, or a WebP for who would rather have one."""
    accept = request.headers.get("accept")
    kind: Kind = "webp" if prefers(accept, "image/webp", "image/jpeg") else "jpeg"
    thumbnail = await runtime.thumbnails.find(access, uuid, height, kind)
    named = dataclasses.replace(named_picture(thumbnail.name, kind), headers={"Vary": "Accept"})
    return await send_content(request, runtime, thumbnail.content, named, inline=inline)


def named_picture(name: str, kind: str) -> Named:
    """Return what bytes of a format are called that are shown under this name."""
    extensions = _EXTENSIONS.get(kind, (f".{kind}",))
    filename = name if name.lower().endswith(extensions) else name + extensions[0]
    return Named(filename, f"image/{kind}")
