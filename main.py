"""Holdall: `main` is its command line, and ``uvicorn main:app`` serves it too."""

import gc

gc.disable()  # imports leave next to no garbage; looking for it was a fifth of the start

import argparse
import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final

from app import DESCRIPTION, VERSION, backup_commands, commands, logging
from app.accounts.welcome.entities import DAY, INVITATION_LIFETIME, MAX_INVITATION_LIFETIME
from app.config import ConfigError, Settings, load_settings
from app.config.example import example
from app.database.migrate import migrate
from app.startup import EXPECTED, explain
from routers import registry
from routers.connection import protocol, server, workers
from routers.web.application import make_application
from routers.web.middleware import Edge

gc.freeze()  # what is imported stays
gc.enable()


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
    _add_parsers_of_links(subparsers)
    fsck = subparsers.add_parser("fsck", help="compare the store with the database")
    fsck.add_argument("--repair", action="store_true", help="delete orphans older than a day")
    fsck.add_argument("--checksums", action="store_true", help="read and hash every object")
    fsck.add_argument(
        "--adopt", action="store_true", help="take the store as it is, after a loss of either"
    )
    _add_backup_parsers(subparsers)
    subparsers.add_parser("moved", help="tell whether PREVIOUS_STORAGE is needed any more")
    subparsers.add_parser("openapi", help="print the OpenAPI document")
    subparsers.add_parser("settings", help="print every setting, as .env.example has them")
    return parser


def _add_parsers_of_links(
    subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> None:
    invite = subparsers.add_parser("invite", help="print a link that makes one account")
    invite.add_argument("--tier", help="the account's tier, if not DEFAULT_TIER")
    invite.add_argument("--admin", action="store_true", help="the account administrates")
    invite.add_argument(
        "--days", type=_days, default=INVITATION_LIFETIME // DAY, help="how long the link works"
    )
    reset = subparsers.add_parser("reset-password", help="give an account another password")
    reset.add_argument("username")
    reset.add_argument(
        "--link", action="store_true", help="print a link by which its owner sets it"
    )
    reset.add_argument(
        "--end-second-factor", action="store_true", help="turn the account's second factor off"
    )


def _add_backup_parsers(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    place = "a folder, or s3://bucket/prefix"
    backup = subparsers.add_parser("backup", help="make a snapshot, while the service runs")
    backup.add_argument("target", help=place)
    backup.add_argument("--with-key", action="store_true", help="put the signing keys into it")
    instead = backup.add_mutually_exclusive_group()
    instead.add_argument("--list", action="store_true", help="list the snapshots instead")
    instead.add_argument(
        "--prune", type=_at_least_one, metavar="N", help="remove all but the N newest instead"
    )
    verify = subparsers.add_parser("verify", help="read snapshots, and compare all digests")
    restore = subparsers.add_parser("restore", help="bring a snapshot back where nothing is yet")
    for parser in (verify, restore):
        parser.add_argument("source" if parser is restore else "target", help=place)
    verify.add_argument("--snapshot", metavar="ID", help="only this one, not all")
    restore.add_argument("--snapshot", metavar="ID", help="this one, not the newest")


def _days(text: str) -> int:
    days, most = int(text), MAX_INVITATION_LIFETIME // DAY
    if not 1 <= days <= most:
        raise argparse.ArgumentTypeError(f"1 to {most}")
    return days


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _run(options: argparse.Namespace, settings: Settings, edge: Edge) -> int:
    if options.command == "openapi":
        print(json.dumps(edge.app.openapi(), indent=2))  # noqa: T201
        return 0
    if options.command == "migrate":
        asyncio.run(migrate(settings))
        return 0
    if options.command in _COMMANDS:
        return asyncio.run(_COMMANDS[options.command](options, settings))
    return _serve(settings, edge)


def _serve(settings: Settings, edge: Edge) -> int:
    def greet(url: str) -> Awaitable[str]:
        return commands.greeting(edge.app.state.runtime, url)

    if settings.worker_count == 1:
        return server.serve(edge, settings, greet)
    return workers.serve(edge, settings, greet, make=create_app, load=load_settings)


def _backup(options: argparse.Namespace, settings: Settings) -> "_Work":
    if options.list:
        return backup_commands.list_backups(settings, options.target)
    if options.prune is not None:
        return backup_commands.prune(settings, options.target, options.prune)
    return backup_commands.backup(settings, options.target, with_key=options.with_key)


def _fsck(options: argparse.Namespace, settings: Settings) -> "_Work":
    flags = {name: getattr(options, name) for name in ("repair", "checksums", "adopt")}
    return commands.fsck(settings, **flags)


_Work = Coroutine[Any, Any, int]
_COMMANDS: Final[Mapping[str, Callable[[argparse.Namespace, Settings], _Work]]] = {
    "backup": _backup,
    "create-admin": lambda options, settings: commands.create_admin(settings, options.username),
    "fsck": _fsck,
    "invite": lambda options, settings: commands.invite(
        settings, options.tier, is_admin=options.admin, days=options.days
    ),
    "moved": lambda _, settings: commands.moved(settings),
    "reset-password": lambda options, settings: (
        commands.offer_reset if options.link else commands.reset_password
    )(settings, options.username, ends_second_factor=options.end_second_factor),
    "restore": lambda options, settings: backup_commands.restore(
        settings, options.source, options.snapshot
    ),
    "verify": lambda options, settings: backup_commands.verify(
        settings, options.target, options.snapshot
    ),
}
"""Commands that have a service of the settings do something, and return the exit status."""


if __name__ == "__main__":
    sys.exit(main())
