"""Holdall: the application, and its command line."""

import argparse
import asyncio
import gc
import getpass
import ipaddress
import json
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import uvicorn
from fastapi import FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.exceptions import ExceptionMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import clock
from app import logging as app_logging
from app.accounts import bootstrap, registration
from app.accounts.registration import Registration
from app.config import ConfigError, Settings, load_settings
from app.database import DatabaseFull, DatabaseUnavailable, generations
from app.database.generations import OlderDatabase
from app.database.migrate import migrate
from app.errors import ProblemError
from app.processes import shutdown
from app.runtime import Runtime, open_runtime
from app.tasks import reconcile
from routers.compat.cloud_buffer import routes as cloud_buffer
from routers.compat.crash_store import routes as crash_store
from routers.compat.storagetiers import routes as storagetiers
from routers.compat.vertexcloud import routes as vertexcloud
from routers.connection import protocol
from routers.pages import (
    account,
    admin,
    docs,
    home,
    links,
    manifest,
    profile,
    share,
    static,
    timelink,
)
from routers.pages import dumps as dump_pages
from routers.pages import pictures as picture_pages
from routers.v1 import (
    accounts,
    api_keys,
    auth,
    blobs,
    buffer,
    dumps,
    files,
    minidumps,
    pictures,
    send,
    service,
    sessions,
    tiers,
    timelinks,
)
from routers.web import openapi, problems
from routers.web.dispatch import Dispatcher
from routers.web.middleware import Edge
from routers.web.route import routes_of
from storage.errors import StorageError

DESCRIPTION = "One storage service that gives every kind of thing its natural API."
CONTRACTS: Final = {
    "crash-store": crash_store,
    "vertexcloud": vertexcloud,
    "storagetiers": storagetiers,
}
"""The upstream contracts that `COMPAT` turns on, by the names it has for them."""

_LAST_WORDS: Final = 5  # seconds for the answers to requests that exceed the grace

EXPECTED: Final = (
    ConfigError,
    DatabaseUnavailable,
    DatabaseFull,
    OlderDatabase,
    StorageError,
    ProblemError,
)
"""What may keep the service from starting; a line says all there is to say."""


_NO_ADMINISTRATOR: Final = (
    "There is no account yet. Make an administrator: main.py create-admin NAME"
)


class Api(FastAPI):
    """The application; where it can't start it says why in a line, without a traceback."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            scope["app"] = self
            await self.router(scope, receive, _explaining(send))
        else:
            await super().__call__(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        """Wrap the routes in what is used here, and no more.

        The framework's layers for server errors, telemetry and limits would cost every request
        10 µs; the edge has the last word on errors, and routes have their own limits.
        """
        handlers = dict(self.exception_handlers)
        app: ASGIApp = AsyncExitStackMiddleware(Dispatcher(self.router.routes))
        app = ExceptionMiddleware(app, handlers=handlers)
        for middleware, args, options in reversed(self.user_middleware):
            app = middleware(app, *args, **options)
        return app


def _explaining(send: Send) -> Send:
    async def explain(message: Message) -> None:
        error = sys.exc_info()[1]  # the server tells of it while it handles it
        if message["type"] == "lifespan.startup.failed" and isinstance(error, EXPECTED):
            message["message"] = _complaint(error)
        await send(message)

    return explain


def create_app(settings: Settings) -> Edge:
    """Make the application; it opens its runtime when the server starts it."""

    @asynccontextmanager
    async def lifespan(api: FastAPI) -> AsyncIterator[None]:
        app_logging.configure(settings)
        async with open_runtime(settings) as runtime:
            api.state.runtime = runtime
            # what is there now stays: walking through it took 100 ms at every full collection
            gc.collect()
            gc.freeze()
            with shutdown.announced(runtime.closing):
                yield

    api = Api(
        title="Holdall",
        version="1",
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    problems.install(api)
    openapi.install(api)
    for module in (
        blobs,
        minidumps,
        dumps,
        pictures,
        buffer,
        files,
        send,
        timelinks,
        accounts,
        auth,
        sessions,
        api_keys,
        tiers,
        service,
        timelink,
        account,
        cloud_buffer,
        picture_pages,
        dump_pages,
        profile,
        share,
        manifest,
        links,
        admin,
        docs,
        home,
        static,
    ):
        api.router.routes.extend(routes_of(module.router))
    for name, contract in CONTRACTS.items():
        if name in settings.compat:
            api.router.routes.extend(routes_of(contract.router))
    if settings.cors_origins:
        api.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["*"],
        )
    return Edge(api, settings)


def __getattr__(name: str) -> Edge:
    """Make `app` for ``uvicorn main:app`` when it is asked for: settings are read no sooner."""
    if name != "app":
        raise AttributeError(name)
    protocol.install()
    try:
        return create_app(load_settings())
    except ConfigError as error:
        sys.exit(_complaint(error))


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        settings = load_settings()
        app_logging.configure(settings)
        if options.command == "openapi":
            return print_openapi(settings)
        if options.command in {None, "serve"}:
            return serve(settings)
        return asyncio.run(_run(options, settings))
    except EXPECTED as error:
        return _fail(_complaint(error))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="main.py", description=DESCRIPTION)
    commands = parser.add_subparsers(dest="command")
    commands.add_parser("serve", help="migrate, and serve (the default)")
    commands.add_parser("migrate", help="bring the database's schema up to date")
    admin = commands.add_parser("create-admin", help="make an administrator")
    admin.add_argument("username")
    fsck = commands.add_parser("fsck", help="compare the store with the database")
    fsck.add_argument("--repair", action="store_true", help="delete orphans older than a day")
    fsck.add_argument("--checksums", action="store_true", help="read and hash every object")
    fsck.add_argument(
        "--adopt", action="store_true", help="take the store as it is, after a loss of either"
    )
    commands.add_parser("openapi", help="print the OpenAPI document")
    return parser


async def _run(options: argparse.Namespace, settings: Settings) -> int:
    match options.command:
        case "migrate":
            await migrate(settings)
            return 0
        case "create-admin":
            return await create_admin(settings, options.username)
        case _:
            return await fsck(
                settings,
                repair=options.repair,
                checksums=options.checksums,
                adopt=options.adopt,
            )


class Server(uvicorn.Server):
    """The HTTP server; tells on standard output where it serves, once it does."""

    def __init__(self, api: FastAPI, config: uvicorn.Config, grace: float) -> None:
        super().__init__(config)
        self._api = api
        self._grace = grace

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        host, port = self.servers[0].sockets[0].getsockname()[:2]
        greeting = await _greeting(self._api.state.runtime, _url(host, port))
        with suppress(OSError):  # nobody reads it
            print(greeting, flush=True)  # noqa: T201

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wait for the requests under way; those that exceed the grace are ended, and told so."""
        grace = asyncio.get_running_loop().call_later(self._grace, self._end_requests)
        try:
            await super().shutdown(sockets)
        finally:
            grace.cancel()

    def _end_requests(self) -> None:
        for task in self.server_state.tasks:
            task.cancel()


