"""The page for sending files: several at once, each gets a link; and the files that there are."""

from typing import Final

from fastapi import Request
from fastapi.responses import Response

from app import clock
from app.accounts.identity import Access
from app.config import Settings
from app.files import expiry as file_ends
from app.files import rows as files
from app.objects.pagination import Page
from app.runtime import Runtime
from routers.http.qr import qr_svg
from routers.pages.page import Visitor, render_app
from routers.v1.files import link_of
from routers.v1.schemas.files import File

_LIMIT: Final = 50  # files on a page
_TIMES: Final = (600, 3600, 86_400, 7 * 86_400, 30 * 86_400)  # seconds


async def show(request: Request, runtime: Runtime, access: Access, cursor: str | None) -> Response:
    """Show the form, and the account's files; older ones with a cursor."""
    visitor = Visitor(access, await access.identity())
    now, max_files = clock.now(), runtime.settings.max_files
    page: Page[files.File] = await access.read(files.page, _LIMIT, cursor, now)
    account_id, read = visitor.identity.account_id, runtime.database.read
    return render_app(
        request,
        "send.html",
        visitor,
        place="send",
        files=[File.of(file, link_of(request, runtime, file)) for file in page.items],
        now=clock.to_datetime(now),
        next_cursor=page.next_cursor,
        times=_times(runtime.settings),
        usual=runtime.settings.expire_time,
        max_files=max_files,
        first_to_go=await read(file_ends.first_to_go, account_id, max_files, now),
    )


async def show_sent(
    request: Request, access: Access, file: files.File, link: str | None
) -> Response:
    """Show a file that has just been sent, with its link and the QR code of that."""
    visitor = Visitor(access, await access.identity())
    return render_app(
        request,
        "sent.html",
        visitor,
        place="send",
        file=File.of(file, link),
        now=clock.to_datetime(clock.now()),
        # drawn into the page: whoever sent it with a token has no cookie to ask for it
        qr=None if link is None else await qr_svg(link),
    )


def _times(settings: Settings) -> list[int]:
    """Return the seconds to choose from that a file may live, the usual one among them."""
    return sorted({*_TIMES, settings.expire_time})
