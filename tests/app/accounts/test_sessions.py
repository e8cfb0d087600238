"""Sessions: refresh tokens rotate exactly once, whoever comes at once, and a stolen one shows."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import func, select
from uuid_utils import uuid7

from app import clock
from app.accounts import administration, bootstrap, registration
from app.accounts import rows as accounts
from app.accounts.entities import Account, Login, NewSession
from app.accounts.identity import Identity, identify
from app.accounts.logins import api_keys, authentication, sessions
from app.accounts.logins.authentication import Client, Guard
from app.accounts.logins.sessions import end_everything
from app.accounts.tables import sessions as session_rows
from app.config import Settings
from app.database import Database
from app.errors import TooManyRequests, Unauthorized
from app.events.entities import Actor
from app.security.credentials import AccessToken
from app.security.keyring import RefreshToken
from app.security.passwords import Passwords
from app.security.rate_limits import (
    LOGIN,
    LOGIN_BY_NAME,
    LocalRateLimits,
    NoRateLimits,
    RateLimits,
)
from app.security.sealing import Seal

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse"
DAY = 86_400 * clock.SECOND


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, _env_file=None)


@pytest.fixture
async def account(database: Database, passwords: Passwords, settings: Settings) -> Account:
    """An account that has just signed up."""
    await bootstrap.prepare(database, passwords, settings)
    return await registration.sign_up(
        database, passwords, username="Ada", email=None, password=PASSWORD, tier="Basic"
    )


def guard_of(database: Database, passwords: Passwords, limits: RateLimits) -> Guard:
    return Guard(database, passwords, limits, Seal([bytes(32)]), [bytes(32)])


async def log_in(database: Database, passwords: Passwords, password: str) -> Login:
    guard = guard_of(database, passwords, NoRateLimits())
    return await authentication.authenticate(guard, "ada", password, None, Client("::1"))


def new_session() -> NewSession:
    now = clock.now()
    return NewSession(str(uuid7()), "v1", "test", now, now + DAY)


@pytest.fixture
async def session(
    database: Database, passwords: Passwords, settings: Settings, account: Account
) -> NewSession:
    """A session of that account, of the client ``v1``."""
    login = await log_in(database, passwords, PASSWORD)
    new = new_session()
    await database.write(sessions.open_session, login, new, Actor(new.created_at))
    return new


async def rotate(
    database: Database, session: NewSession, n: int, now: int, client: str = "v1"
) -> int | None:
    """Use refresh token ``n``; returns the number of its successor."""
    token = RefreshToken(session.uuid, n)
    refreshed = await database.write(
        sessions.rotate, token, client=client, actor=Actor(now), expires_at=now + DAY
    )
    return refreshed.n if isinstance(refreshed, sessions.Refreshed) else None


async def identity_of(database: Database, session: NewSession, now: int | None = None) -> Identity:
    credential = AccessToken(session=session.uuid, account="")
    return await database.read(identify, credential, now or session.created_at)


async def test_all_who_use_a_token_at_once_get_the_same_successor(
    database: Database, session: NewSession
) -> None:
    now = session.created_at
    answers = await asyncio.gather(*(rotate(database, session, 1, now) for _ in range(8)))
    assert answers == [2] * 8


async def test_a_used_token_returns_its_successor_for_30_seconds(
    database: Database, session: NewSession
) -> None:
    now = session.created_at
    assert await rotate(database, session, 1, now) == 2
    assert await rotate(database, session, 1, now + 30 * clock.SECOND) == 2
    await identity_of(database, session)


async def test_a_token_used_again_later_ends_the_session(
    database: Database, session: NewSession
) -> None:
    now = session.created_at
    assert await rotate(database, session, 1, now) == 2
    assert await rotate(database, session, 1, now + 30 * clock.SECOND + 1) is None
    with pytest.raises(Unauthorized):
        await identity_of(database, session)
    assert await rotate(database, session, 2, now) is None


async def test_the_token_before_the_last_ends_the_session_at_once(
    database: Database, session: NewSession
) -> None:
    now = session.created_at
    assert await rotate(database, session, 1, now) == 2
    assert await rotate(database, session, 2, now) == 3
    assert await rotate(database, session, 1, now) is None
    assert await rotate(database, session, 3, now) is None


async def test_a_token_ahead_of_its_session_is_not_good(
    database: Database, session: NewSession
) -> None:
    now = session.created_at
    assert await rotate(database, session, 2, now) is None  # of a database since restored, say
    assert await rotate(database, session, 1, now + 31 * clock.SECOND) == 2


async def test_a_token_is_good_for_its_own_client_only(
    database: Database, session: NewSession
) -> None:
    now = session.created_at
    assert await rotate(database, session, 1, now, client="storagetiers") is None
    assert await rotate(database, session, 1, now) == 2


async def test_each_refresh_prolongs_the_session_until_it_expires(
    database: Database, session: NewSession
) -> None:
    first_end = session.expires_at
    assert await rotate(database, session, 1, first_end - 1) == 2
    await identity_of(database, session, first_end)
    second_end = first_end - 1 + DAY
    with pytest.raises(Unauthorized):
        await identity_of(database, session, second_end)
    assert await rotate(database, session, 2, second_end) is None


async def test_a_password_changed_meanwhile_opens_no_session(
    database: Database, passwords: Passwords, settings: Settings, session: NewSession
) -> None:
    login = await log_in(database, passwords, PASSWORD)
    identity = await identity_of(database, session)
    changed = {"password_hash": await passwords.hash("battery staple")}
    await database.write(accounts.change, identity, login.password_hash, changed)

    late = new_session()
    with pytest.raises(Unauthorized):
        await database.write(sessions.open_session, login, late, Actor(late.created_at))
    with pytest.raises(Unauthorized):
        await log_in(database, passwords, PASSWORD)
    assert await log_in(database, passwords, "battery staple")


async def test_a_deactivated_account_opens_no_session(
    database: Database, passwords: Passwords, settings: Settings, session: NewSession
) -> None:
    login = await log_in(database, passwords, PASSWORD)
    identity = await identity_of(database, session)
    await database.write(
        administration.change, identity, identity.account_uuid, {"is_active": False}
    )

    late = new_session()
    with pytest.raises(Unauthorized):
        await database.write(sessions.open_session, login, late, Actor(late.created_at))
    with pytest.raises(Unauthorized):
        await log_in(database, passwords, PASSWORD)
    with pytest.raises(Unauthorized):
        await identity_of(database, session)


async def test_a_key_made_while_everything_ends_does_not_outlive_it(
    database: Database, session: NewSession
) -> None:
    identity = await identity_of(database, session)
    await database.write(end_everything, identity.account_id)

    _, digest, record = api_keys.new_key("late", frozenset({"blobs:read"}), None)
    with pytest.raises(Unauthorized):
        await database.write(api_keys.create, identity, digest, record)


async def test_guesses_that_come_at_once_are_counted_like_others(
    database: Database, passwords: Passwords, account: Account
) -> None:
    guard = guard_of(database, passwords, LocalRateLimits())

    async def guess(n: int) -> Login:
        client = Client("192.0.2.1")
        return await authentication.authenticate(guard, "ADA", f"wrong {n}", None, client)

    answers = await asyncio.gather(*(guess(n) for n in range(40)), return_exceptions=True)
    kinds = [type(answer) for answer in answers]
    assert set(kinds) == {Unauthorized, TooManyRequests}
    assert kinds.count(Unauthorized) == LOGIN.limit
    assert (
        await database.read(lambda c: c.execute(select(func.count(session_rows.c.id))).scalar())
        == 0
    )


async def test_right_passwords_are_not_counted(
    database: Database, passwords: Passwords, account: Account
) -> None:
    guard = guard_of(database, passwords, LocalRateLimits())
    for _ in range(LOGIN.limit + 1):
        await authentication.authenticate(guard, "ada", PASSWORD, None, Client("::1"))


@pytest.mark.slow("postgresql")
async def test_all_devices_of_a_name_together_may_not_guess_for_ever(
    database: Database, passwords: Passwords, account: Account
) -> None:
    guard = guard_of(database, passwords, LocalRateLimits())

    async def guess(n: int) -> type[BaseException] | None:
        client = Client("::1", {account.uuid: f"device {n}"})
        try:
            await authentication.authenticate(guard, "ada", "wrong", None, client)
        except (Unauthorized, TooManyRequests) as error:
            return type(error)
        return None

    kinds = [await guess(n) for n in range(LOGIN_BY_NAME.limit + 5)]
    assert kinds == [Unauthorized] * LOGIN_BY_NAME.limit + [TooManyRequests] * 5
    await log_in(database, passwords, PASSWORD)


@pytest.mark.parametrize("name", ["nobody", "service", "a\0b", "ada ", "\ud800", "x" * 5000])
async def test_other_names_are_nobody(
    database: Database, passwords: Passwords, account: Account, name: str
) -> None:
    guard = guard_of(database, passwords, LocalRateLimits())
    with pytest.raises(Unauthorized, match="Invalid credentials"):
        await authentication.authenticate(guard, name, "x", None, Client("::1"))