def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; requests under way then get their grace period."""
    edge = create_app(settings)
    config = uvicorn.Config(
        edge,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        http=protocol.HttpProtocol,
        ws="none",
        timeout_graceful_shutdown=settings.shutdown_grace + _LAST_WORDS,
    )
    # the server stops in good order before it passes on the signals that it was stopped by
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with suppress(KeyboardInterrupt):
        Server(edge.app, config, settings.shutdown_grace).run()
    return 0


async def _greeting(runtime: Runtime, url: str) -> str:
    lines = [f"Holdall serves {url}"]
    if not await runtime.database.read(registration.has_accounts):
        lines += _first_account(url, await registration.state(runtime.database, runtime.settings))
    return "\n".join(lines)


def _first_account(url: str, opened_to: Registration) -> list[str]:
    made_by = f"""curl {url}/v1/accounts --json '{{"username": "NAME", "password": "PASSWORD"}}'"""
    match opened_to:
        case Registration.FIRST:
            return [
                "There is no account yet. The first one administrates, and closes registration;",
                f"make it in a browser, or by {made_by}",
            ]
        case Registration.ALL:
            return [_NO_ADMINISTRATOR, f"or an account: {made_by}"]
        case Registration.NOBODY:
            return [_NO_ADMINISTRATOR]


def _url(host: str, port: int) -> str:
    address = ipaddress.ip_address(host)
    if address.is_unspecified:  # every address of this host, of which a browser wants one
        address = ipaddress.ip_address("::1" if address.version == 6 else "127.0.0.1")  # noqa: PLR2004
    return f"http://[{address}]:{port}" if ":" in str(address) else f"http://{address}:{port}"


async def create_admin(settings: Settings, username: str) -> int:
    """Make an administrator; the password is asked for, or read from standard input."""
    password = getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    async with open_runtime(settings, background=False) as runtime:
        await bootstrap.create_admin(
            runtime.database, runtime.passwords, settings, username, password
        )
    print(f"{username} is an administrator now")  # noqa: T201
    return 0


async def fsck(settings: Settings, *, repair: bool, checksums: bool, adopt: bool) -> int:
    """Compare store and database, and print what differs; 1 when something is left wrong."""
    async with open_runtime(settings, background=False, adopt=adopt) as runtime:
        comparison = reconcile.Comparison(
            runtime.database, runtime.store, clock.now(), checksums=checksums
        )
        findings = comparison.run()
        if repair:
            await generations.require_current(runtime.database, runtime.store)
            findings = reconcile.repaired(findings, runtime.store)
        garbage = harm = 0
        async for finding in findings:
            print(f"{finding.kind}: {finding.key}")  # noqa: T201
            garbage += finding.is_garbage
            harm += finding.is_harm
        deleted = garbage if repair else 0
        print(f"{comparison.objects} objects; {deleted} orphans deleted")  # noqa: T201
    return 1 if harm or garbage > deleted else 0


def print_openapi(settings: Settings) -> int:
    """Print the OpenAPI document."""
    api = create_app(settings).app
    print(json.dumps(api.openapi(), indent=2))  # noqa: T201
    return 0


def _complaint(error: BaseException) -> str:
    if isinstance(error, DatabaseUnavailable | DatabaseFull):
        return f"Holdall can't use its database (DATABASE_URL, DATA_DIR, DB_HOST): {error}"
    if isinstance(error, StorageError):
        return f"Holdall can't use its object store (ACTIVE_STORAGE, its settings): {error}"
    if isinstance(error, ProblemError | OlderDatabase):
        return f"Holdall can't do this: {error}"
    return f"Holdall can't start with these settings:\n{error}"


def _fail(message: str) -> int:
    print(message, file=sys.stderr)  # noqa: T201
    return 1


if __name__ == "__main__":
    sys.exit(main())
