"""Holdall: the application, and its command line."""

import argparse
import asyncio
import getpass
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import uvicorn
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from app import clock
from app import logging as app_logging
from app.config import ConfigError, Settings, load_settings
from app.database import DatabaseUnavailable
from app.errors import ProblemError
from app.migrate import migrate
from app.runtime import open_runtime
from app.services import bootstrap
from app.tasks import reconcile
from routers import accounts, api_keys, auth, blobs, openapi, problems, service, sessions, tiers
from routers.edge import Edge
from routers.pages import docs, home
from storage.errors import StorageError

DESCRIPTION = "One storage service that gives every kind of thing its natural API."


def create_app(settings: Settings) -> Edge:
    """Make the application; it opens its runtime when the server starts it."""

    @asynccontextmanager
    async def lifespan(api: FastAPI) -> AsyncIterator[None]:
        app_logging.configure(settings)
        async with open_runtime(settings) as runtime:
            api.state.runtime = runtime
            yield

    api = FastAPI(
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
    for module in (blobs, accounts, auth, sessions, api_keys, tiers, service, docs, home):
        api.router.routes.extend(module.router.routes)
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
    except ConfigError as error:
        return _fail(_complaint(error))
    except (DatabaseUnavailable, StorageError, ProblemError) as error:
        return _fail(f"Holdall can't do this: {error}")


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
            return await fsck(settings, repair=options.repair, checksums=options.checksums)


def serve(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; requests under way then get their grace period."""
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(settings),
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=settings.shutdown_grace,
        )
    )
    with suppress(KeyboardInterrupt):  # the server stops in good order before it passes this on
        server.run()
    return 0 if server.started else 1


async def create_admin(settings: Settings, username: str) -> int:
    """Make an administrator; the password is asked for, or read from standard input."""
    password = getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    async with open_runtime(settings, background=False) as runtime:
        await bootstrap.create_admin(
            runtime.database, runtime.passwords, settings, username, password
        )
    print(f"{username} is an administrator now")  # noqa: T201
    return 0


async def fsck(settings: Settings, *, repair: bool, checksums: bool) -> int:
    """Compare store and database, and print what differs; 1 when something is left wrong."""
    async with open_runtime(settings, background=False) as runtime:
        report = await reconcile.compare(
            runtime.database, runtime.store, clock.now(), checksums=checksums
        )
        for kind in ("orphans", "missing", "damaged", "foreign"):
            for key in getattr(report, kind):
                print(f"{kind}: {key}")  # noqa: T201
        deleted = await reconcile.repair(runtime.store, report) if repair else 0
        print(f"{report.objects} objects; {deleted} orphans deleted")  # noqa: T201
    left = report.missing or report.damaged or (report.orphans and not repair)
    return 1 if left else 0


def print_openapi(settings: Settings) -> int:
    """Print the OpenAPI document."""
    api = create_app(settings).app
    print(json.dumps(api.openapi(), indent=2))  # noqa: T201
    return 0


def _complaint(error: ConfigError) -> str:
    return f"Holdall can't start with these settings:\n{error}"


def _fail(message: str) -> int:
    print(message, file=sys.stderr)  # noqa: T201
    return 1


if __name__ == "__main__":
    sys.exit(main())
