"""The service itself: does it live, can it serve, what has it counted."""

from typing import Final, Literal, Self

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel, Field

from app import VERSION, state
from routers.web.dependencies import RuntimeDep, credential_of
from routers.web.openapi import OPEN_OR_BEARER, text_answer
from routers.web.route import HoldallRoute

router = APIRouter(tags=["service"], route_class=HoldallRoute)

_METRICS: Final = "# TYPE holdall_bytes_in_total counter\nholdall_bytes_in_total 14.0\n"


class Alive(BaseModel):
    """Says that the process lives."""

    status: Literal["ok"]
    version: str = Field(description="That of Holdall.", examples=[VERSION])


class Check(BaseModel):
    """How one part answered."""

    status: Literal["ok", "failed"]
    ms: float = Field(description="Milliseconds that it took.", examples=[1.7])
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
    checks: dict[str, Check] = Field(
        description="By part: database, storage, decoders, redis.",
        examples=[{"database": {"status": "ok", "ms": 1.7}}],
    )

    @classmethod
    def of(cls, found: state.Readiness) -> Self:
        """Make the body that tells what was found."""
        checks = {
            name: Check(status=check.status, ms=check.ms, confinement=check.confinement)
            for name, check in found.checks.items()
        }
        return cls(status=found.status, checks=checks)


@router.get("/healthz", operation_id="service_health")
async def health() -> Alive:
    """Tell that the process is running, and its version.

    Nothing else is asked: not the database, not the storage.
    """
    return Alive(status="ok", version=VERSION)


@router.get(
    "/readyz",
    operation_id="service_readiness",
    response_model_exclude_none=True,
    responses={503: {"description": "A part that can't be done without fails", "model": Readiness}},
)
async def readiness(runtime: RuntimeDep, response: Response) -> Readiness:
    """Tell whether database, storage, decoders and Redis answer, and how fast.

    Without Redis, or without decoders, the service is degraded and still answers 200; without
    database or storage it answers 503.
    """
    found = await runtime.state.readiness()
    if found.status == "unavailable":
        response.status_code = 503
    return Readiness.of(found)


@router.get(
    "/metrics",
    operation_id="service_metrics",
    response_class=PlainTextResponse,
    responses=text_answer("The metrics", _METRICS),
    openapi_extra=OPEN_OR_BEARER,
)
async def get_metrics(request: Request, runtime: RuntimeDep) -> Response:
    """Answer the metrics in the form of Prometheus, of all workers together.

    For the service token, administrators, and API keys of theirs with the scope `metrics:read`;
    for everybody with `METRICS=open`.
    """
    if runtime.settings.metrics == "closed":
        await runtime.access(credential_of(request, runtime), "metrics:read").check()
    body = await runtime.gauges.exposition()
    return Response(body, headers={"Content-Type": CONTENT_TYPE_LATEST})
