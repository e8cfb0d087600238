"""Commands of the command line, and the greeting that a started server prints."""

import getpass
import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from app import clock
from app.accounts.registration import Registration
from app.accounts.welcome.entities import DAY, RESET_LIFETIME, Link
from app.config import Settings
from app.database import generations
from app.moving.marks import finish
from app.moving.remaining import count_left
from app.runtime import Runtime, open_runtime
from app.security.credentials import ServiceToken
from app.tasks import reconcile
from storage.moving import MovingStore


async def create_admin(settings: Settings, username: str) -> int:
    """Make an administrator, whose password is asked for or read from standard input."""
    password = _read_password()
    async with open_runtime(settings, background=False) as runtime:
        await runtime.accounts.create_admin(username, password)
    print(f"{username} is an administrator now")  # noqa: T201
    return 0


async def reset_password(settings: Settings, username: str, *, ends_second_factor: bool) -> int:
    """Give an account another password, which is asked for or read from standard input."""
    password = _read_password()
    async with open_runtime(settings, background=False) as runtime:
        account = await runtime.accounts.reset_password(
            username, password, ends_second_factor=ends_second_factor
        )
    print(f"{account.username} has the new password; sessions and API keys have ended")  # noqa: T201
    return 0


async def offer_reset(settings: Settings, username: str, *, ends_second_factor: bool) -> int:
    """Print a link by which an account's owner sets another password."""
    async with open_runtime(settings, background=False) as runtime:
        account = await runtime.accounts.named(username)
        access = runtime.access(ServiceToken(), None)
        link, *_ = await runtime.welcome.offer_reset(
            access,
            account.uuid,
            RESET_LIFETIME,
            ends_second_factor=ends_second_factor,
            url_of=_url_of(settings),
        )
    _print_link(link, account.email)
    return 0


async def invite(settings: Settings, tier: str | None, *, is_admin: bool, days: int) -> int:
    """Print a link that makes one account."""
    async with open_runtime(settings, background=False) as runtime:
        access = runtime.access(ServiceToken(), None)
        link, _ = await runtime.welcome.invite(
            access,
            tier=tier,
            is_admin=is_admin,
            email=None,
            expires_in=days * DAY,
            url_of=_url_of(settings),
        )
    _print_link(link)
    return 0


def _url_of(settings: Settings) -> Callable[[str], str]:
    base = settings.public_url or f"http://{settings.host}:{settings.port}"
    return lambda token: f"{base}/welcome/{token}"


def _print_link(link: Link, email: str | None = None) -> None:
    print(link.url)  # noqa: T201
    if link.is_mailed:
        print(f"sent to {email}", file=sys.stderr)  # noqa: T201


async def fsck(settings: Settings, *, repair: bool, checksums: bool, adopt: bool) -> int:
    """Compare store and database, and print the differences; returns 1 if any is left."""
    async with open_runtime(settings, background=False, adopt=adopt) as runtime:
        comparison = reconcile.Comparison(
            runtime.parts.database, runtime.parts.store, clock.now(), checksums=checksums
        )
        findings = comparison.run()
        if repair:
            await generations.require_current(runtime.parts.database, runtime.parts.store)
            findings = reconcile.repaired(findings, runtime.parts.store)
        garbage = harm = 0
        async for finding in findings:
            print(f"{finding.kind}: {finding.key}")  # noqa: T201
            garbage += finding.is_garbage
            harm += finding.is_harm
        deleted = garbage if repair else 0
        print(f"{comparison.objects} objects; {deleted} orphans deleted")  # noqa: T201
    return 1 if harm or garbage > deleted else 0


async def moved(settings: Settings) -> int:
    """Tell whether the previous store is needed any more; returns 1 if it is."""
    async with open_runtime(settings, background=False) as runtime:
        store = runtime.parts.store
        if not isinstance(store, MovingStore):
            print("PREVIOUS_STORAGE is not set: all objects are where ACTIVE_STORAGE is")  # noqa: T201
            return 0
        left = await count_left(runtime.parts.database, store)
        if left.objects:
            print(f"objects left in the previous store: {left.objects} ({left.bytes} bytes)")  # noqa: T201
            return 1
        await finish(settings, runtime.parts.database, store)
    print("objects left in the previous store: none; unset PREVIOUS_STORAGE")  # noqa: T201
    return 0


def _read_password() -> str:
    return getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")


async def greeting(runtime: Runtime, url: str) -> str:
    """Return the text to print once ``url`` is served: first steps, if there is no account yet."""
    lines = [f"Holdall serves {url}"]
    if not await runtime.accounts.are_there():
        lines += _first_account(url, await runtime.accounts.registration())
    return "\n".join(lines)


def _first_account(url: str, opened_to: Registration) -> list[str]:
    administrator = (
        f"There is no account yet. Make an administrator: {_program()} create-admin NAME"
    )
    made_by = (  # as every curl understands it
        f"curl {url}/v1/accounts -H 'Content-Type: application/json' "
        """-d '{"username": "NAME", "password": "PASSWORD"}'"""
    )
    match opened_to:
        case Registration.FIRST:
            return [
                "There is no account yet. The first one administrates, and closes registration;",
                f"make it in a browser, or by {made_by}",
            ]
        case Registration.ALL:
            return [administrator, f"or an account: {made_by}"]
        case Registration.NOBODY:
            return [administrator]


def _program() -> str:
    """Return what was typed to start this program: ``.venv/bin/holdall``, ``python main.py``."""
    script = sys.argv[0]
    if shutil.which(Path(script).name) == script:
        return Path(script).name
    if os.access(script, os.X_OK):
        return shlex.quote(script)
    return shlex.join([sys.orig_argv[0], script])
