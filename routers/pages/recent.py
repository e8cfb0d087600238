"""What is recent, across the kinds of things: rows that lead to each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from fastapi import Request

from app.buffer.entities import Clip
from app.bundles.entities import Bundle
from app.dumps.entities import Dump
from app.files.entities import File
from app.overview import Overview
from app.pictures.entities import Picture
from app.runtime import Runtime
from app.words import plural, size_in_words
from routers.pages.rendering.preview import is_small_image
from routers.web.urls import base_path, file_link, own_link

SHOWN: Final = 8
_PREVIEW: Final = 120  # characters of a text in the buffer


@dataclass(frozen=True, slots=True)
class Recent:
    """A row: something that is kept, and where it is."""

    id: str
    kind: str
    """What its hue is called."""
    icon: str
    name: str
    facts: str
    href: str
    created_at: int
    expires_at: int | None = None
    link: str | None = None
    """A public link to it."""
    qr: str | None = None
    thumbnail: str | None = None


class RecentThings:
    """Makes rows of what an account has."""

    def __init__(self, request: Request, runtime: Runtime) -> None:
        self._request = request
        self._runtime = runtime
        self._base = base_path(request)

    def rows(
        self,
        seen: Overview,
        bundles: Sequence[Bundle],
        covers: Mapping[str, str | None],
        heights: Sequence[int],
    ) -> list[Recent]:
        """Return the newest of all kinds, the newest first; ``heights`` are those of thumbnails.

        ``covers`` are the first pictures of those bundles that are albums.
        """
        height = min(heights, default=None)
        rows = [*self._all(seen, height)]
        for bundle in bundles:
            is_album = bundle.uuid in covers
            row = self._bundle(bundle)
            rows.append(self._album(row, bundle, covers[bundle.uuid], height) if is_album else row)
        return sorted(rows, key=lambda row: -row.created_at)[:SHOWN]

    def _all(self, seen: Overview, height: int | None) -> Iterator[Recent]:
        yield from (self._file(file) for file in seen.files)
        yield from (self._picture(picture, height) for picture in seen.pictures)
        yield from (self._dump(dump) for dump in seen.dumps)
        if seen.buffer is not None:
            yield self._clip(seen.buffer)

    def _file(self, file: File) -> Recent:
        path = f"{self._base}/v1/files/{file.uuid}"
        link = file_link(self._request, self._runtime, file)
        return Recent(
            id=file.uuid,
            kind="files",
            icon="file",
            name=file.name,
            facts=size_in_words(file.content.size),
            href=link or f"{self._base}/files/{file.uuid}",
            created_at=file.created_at,
            expires_at=file.expires_at,
            link=link,
            qr=f"{path}/qr",
            thumbnail=f"{path}/content?inline=1"
            if is_small_image(file.content_type, file.content.size)
            else None,
        )

    def _bundle(self, bundle: Bundle) -> Recent:
        link = own_link(self._request, self._runtime, bundle.link)
        return Recent(
            id=bundle.uuid,
            kind="files",
            icon="bundle",
            name=bundle.name,
            facts=f"{plural(bundle.count, 'file')}, {size_in_words(bundle.size)}",
            href=link or f"{self._base}/bundles/{bundle.uuid}",
            created_at=bundle.created_at,
            expires_at=bundle.expires_at,
            link=link,
            qr=f"{self._base}/v1/bundles/{bundle.uuid}/qr",
        )

    def _album(self, row: Recent, bundle: Bundle, cover: str | None, height: int | None) -> Recent:
        return replace(
            row,
            kind="pictures",
            icon="pictures",
            facts=plural(bundle.count, "picture"),
            href=f"{self._base}/pictures/albums/{bundle.uuid}",
            thumbnail=None if cover is None else self._thumbnail(cover, height),
        )

    def _thumbnail(self, picture: str, height: int | None) -> str | None:
        if height is None:
            return None
        return f"{self._base}/v1/pictures/{picture}/thumbnails/{height}"

    def _picture(self, picture: Picture, height: int | None) -> Recent:
        return Recent(
            id=picture.uuid,
            kind="pictures",
            icon="pictures",
            name=picture.name,
            facts=f"{picture.facts.width} × {picture.facts.height}",  # noqa: RUF001
            href=f"{self._base}/pictures/{picture.uuid}",
            created_at=picture.created_at,
            thumbnail=self._thumbnail(picture.uuid, height),
        )

    def _dump(self, dump: Dump) -> Recent:
        return Recent(
            id=dump.uuid,
            kind="dumps",
            icon="dumps",
            name=dump.signature or dump.original_name,
            facts=", ".join(fact for fact in (dump.label, dump.exception) if fact) or "a dump",
            href=f"{self._base}/dumps/{dump.uuid}",
            created_at=dump.created_at,
            expires_at=dump.expires_at,
        )

    def _clip(self, clip: Clip) -> Recent:
        return Recent(
            id="buffer",
            kind="buffer",
            icon="buffer",
            name=clip.name or _beginning(clip) or "Text",
            facts=size_in_words(clip.content.size),
            href=f"{self._base}/file/buffer",
            created_at=clip.modified_at,
            expires_at=clip.revision.expires_at,
        )


def _beginning(clip: Clip) -> str | None:
    """Return the beginning of a text in the buffer, if it is at hand."""
    if clip.data_type != "text" or clip.content.data is None:
        return None
    text = " ".join(clip.content.data[: 4 * _PREVIEW].decode("utf-8", "ignore").split())
    return f"{text[:_PREVIEW]}…" if len(text) > _PREVIEW else text
