"""Tokens and sessions over HTTP: they begin, go on, and end everywhere at once."""

from typing import Any, Final

import httpx
import pytest

from app import clock
from app.accounts.logins import session_uses
from app.security.rate_limits import LOGIN_BY_ADDRESS
from app.tasks.session_uses import WriteSessionUses
from tests.api.conftest import PASSWORD, MakeSettings, Service, running

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]


async def log_in(service: Service, username: str = "ada", **more: str) -> dict[str, Any]:
    form = {"username": username, "password": PASSWORD, **more}
    answer = await service.client.post("/v1/auth/token", data=form)
    assert answer.status_code == 200, answer.text
    tokens: dict[str, Any] = answer.json()
    return tokens


def bearer(tokens: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


async def status(service: Service, tokens: dict[str, Any]) -> int:
    answer = await service.client.get("/v1/accounts/me", headers=bearer(tokens))
    return answer.status_code


async def refresh(service: Service, tokens: dict[str, Any]) -> httpx.Response:
    body = {"refresh_token": tokens["refresh_token"]}
    return await service.client.post("/v1/auth/refresh", json=body)


async def test_a_login_answers_a_pair(service: Service) -> None:
    await service.sign_up("ada")
    form = {"grant_type": "password", "username": "ADA", "password": PASSWORD, "scope": ""}
    answer = await service.client.post("/v1/auth/token", data=form)
    assert answer.headers["cache-control"] == "no-store"
    tokens = answer.json()
    assert (tokens["token_type"], tokens["expires_in"]) == ("bearer", 20 * 60)
    assert set(tokens) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert await status(service, tokens) == 200


async def test_wrong_credentials_all_look_the_same(service: Service) -> None:
    await service.sign_up("ada")
    for username, password in (("ada", "wrong"), ("nobody", PASSWORD)):
        form = {"username": username, "password": password}
        answer = await service.client.post("/v1/auth/token", data=form)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert answer.json()["detail"] == "Invalid credentials"


BAD_FORMS: Final[list[tuple[bytes, str, list[list[str] | None]]]] = [
    (b"username=ada", "application/x-www-form-urlencoded", [["body", "password"]]),
    (b"", "application/x-www-form-urlencoded; charset=utf-8", [["body", "username"], None]),
    (b"grant_type=x&username=ada&password=x", "application/x-www-form-urlencoded", [None]),
    (b"a=1&" * 200, "application/x-www-form-urlencoded", []),
    (b'{"username": "ada", "password": "x"}', "application/json", []),
    (b"username=ada&password=x", "", []),
]


async def test_a_bad_form_is_refused(service: Service) -> None:
    for body, content_type, errors in BAD_FORMS:
        answer = await service.client.post(
            "/v1/auth/token", content=body, headers={"Content-Type": content_type}
        )
        assert answer.status_code == 422, answer.text
        found = [error["loc"] for error in answer.json().get("errors", [])]
        assert len(found) == len(errors), body
        assert all(want in (None, loc) for want, loc in zip(errors, found, strict=True)), body


async def test_a_large_form_is_refused(service: Service) -> None:
    answer = await service.client.post("/v1/auth/token", data={"username": "x" * 70_000})
    assert answer.status_code == 413


async def test_a_refresh_answers_a_new_pair_and_the_old_one_the_same_again(
    service: Service,
) -> None:
    await service.sign_up("ada")
    first = await log_in(service)
    answer = await refresh(service, first)
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    second = answer.json()
    assert set(second) == set(first)
    assert second["refresh_token"] != first["refresh_token"]
    assert await status(service, second) == await status(service, first) == 200
    again = (await refresh(service, first)).json()
    assert again["refresh_token"] == second["refresh_token"]


async def test_a_token_from_long_ago_ends_the_session(service: Service) -> None:
    await service.sign_up("ada")
    first = await log_in(service)
    second = (await refresh(service, first)).json()
    third = (await refresh(service, second)).json()
    stolen = await refresh(service, first)
    assert stolen.status_code == 401
    assert stolen.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    assert (await refresh(service, third)).status_code == 401
    assert await status(service, third) == 401


async def test_an_invalid_refresh_token_is_refused(service: Service) -> None:
    for token in ("", "x", "hr_x.1.y", "hr_" + "0" * 36 + ".1." + "A" * 43):
        assert (await refresh(service, {"refresh_token": token})).status_code == 401, token


async def test_one_kind_of_token_is_no_good_as_the_other(service: Service) -> None:
    await service.sign_up("ada")
    tokens = await log_in(service)
    swapped = {
        "access_token": tokens["refresh_token"],
        "refresh_token": tokens["access_token"],
    }
    assert await status(service, swapped) == 401
    assert (await refresh(service, swapped)).status_code == 401


async def test_revoking_ends_one_session_at_once(service: Service) -> None:
    await service.sign_up("ada")
    one, other = await log_in(service), await log_in(service)
    answer = await service.client.post("/v1/auth/revoke", headers=bearer(one))
    assert (answer.status_code, answer.content) == (204, b"")
    assert await status(service, one) == 401
    assert (await refresh(service, one)).status_code == 401
    assert await status(service, other) == 200


async def test_the_service_token_has_no_session_to_end(service: Service) -> None:
    answer = await service.client.post("/v1/auth/revoke", headers=service.service_token)
    assert answer.status_code == 403


@pytest.mark.ordinary
async def test_revocation_holds_in_other_processes(make_settings: MakeSettings) -> None:
    settings = make_settings()
    async with running(settings) as here, running(settings) as there:
        await here.sign_up("ada")
        tokens = await log_in(here)
        assert await status(there, tokens) == 200
        await here.client.post("/v1/auth/revoke", headers=bearer(tokens))
        assert await status(there, tokens) == 401


@pytest.mark.ordinary
async def test_sessions_are_listed_and_ended_together(service: Service) -> None:
    await service.sign_up("ada")
    await service.sign_up("bob")
    await service.client.delete(
        "/v1/accounts/me/sessions", headers=bearer(await log_in(service, "ada"))
    )
    bobs = await log_in(service, "bob")
    service.client.headers["User-Agent"] = "a phone"
    one = await log_in(service)
    service.client.headers["User-Agent"] = "y" * 5000
    other = await log_in(service)
    key = await service.client.post(
        "/v1/accounts/me/keys", json={"name": "k", "scopes": ["blobs:read"]}, headers=bearer(one)
    )

    answer = await service.client.get("/v1/accounts/me/sessions", headers=bearer(one))
    listed = answer.json()
    assert listed["next_cursor"] is None
    assert [session["current"] for session in listed["items"]] == [False, True]
    assert [session["user_agent"][:7] for session in listed["items"]] == ["yyyyyyy", "a phone"]
    assert all(s["created_at"] < s["expires_at"] for s in listed["items"])
    page = await service.client.get(
        "/v1/accounts/me/sessions", params={"limit": 1}, headers=bearer(one)
    )
    rest = await service.client.get(
        "/v1/accounts/me/sessions",
        params={"limit": 1, "cursor": page.json()["next_cursor"]},
        headers=bearer(one),
    )
    assert page.json()["items"] + rest.json()["items"] == listed["items"]

    ended = await service.client.delete("/v1/accounts/me/sessions", headers=bearer(one))
    assert ended.status_code == 204
    assert await status(service, one) == await status(service, other) == 401
    by_key = {"Authorization": f"Bearer {key.json()['key']}"}
    assert (await service.client.get("/v1/blobs", headers=by_key)).status_code == 401
    assert await status(service, bobs) == 200


@pytest.mark.ordinary
async def test_one_session_is_ended_by_its_id(service: Service) -> None:
    await service.sign_up("ada")
    one, other = await log_in(service), await log_in(service)
    await service.sign_up("bob")
    bobs = await log_in(service, "bob")
    listed = await service.client.get("/v1/accounts/me/sessions", headers=bearer(one))
    (others,) = [s["id"] for s in listed.json()["items"][:2] if not s["current"]]
    path = f"/v1/accounts/me/sessions/{others}"

    assert (await service.client.delete(path, headers=bearer(bobs))).status_code == 404
    assert await status(service, other) == 200
    assert (await service.client.delete(path, headers=bearer(one))).status_code == 204
    assert await status(service, other) == 401
    assert await status(service, one) == await status(service, bobs) == 200
    assert (await service.client.delete(path, headers=bearer(one))).status_code == 404
    bad = await service.client.delete("/v1/accounts/me/sessions/x", headers=bearer(one))
    assert bad.status_code == 422


@pytest.mark.ordinary
async def test_failures_are_limited_by_address(make_settings: MakeSettings) -> None:
    async with running(make_settings(rate_limits="on")) as service:
        await service.sign_up("ada")
        for _ in range(LOGIN_BY_ADDRESS.limit - 1):
            await service.runtime.parts.rate_limits.count(LOGIN_BY_ADDRESS, "127.0.0.1")
        await log_in(service)
        service.client.cookies.clear()  # by which the device would be known
        forms = [
            {"username": "nobody", "password": "x"},
            {"username": "nobody else", "password": "x"},
            {"username": "ada", "password": PASSWORD},
        ]
        answers = [await service.client.post("/v1/auth/token", data=form) for form in forms]
        assert [answer.status_code for answer in answers] == [401, 429, 429]


@pytest.mark.ordinary
async def test_a_session_says_when_and_from_where_it_was_last_used(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(make_settings(trusted_proxies=("127.0.0.1",))) as service:
        parts = service.runtime.parts
        task = WriteSessionUses(parts.database, parts.session_uses)

        async def used() -> list[tuple[str, str, str]]:
            """Return what each session says, those that began first in front."""
            answer = await service.client.get("/v1/accounts/me/sessions", headers=bearer(other))
            names = ("last_used_at", "last_address", "last_user_agent")
            return [tuple(s[name] for name in names) for s in reversed(answer.json()["items"])]

        def pass_time(seconds: int) -> None:
            now = clock.now() + seconds * clock.SECOND
            monkeypatch.setattr(clock, "now", lambda: now)

        await service.sign_up("ada")
        one, other = await log_in(service), await log_in(service)
        _, first, _ = await used()
        pass_time(301)
        phone = {"X-Forwarded-For": "192.0.2.7", "User-Agent": "a phone"}
        await service.client.get("/v1/accounts/me", headers=bearer(one) | phone)
        assert (await used())[1] == first, "nothing is written by a request"
        assert await task.run_once(clock.now()) == 2
        began, second, last = await used()
        assert second[1:] == ("192.0.2.7", "a phone")
        assert first[0] < second[0]
        assert began[1] == last[1] == "127.0.0.1"

        # by a refresh, too; but no more often than in five minutes
        for seconds, written in ((290, second[0]), (20, None)):
            pass_time(seconds)
            body = {"refresh_token": one["refresh_token"]}
            one |= (await service.client.post("/v1/auth/refresh", json=body)).json()
            await task.run_once(clock.now())
            assert ((await used())[1][0] == second[0]) == (written is not None)
        assert await task.run_once(clock.now()) == 1, "of whoever has just asked"
        assert await task.run_once(clock.now()) == 0


async def test_what_can_be_noted_of_sessions_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_uses, "_MAX_NOTED", 2)
    uses = session_uses.SessionUses()
    for number, session in enumerate(("a", "b", "c", "a")):
        uses.note(session, number, "x" * 99, b"\xff\0" + b"y" * 999)
    taken = uses.take(1) | uses.take(5)
    assert {session: use.at for session, use in taken.items()} == {"a": 3, "b": 1}
    assert len(taken["a"].agent) < 256
    assert len(taken["a"].address or "") == 64
    assert not uses.take(5)
