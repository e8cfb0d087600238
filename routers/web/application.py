"""The application: routes, middleware, errors, and the runtime that it opens."""

import gc
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Final, NamedTuple

import structlog
from fastapi import APIRouter, FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import DESCRIPTION, VERSION
from app import logging as app_logging
from app.config import Settings
from app.processes import shutdown
from app.runtime import open_runtime
from app.startup import EXPECTED, explain
from app.workers.link import Link
from routers.web import problems
from routers.web.dispatch import Dispatcher
from routers.web.middleware import Edge
from routers.web.openapi import Tag, document
from routers.web.openapi.guide import GUIDE
from routers.web.problems import AnswerProblem
from routers.web.route import routes_of

log = structlog.get_logger("holdall")

_EXPOSED: Final = (
    *("Location", "Content-Location", "Retry-After", "ETag", "Content-Disposition"),
    *("Content-Range", "Accept-Ranges", "Repr-Digest", "X-Request-ID"),
    *("Tus-Resumable", "Tus-Version", "Tus-Extension", "Tus-Max-Size"),
    *("Upload-Offset", "Upload-Length", "Upload-Defer-Length", "Upload-Metadata"),
    *("Upload-Expires", "Upload-Complete", "Upload-Limit", "Upload-Draft-Interop-Version"),
)
"""Headers that scripts of other origins may read, by name: some browsers know no ``*``."""


class Place(NamedTuple):
    """A page that the bar of every page leads to."""

    path: str
    text: str
    kind: str
    """What its icon and its hue are called."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A part of the HTTP API: its routes, and their tag in the OpenAPI document."""

    tag: Tag
    routers: Sequence[APIRouter]
    place: Place | None = None
    """The page that the bar of every page leads to; None: none."""


@dataclass(frozen=True, slots=True)
class Contract(Resource):
    """An upstream wire protocol, whose errors have a form of their own."""

    is_optional: bool = True
    """Whether `COMPAT` can leave it out."""
    at_root: Callable[[], Response] | None = None
    """Makes the answer to ``GET /`` of programs; browsers get the home page."""


@dataclass(frozen=True, slots=True)
class Site:
    """Everything that an application serves."""

    resources: Sequence[Resource]
    contracts: Sequence[Contract]
    pages: Sequence[APIRouter]
    error_page: AnswerProblem
    """Makes the page of an error, for browsers."""

    @property
    def places(self) -> list[Place]:
        """The entries of the bar on every page."""
        return [resource.place for resource in self.resources if resource.place is not None]


class Api(FastAPI):
    """The application; it explains in one line why it can't start."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve without the framework's telemetry, which would look for work at every request."""
        scope["app"] = self
        if scope["type"] == "lifespan":
            await self.router(scope, receive, _explaining(send))
            return
        if self.middleware_stack is None:
            self.middleware_stack = self.build_middleware_stack()
        await self.middleware_stack(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        """Wrap the routes in the middleware that is used here, and no more.

        The framework's layers for errors, dependencies and telemetry would cost every request
        20 µs; routes that need its exit stack open one themselves.
        """
        app: ASGIApp = problems.Rendering(Dispatcher(self.router.routes))
        for middleware, args, options in reversed(self.user_middleware):
            app = middleware(app, *args, **options)
        return app


def _explaining(send: Send) -> Send:
    async def explain_failure(message: Message) -> None:
        error = sys.exc_info()[1]  # which the server is handling when it reports the failure
        if message["type"] == "lifespan.startup.failed" and isinstance(error, EXPECTED):
            message["message"] = explain(error)
        await send(message)

    return explain_failure


def make_application(settings: Settings, site: Site) -> Edge:
    """Make the application; it opens its runtime when the server starts it."""
    api = Api(
        title="Holdall",
        version=VERSION,
        description=f"{DESCRIPTION}\n\n{GUIDE}",
        contact={"name": "The Holdall maintainers"},
        license_info={"name": "MIT", "identifier": "MIT"},
        lifespan=_lifespan(settings),
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    api.state.error_page = site.error_page
    api.state.places = site.places
    api.state.link = None  # unless it joins workers
    parts = [*site.resources, *site.contracts]
    document.install(api, [part.tag for part in parts])
    routers = [router for part in parts for router in part.routers]
    for router in (*routers, *site.pages):
        api.router.routes.extend(routes_of(router))
    at_root = (contract.at_root for contract in site.contracts)
    api.state.at_root = next(filter(None, at_root), None)
    if settings.cors_origins:
        api.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["*", *_EXPOSED],
        )
    return Edge(api, settings)


def _lifespan(settings: Settings) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(api: FastAPI) -> AsyncIterator[None]:
        app_logging.configure(settings)
        link: Link | None = api.state.link
        log.info("starting", version=VERSION, **({} if link is None else {"worker": link.number}))
        async with (
            nullcontext() if link is None else link.open(),
            open_runtime(settings, link=link) as runtime,
        ):
            api.state.runtime = runtime
            # all that exists now will stay: walking it took 100 ms at every full collection
            gc.collect()
            gc.freeze()
            with shutdown.announced(runtime.closing):
                yield

    return lifespan
