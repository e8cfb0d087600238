"""QR codes of URLs."""

import asyncio
import io
from enum import StrEnum
from typing import Annotated, Any, Final

import segno
from fastapi import Query
from fastapi.responses import Response

_MARGIN: Final = 4  # modules, the least that readers need (ISO/IEC 18004)
_SCALE: Final = 8  # px a module


class Format(StrEnum):
    """Image formats of a QR code."""

    SVG = "svg"
    PNG = "png"


FormatParam = Annotated[Format, Query(alias="format", description="The image format of the code.")]

_TYPES: Final = {Format.SVG: "image/svg+xml", Format.PNG: "image/png"}
_HEADERS: Final = {
    "Cache-Control": "private, no-store",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
}


async def qr_response(url: str, image_format: Format) -> Response:
    """Answer with the QR code of a URL."""
    image = await asyncio.to_thread(_draw, url, image_format)
    return Response(image, headers=_HEADERS, media_type=_TYPES[image_format])


async def qr_text(url: str) -> str:
    """Return the QR code of a URL as the text of an SVG file."""
    return (await asyncio.to_thread(_draw, url, Format.SVG)).decode()


async def qr_svg(url: str) -> str:
    """Return the QR code of a URL as an element for a page."""
    return await asyncio.to_thread(_draw_inline, url)


def qr_answer() -> dict[int | str, dict[str, Any]]:
    """Declare the answer of a route for a QR code, for its ``responses``.

    As plain bytes, like every download: generators of clients skip answers of image types.
    """
    content = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    return {200: {"description": "The QR code, as SVG or PNG", "content": content}}


def _draw(url: str, image_format: Format) -> bytes:
    image = io.BytesIO()
    options: dict[str, Any] = {"title": "QR code"} if image_format is Format.SVG else {}
    _make(url).save(
        image, kind=image_format.value, border=_MARGIN, scale=_SCALE, light="white", **options
    )
    return image.getvalue()


def _draw_inline(url: str) -> str:
    svg: str = _make(url).svg_inline(border=_MARGIN, scale=_SCALE, light="white", omitsize=True)
    return svg.replace("<svg ", '<svg role="img" aria-label="QR code" ', 1)


def _make(url: str) -> Any:  # noqa: ANN401 - segno has no types
    return segno.make(url, error="m", micro=False)
