"""Pages for administrators: the state of the service, its accounts, its tiers."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from app import VERSION, clock
from app.accounts import administration, tiers
from app.accounts.identity import SERVICE_ACCOUNT, Access
from app.objects.pagination import MAX_LIMIT
from app.objects.storage_use import MAX_AGE
from app.runtime import Runtime
from app.tasks.sweep import MANY
from routers.pages.page import PageRoute, Visitor, render_app
from routers.v1.schemas.lists import CursorParam
from routers.v1.schemas.tiers import Tier
from routers.v1.service import readiness_of
from routers.web.dependencies import RuntimeDep, credential_of, runtime_of

_LIMIT: Final = 50  # accounts on a page
_STORAGES: Final = {"local": "local disk", "s3": "S3", "database": "PostgreSQL"}
_KINDS: Final = {"thumbs": "thumbnails"}  # those that people call otherwise


async def get_administrator(request: Request) -> Visitor:
    """Return who administrates; raises `Unauthorized` for a stranger, `Forbidden` for others."""
    runtime = runtime_of(request)
    access = Access(runtime.database, credential_of(request, runtime), "admin")
    return Visitor(access, await access.identity())


Administrator = Annotated[Visitor, Depends(get_administrator)]

router = APIRouter(prefix="/admin", include_in_schema=False, route_class=PageRoute)


@router.get("")
async def show_state(request: Request, runtime: RuntimeDep, visitor: Administrator) -> Response:
    """Show how the service is, and what it keeps."""
    now = clock.now()
    return render_app(
        request,
        "admin.html",
        visitor,
        place="admin",
        part="state",
        version=VERSION,
        readiness=await readiness_of(request, runtime),
        backends={
            "database": "PostgreSQL" if runtime.settings.uses_postgres else "SQLite",
            "storage": _STORAGES[runtime.settings.active_storage],
        },
        lags=await _lags(runtime, now),
        backlog=await runtime.sweep.backlog(now),
        many=MANY,
        use=await runtime.storage_uses.latest(now),
        max_age=MAX_AGE // clock.SECOND,
        kinds=_KINDS,
        iso=_iso,
    )


async def _lags(runtime: Runtime, now: int) -> dict[str, float]:
    """Return by task how many seconds its work is late; zero is as it should be."""
    tasks = (runtime.expiry, runtime.sweep)
    return {task.name: await task.lag(now) for task in tasks}


@router.get("/accounts")
async def show_accounts(
    request: Request,
    visitor: Administrator,
    q: Annotated[str, Query(max_length=320, pattern=r"^[^\x00]*$")] = "",
    cursor: CursorParam = None,
) -> Response:
    """List the accounts, newest first, or those that ``q`` finds."""
    page = await visitor.access.read(administration.search, q.strip(), _LIMIT, cursor)
    choices = await visitor.access.read(tiers.list_all, MAX_LIMIT, None)
    return render_app(
        request,
        "admin_accounts.html",
        visitor,
        place="admin",
        part="accounts",
        q=q.strip(),
        accounts=page.items,
        next_cursor=page.next_cursor,
        tiers=[tier.name for tier in choices.items],
        service=SERVICE_ACCOUNT,
        iso=_iso,
    )


@router.get("/tiers")
async def show_tiers(
    request: Request, runtime: RuntimeDep, visitor: Administrator, cursor: CursorParam = None
) -> Response:
    """List the tiers, newest first."""
    page = await visitor.access.read(tiers.list_all, _LIMIT, cursor)
    default = tiers.key_of(runtime.settings.default_tier)
    return render_app(
        request,
        "admin_tiers.html",
        visitor,
        place="admin",
        part="tiers",
        tiers=[Tier.of(tier) for tier in page.items],
        default=[tier.name for tier in page.items if tiers.key_of(tier.name) == default],
        next_cursor=page.next_cursor,
    )


def _iso(moment: int) -> str:
    return clock.to_datetime(moment).isoformat()
