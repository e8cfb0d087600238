"""Pages for administrators: the state of the service, its accounts, its tiers."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from app import VERSION, clock
from app.accounts.welcome.entities import DAY, INVITATION_LIFETIME, MAX_INVITATION_LIFETIME
from app.config import Settings
from app.database.pagination import MAX_LIMIT
from app.objects.storage_use import MAX_AGE
from app.security.credentials import SERVICE_ACCOUNT
from app.stores import BACKENDS
from app.tasks.sweep import MANY
from app.trends.entities import Trends
from app.words import plural, size_in_words
from routers.pages.rendering import bars
from routers.pages.rendering.page import PageRoute, Visitor, render_app, visitor_of
from routers.v1.schemas.accounts.tiers import Tier
from routers.v1.schemas.lists import CursorParam
from routers.web.dependencies import RuntimeDep, credential_of, runtime_of

_DAYS: Final = 30  # of trends
_LIMIT: Final = 50  # accounts on a page
_LIFETIMES: Final = (DAY, INVITATION_LIFETIME, MAX_INVITATION_LIFETIME)  # seconds
_KINDS: Final = {"thumbs": "thumbnails"}  # those that people call otherwise


async def get_administrator(request: Request) -> Visitor:
    """Return who administrates; raises `Unauthorized` for a stranger, `Forbidden` for others."""
    runtime = runtime_of(request)
    access = runtime.access(credential_of(request, runtime), "admin")
    return await visitor_of(runtime, access)


Administrator = Annotated[Visitor, Depends(get_administrator)]

router = APIRouter(prefix="/admin", include_in_schema=False, route_class=PageRoute)


@router.get("")
async def show_state(request: Request, runtime: RuntimeDep, visitor: Administrator) -> Response:
    """Show how the service is, and what it keeps."""
    state = runtime.state
    return render_app(
        request,
        "admin.html",
        visitor,
        place="admin",
        part="state",
        version=VERSION,
        workers=runtime.parts.workers,
        readiness=await state.readiness(),
        backends={
            "database": "PostgreSQL" if runtime.settings.uses_postgres else "SQLite",
            "storage": _storage_of(runtime.settings),
        },
        lags=await state.lags(),
        backlog=await state.backlog(),
        many=MANY,
        move=await state.move(),
        use=await state.storage_use(),
        charts=_charts(await state.trends(_DAYS)),
        disks=await state.disks(),
        in_bytes=size_in_words,
        in_things=lambda count: plural(count, "thing"),
        in_dumps=lambda count: plural(count, "crash", "crashes"),
        max_age=MAX_AGE // clock.SECOND,
        kinds=_KINDS,
    )


@router.get("/accounts")
async def show_accounts(
    request: Request,
    runtime: RuntimeDep,
    visitor: Administrator,
    q: Annotated[str, Query(max_length=320, pattern=r"^[^\x00]*$")] = "",
    cursor: CursorParam = None,
    older_invitations: Annotated[str | None, Query(alias="invitations", max_length=4096)] = None,
) -> Response:
    """List the accounts, newest first, or those that ``q`` finds, and who is invited."""
    invited = await runtime.welcome.invitations(visitor.access, _LIMIT, older_invitations)
    page = await runtime.accounts.search(visitor.access, q.strip(), _LIMIT, cursor)
    choices = await runtime.tiers.page(visitor.access, MAX_LIMIT, None)
    return render_app(
        request,
        "admin_accounts.html",
        visitor,
        place="admin",
        part="accounts",
        q=q.strip(),
        accounts=page.items,
        next_cursor=page.next_cursor,
        invitations=() if q.strip() or cursor else invited.items,  # not among what was found
        older_invitations=invited.next_cursor,
        lifetimes=_LIFETIMES,
        usual_lifetime=INVITATION_LIFETIME,
        tiers=[tier.name for tier in choices.items],
        default_tier=next((t.name for t in choices.items if runtime.tiers.is_default(t)), ""),
        service=SERVICE_ACCOUNT,
    )


@router.get("/tiers")
async def show_tiers(
    request: Request, runtime: RuntimeDep, visitor: Administrator, cursor: CursorParam = None
) -> Response:
    """List the tiers, newest first."""
    page = await runtime.tiers.page(visitor.access, _LIMIT, cursor)
    return render_app(
        request,
        "admin_tiers.html",
        visitor,
        place="admin",
        part="tiers",
        tiers=[Tier.of(tier) for tier in page.items],
        default=[tier.name for tier in page.items if runtime.tiers.is_default(tier)],
        next_cursor=page.next_cursor,
    )


def _charts(trends: Trends) -> dict[str, bars.Chart]:
    days = {"stored": trends.stored, "received": trends.received, "crashes": trends.crashes}
    return {name: bars.draw(of_days) for name, of_days in days.items()}


def _storage_of(settings: Settings) -> str:
    label = BACKENDS[settings.active_storage].label
    if settings.previous_storage is None:
        return label
    return f"{label}, before: {BACKENDS[settings.previous_storage].label}"
