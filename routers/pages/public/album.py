"""Pictures as visitors of links see them: alone, or as an album, a bundle of pictures alone."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from fastapi import Request
from fastapi.responses import Response

from app.accounts.identity import Tier
from app.bundles.entities import PICTURE, Member
from app.errors import NotFound
from app.links.entities import PublicLink
from app.objects.excerpts import NOTHING
from app.pictures.entities import Picture
from app.runtime import Runtime
from app.security.credentials import OpenedLink
from routers.pages.rendering.tiles import Shown, Tile, fitting, is_shown
from routers.v1.forms import pictures as picture_forms

_TILE: Final = 200  # px: what is at least so high is sharp in a tile


async def tiles_of(
    runtime: Runtime, link: PublicLink, members: Sequence[tuple[Member, str]]
) -> list[Tile]:
    """Return the tiles of an album's members, given with their paths; none for another bundle.

    Where a link counts downloads, its pictures aren't shown: that would take some.
    """
    pictures = [
        (member.target, member, path)
        for member, path in members
        if member.kind == PICTURE and member.target is not None
    ]
    if link.is_limited or len(pictures) < len(members):
        return []
    access = runtime.access(OpenedLink(link.owner), "pictures:read")
    found = await runtime.pictures.find_all(access, [uuid for uuid, _, _ in pictures])
    # one that is not found was just deleted
    return [
        _tile(found[uuid], link, member, path) for uuid, member, path in pictures if uuid in found
    ]


async def send_thumbnail(
    request: Request, runtime: Runtime, link: PublicLink, picture: str, *, large: bool
) -> Response:
    """Answer a thumbnail of a picture, which is sharp in a tile, or as large as there is one.

    Raises `NotFound` if its owner's tier has none.
    """
    access = runtime.access(OpenedLink(link.owner), "pictures:read")
    height = _height((await access.identity()).tier, large=large)
    if height is None:
        raise NotFound
    return await picture_forms.send_thumbnail(
        request, runtime, access, picture, height, inline=True
    )


def _height(tier: Tier, *, large: bool) -> int | None:
    highest = max(tier.heights, default=None)
    return highest if large else min((h for h in tier.heights if h >= _TILE), default=highest)


def _tile(picture: Picture, link: PublicLink, member: Member, path: str) -> Tile:
    """Return a tile that tells strangers of the picture what its image does, and nothing more."""
    facts = picture.facts
    is_given = link.originals or member.bare not in {None, NOTHING}
    shown = [
        None if height is None else fitting(picture, height, f"{path}?{query}")
        for query, height in (
            ("thumbnail=1", _height(picture.tier, large=False)),
            ("thumbnail=1&large=1", _height(picture.tier, large=True)),
        )
    ]
    whole = None
    if is_given and is_shown(picture):
        whole = Shown(f"{path}?inline=1", facts.width, facts.height)
    small, large = shown
    return Tile(
        replace(picture, uuid=member.uuid, name=member.file_name),
        href=path,
        small=small or whole,
        sharp=None,
        large=whole or large,
        is_original=whole is not None,
        original=f"{path}?download=1",
    )
