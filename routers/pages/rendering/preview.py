"""Previews of content for a page: what a browser shows safely, or the beginning of a text."""

from dataclasses import dataclass
from typing import Final

from app.bundles.entities import PICTURE
from app.links.entities import PublicLink
from app.objects.entities import Content
from app.runtime import Runtime
from routers.http.headers import inline_type
from storage.base import ByteRange

_TEXT: Final = 16 * 1024  # bytes of a text that are shown
_LARGEST_IMAGE: Final = 32 * 1024 * 1024  # bytes


_SMALL_IMAGE: Final = 128 * 1024  # bytes of one that is shown in a list as it is
_IN_LISTS: Final = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif", "image/avif"})


@dataclass(frozen=True, slots=True)
class Preview:
    """A preview: the URL of an image, audio or video, or the beginning of a text."""

    media: str
    """The first part of its media type."""
    url: str = ""
    text: str = ""
    is_cut: bool = False
    is_whole: bool = True
    """Whether an image has all of its pixels."""


def is_small_image(content_type: str, size: int) -> bool:
    """Tell whether content is its own thumbnail in a list."""
    return content_type in _IN_LISTS and size <= _SMALL_IMAGE


async def preview_of(runtime: Runtime, link: PublicLink, path: str) -> Preview | None:
    """Return a preview of the target of a link at ``path``; None if it is limited or has none."""
    if not link.is_plain:
        return None
    shown = await glimpse(runtime, link.content, link.target.content_type, f"{path}?inline=1")
    if shown is None and link.target_type == PICTURE:  # browsers don't show all formats
        return Preview("image", f"{path}?thumbnail=1&large=1", is_whole=False)
    return shown


async def glimpse(
    runtime: Runtime, content: Content, content_type: str, url: str, *, longest: int = _TEXT
) -> Preview | None:
    """Return a preview of content that ``url`` answers inline; None if a browser can't show it.

    A text is cut after ``longest`` bytes.
    """
    shown = inline_type(content_type)
    if shown is None or content.size == 0:
        return None
    media = shown.partition("/")[0]
    if media == "text" and content.encoding is None:
        return await _text_of(runtime, content, longest)
    if media == "text" or (media == "image" and content.size > _LARGEST_IMAGE):
        return None
    return Preview(media, url=url)


async def _text_of(runtime: Runtime, content: Content, longest: int) -> Preview | None:
    part = ByteRange(0, min(content.size, longest))
    async with runtime.downloads.open(content, part) as chunks:
        data = b"".join([chunk async for chunk in chunks])
    if b"\0" in data:
        return None
    is_cut = part.stop < content.size
    # leave out a character that was cut in two
    text = data.decode("utf-8-sig", "ignore" if is_cut else "replace")
    return Preview("text", text=text, is_cut=is_cut)
