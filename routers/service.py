"""The service itself: does it live, can it serve, what has it counted."""

import asyncio
import time
from collections.abc import Awaitable
from typing import Final

import structlog
from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from app import metrics
from app.config import is_loopback
from app.runtime import Runtime
from app.services.identity import Access
from routers.dependencies import RuntimeDep, credential_of
from routers.problems import problems

router = APIRouter(tags=["service"])

_CHECK_TIMEOUT: Final = 5.0

log = structlog.get_logger(__name__)


class Alive(BaseModel):
    """Says that the process lives."""

    status: str


class Check(BaseModel):
    """How one part answered; the time is in milliseconds."""

    status: str
    ms: float


class Readiness(BaseModel):
    """Whether the service can serve: ``ready``, ``degraded`` (without Redis) or ``unavailable``."""

    status: str
    checks: dict[str, Check]


@router.get("/healthz", operation_id="service_health")
async def health() -> Alive:
    """Tell that the process lives."""
    return Alive(status="ok")


@router.get(
    "/readyz",
    operation_id="service_readiness",
    responses={503: {"description": "A part that can't be done without fails", "model": Readiness}},
)
async def readiness(runtime: RuntimeDep, response: Response) -> Readiness:
    """Tell whether database, storage and Redis answer."""
    parts: dict[str, Awaitable[object]] = {
        "database": runtime.database.ping(),
        "storage": runtime.store.ping(),
    }
    if runtime.redis is not None:
        parts["redis"] = runtime.redis.ping()
    results = await asyncio.gather(*(_check(name, part) for name, part in parts.items()))
    checks = dict(zip(parts, results, strict=True))
    failed = {name for name, check in checks.items() if check.status != "ok"}
    if failed - {"redis"}:
        response.status_code = 503
        return Readiness(status="unavailable", checks=checks)
    return Readiness(status="degraded" if failed else "ready", checks=checks)


async def _check(name: str, part: Awaitable[object]) -> Check:
    started = time.perf_counter()
    try:
        async with asyncio.timeout(_CHECK_TIMEOUT):
            await part
        status = "ok"
    except Exception:
        log.exception("a part of the service does not answer", part=name)
        status = "failed"
    return Check(status=status, ms=round((time.perf_counter() - started) * 1000, 2))


@router.get(
    "/metrics",
    operation_id="service_metrics",
    response_class=Response,
    responses=problems(401, 403),
)
async def get_metrics(request: Request, runtime: RuntimeDep) -> Response:
    """Answer the metrics in the form of Prometheus.

    For the service token and administrators; for everybody where only this host gets through.
    """
    if not (runtime.settings.is_private and _arrived_at_loopback(request)):
        await _require_operator(request, runtime)
    body = generate_latest(metrics.registry)
    return Response(body, headers={"Content-Type": CONTENT_TYPE_LATEST})


def _arrived_at_loopback(request: Request) -> bool:
    server = request.scope.get("server")
    return server is not None and is_loopback(server[0])


async def _require_operator(request: Request, runtime: Runtime) -> None:
    await Access(runtime.database, credential_of(request, runtime), "operator").check()
