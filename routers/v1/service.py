"""The service itself: does it live, can it serve, what has it counted."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, Literal

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field

from app import metrics
from app.accounts.identity import Access
from app.runtime import Runtime
from routers.web.dependencies import RuntimeDep, credential_of
from routers.web.openapi import OPEN_OR_BEARER
from routers.web.problems import problems
from routers.web.route import HoldallRoute

router = APIRouter(tags=["service"], route_class=HoldallRoute)

CHECK_TIMEOUT: Final = 5.0
"""Seconds in which a part must answer."""

_DISPENSABLE: Final = frozenset({"redis", "decoders"})
"""Parts without which most requests can be served."""

log = structlog.get_logger(__name__)


class Alive(BaseModel):
    """Says that the process lives."""

    status: Literal["ok"]


class Check(BaseModel):
    """How one part answered."""

    status: Literal["ok", "failed"]
    ms: float = Field(description="Milliseconds that it took.")
    confinement: str | None = Field(
        default=None,
        description="Of processes that read what strangers sent: `landlock+seccomp`, one of the "
        "two, or `limits` where the kernel has neither.",
    )


class Readiness(BaseModel):
    """Whether the service can serve."""

    status: Literal["ready", "degraded", "unavailable"] = Field(
        description="Degraded: without Redis, which only carries hints, or without decoders."
    )
    checks: dict[str, Check] = Field(description="By part: database, storage, decoders, redis.")


@router.get("/healthz", operation_id="service_health")
async def health() -> Alive:
    """Tell that the process lives."""
    return Alive(status="ok")


@router.get(
    "/readyz",
    operation_id="service_readiness",
    response_model_exclude_none=True,
    responses={503: {"description": "A part that can't be done without fails", "model": Readiness}},
)
async def readiness(request: Request, runtime: RuntimeDep, response: Response) -> Readiness:
    """Tell whether database, storage, decoders and Redis answer, and how fast."""
    found = await readiness_of(request, runtime)
    if found.status == "unavailable":
        response.status_code = 503
    return found


async def readiness_of(request: Request, runtime: Runtime) -> Readiness:
    """Find out whether the service can serve."""
    checks = await _shared_checks(request, runtime)
    failed = {name for name, check in checks.items() if check.status != "ok"}
    if failed - _DISPENSABLE:
        return Readiness(status="unavailable", checks=checks)
    return Readiness(status="degraded" if failed else "ready", checks=checks)


async def _shared_checks(request: Request, runtime: Runtime) -> dict[str, Check]:
    """Check every part once for all who ask meanwhile, so that asking often costs no more."""
    state = request.app.state
    running: asyncio.Task[dict[str, Check]] | None = getattr(state, "readiness", None)
    if running is None or running.done():
        running = state.readiness = asyncio.create_task(_check_all(runtime))
    return await asyncio.shield(running)


async def _check_all(runtime: Runtime) -> dict[str, Check]:
    parts: dict[str, Callable[[], Awaitable[object]]] = {
        "database": runtime.database.ping,
        "storage": runtime.store.ping,
        "decoders": runtime.decoders.ping,
    }
    if runtime.redis is not None:
        parts["redis"] = runtime.redis.ping
    results = await asyncio.gather(*(_check(name, ping) for name, ping in parts.items()))
    checks = dict(zip(parts, results, strict=True))
    checks["decoders"].confinement = runtime.decoders.confinement
    return checks


async def _check(name: str, ping: Callable[[], Awaitable[object]]) -> Check:
    started = time.perf_counter()
    status: Literal["ok", "failed"] = "ok"
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            await ping()
    except Exception as error:  # noqa: BLE001 - told of, below and in the answer
        # without a traceback: balancers ask every few seconds, and the error says it all
        log.warning("a part of the service does not answer", part=name, error=repr(error))
        status = "failed"
    return Check(status=status, ms=round((time.perf_counter() - started) * 1000, 2))


@router.get(
    "/metrics",
    operation_id="service_metrics",
    response_class=PlainTextResponse,
    responses=problems(401, 403),
    openapi_extra=OPEN_OR_BEARER,
)
async def get_metrics(request: Request, runtime: RuntimeDep) -> Response:
    """Answer the metrics in the form of Prometheus.

    For the service token, administrators, and API keys of theirs with the scope `metrics:read`;
    for everybody with `METRICS=open`.
    """
    if runtime.settings.metrics == "closed":
        await Access(runtime.database, credential_of(request, runtime), "metrics:read").check()
    body = generate_latest(metrics.registry)
    return Response(body, headers={"Content-Type": CONTENT_TYPE_LATEST})
