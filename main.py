"""Holdall: `main` is its command line, and ``uvicorn main:app`` serves it too."""

import argparse
import asyncio
import json
import sys

from app import DESCRIPTION, VERSION, commands, logging
from app.config import ConfigError, Settings, load_settings
from app.config.example import example
from app.database.migrate import migrate
from app.startup import EXPECTED, explain
from routers import registry
from routers.connection import protocol, server
from routers.web.application import make_application
from routers.web.middleware import Edge


def create_app(settings: Settings) -> Edge:
    """Make the application; raises `ConfigError` for a setting that no other check finds wrong."""
    return make_application(settings, registry.site_of(settings))


def __getattr__(name: str) -> Edge:
    """Make `app` for ``uvicorn main:app`` when it is asked for: settings are read no sooner."""
    if name != "app":
        raise AttributeError(name)
    protocol.install()
    try:
        return create_app(load_settings())
    except ConfigError as error:
        sys.exit(explain(error))


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    if options.command == "settings":
        print(example(), end="")  # noqa: T201
        return 0
    try:
        settings = load_settings()
        logging.configure(settings)
        return _run(options, settings, create_app(settings))
    except EXPECTED as error:
        print(explain(error), file=sys.stderr)  # noqa: T201
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"Holdall {VERSION}")
    subparsers = parser.add_subparsers(dest="command")
    subparsers.add_parser("serve", help="migrate, and serve (the default)")
    subparsers.add_parser("migrate", help="bring the database's schema up to date")
    admin = subparsers.add_parser("create-admin", help="make an administrator")
    admin.add_argument("username")
    reset = subparsers.add_parser("reset-password", help="give an account another password")
    reset.add_argument("username")
    fsck = subparsers.add_parser("fsck", help="compare the store with the database")
    fsck.add_argument("--repair", action="store_true", help="delete orphans older than a day")
    fsck.add_argument("--checksums", action="store_true", help="read and hash every object")
    fsck.add_argument(
        "--adopt", action="store_true", help="take the store as it is, after a loss of either"
    )
    subparsers.add_parser("openapi", help="print the OpenAPI document")
    subparsers.add_parser("settings", help="print every setting, as .env.example has them")
    return parser


def _run(options: argparse.Namespace, settings: Settings, edge: Edge) -> int:
    match options.command:
        case "openapi":
            print(json.dumps(edge.app.openapi(), indent=2))  # noqa: T201
            return 0
        case "migrate":
            asyncio.run(migrate(settings))
            return 0
        case "create-admin":
            return asyncio.run(commands.create_admin(settings, options.username))
        case "reset-password":
            return asyncio.run(commands.reset_password(settings, options.username))
        case "fsck":
            flags = {name: getattr(options, name) for name in ("repair", "checksums", "adopt")}
            return asyncio.run(commands.fsck(settings, **flags))
        case _:
            return server.serve(
                edge, settings, lambda url: commands.greeting(edge.app.state.runtime, url)
            )


if __name__ == "__main__":
    sys.exit(main())
