"""Albums: bundles whose members are pictures, as visitors of their links see them."""

from collections.abc import Sequence
from dataclasses import replace

from app.bundles.entities import PICTURE, Member
from app.links.entities import PublicLink
from app.pictures.entities import Picture
from app.runtime import Runtime
from app.security.credentials import OpenedLink
from routers.pages.picture_tiles import Shown, Tile, is_shown


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
    return [_tile(found[uuid], member, path) for uuid, member, path in pictures if uuid in found]


def _tile(picture: Picture, member: Member, path: str) -> Tile:
    """Return a tile that tells strangers of the picture what its image does, and nothing more."""
    facts = picture.facts
    small = Shown(f"{path}?thumbnail=1", facts.width, facts.height)
    whole = Shown(f"{path}?inline=1", facts.width, facts.height) if is_shown(picture) else None
    return Tile(
        replace(picture, uuid=member.uuid, name=member.file_name),
        href=path,
        small=small,
        sharp=None,
        large=whole or small,
        is_original=whole is not None,
        original=f"{path}?download=1",
    )
