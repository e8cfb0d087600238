"""The page for sending files, and the list of those that were sent."""

from typing import Final
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import Response

from app.accounts.identity import Access
from app.bundles.entities import Bundle as BundleEntity
from app.bundles.entities import BundleSort
from app.bundles.entities import Wanted as WantedBundles
from app.files import entities
from app.files.entities import FileSort, Wanted
from app.links.bounds import usual_lifetime
from app.runtime import Runtime
from routers.http.qr import qr_svg
from routers.pages.link_choice import link_choice, within
from routers.pages.rendering.page import render_app, visitor_of
from routers.pages.rendering.preview import is_small_image
from routers.v1.schemas.bundles import Bundle
from routers.v1.schemas.files import StoredFile
from routers.web.urls import file_link, own_link

_LIMIT: Final = 100  # files on a page
_BUNDLES: Final = 20  # on a page: the files are below them
_BUNDLE_SORTS: Final = {FileSort.NAME: BundleSort.NAME, FileSort.ENDS: BundleSort.ENDS}
"""Their size is known by adding up that of all their members, so that they aren't sorted by it."""
TIMES: Final = (600, 3600, 86_400, 7 * 86_400, 30 * 86_400)  # seconds


async def show(
    request: Request,
    runtime: Runtime,
    access: Access,
    cursor: str | None,
    bundles_cursor: str | None,
    wanted: Wanted,
) -> Response:
    """Show the form, and the account's bundles and files; older ones with a cursor."""
    visitor = await visitor_of(runtime, access)
    page = await runtime.files.page(access, _LIMIT, cursor, wanted)
    of_bundles = WantedBundles(wanted.text, _BUNDLE_SORTS.get(wanted.sort, BundleSort.NEWEST))
    bundles = await runtime.bundles.page(access, _BUNDLES, bundles_cursor, of_bundles)
    query = {"q": wanted.text, "sort": wanted.sort}
    tier = visitor.identity.tier
    usual = usual_lifetime(tier, runtime.settings.expire_time)
    return render_app(
        request,
        "send.html",
        visitor,
        place="send",
        is_small_image=is_small_image,
        files=[StoredFile.of(file, file_link(request, runtime, file)) for file in page.items],
        more=page.next_cursor and urlencode(query | {"cursor": page.next_cursor}),
        bundles=[Bundle.of(one, own_link(request, runtime, one.link)) for one in bundles.items],
        more_bundles=bundles.next_cursor and urlencode(query | {"bundles": bundles.next_cursor}),
        wanted=wanted,
        times=sorted(within(TIMES, tier.max_lifetime) | {usual}),
        usual=usual,
        **link_choice(runtime.settings, tier),
        max_files=runtime.settings.max_files,
        next_evicted=await runtime.files.next_evicted(access),
    )


async def show_sent(
    request: Request,
    runtime: Runtime,
    access: Access,
    sent: entities.File | BundleEntity,
    link: str | None,
) -> Response:
    """Show what has just been sent, with its link and the QR code of that."""
    visitor = await visitor_of(runtime, access)
    return render_app(
        request,
        "sent.html",
        visitor,
        place="send",
        kind="file" if isinstance(sent, entities.File) else "bundle",
        sent=StoredFile.of(sent, link)
        if isinstance(sent, entities.File)
        else Bundle.of(sent, link),
        # part of the page: whoever sent the file with a token has no cookie to get it by
        qr=None if link is None else await qr_svg(link),
    )
