"""The log of what happens to accounts and to what lets them in: ids, and no secret."""

import base64
import json
from typing import Any

import pytest
from structlog.testing import capture_logs

from app import clock
from app.accounts.logins.sessions import GRACE
from tests.api.conftest import PASSWORD, MakeSettings, Service, running

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

ADMIN = {"admin_username": "root", "admin_password": "a root password"}
WRONG = "never-the-right-one"
ADDRESS = "127.0.0.1"


class Log:
    """What was logged as security events since the last look."""

    def __init__(self, entries: list[Any]) -> None:
        self._entries = entries

    def take(self) -> list[dict[str, Any]]:
        """Return the events, each without what every line has."""
        taken = [
            {name: value for name, value in entry.items() if name not in {"event", "log_level"}}
            for entry in self._entries
            if entry["event"] == "security"
        ]
        text = json.dumps(taken, default=repr)
        assert PASSWORD not in text
        assert WRONG not in text
        assert "hk_" not in text
        self._entries.clear()
        return taken


async def tokens(service: Service, name: str, password: str = PASSWORD) -> dict[str, Any]:
    form = {"username": name, "password": password}
    answer = await service.client.post("/v1/auth/token", data=form)
    return {"status": answer.status_code, **answer.json()}


async def test_logins_and_sessions(service: Service) -> None:
    client = service.client
    with capture_logs() as entries:
        log = Log(entries)
        account, headers = await service.sign_up("ada")
        own = account["id"]
        made, begun = log.take()
        assert made == {
            "action": "account.created", "account": own, "is_admin": False, "address": ADDRESS,
        }  # fmt: skip
        session = begun.pop("session")
        assert begun.pop("user_agent")
        assert begun == {
            "action": "session.begun", "client": "v1", "by": own, "by_session": session,
            "address": ADDRESS,
        }  # fmt: skip

        assert (await tokens(service, "Ada", WRONG))["status"] == 401
        assert (await tokens(service, "x" * 500, WRONG))["status"] == 401
        failed, unknown = log.take()
        assert failed == {"action": "login.failed", "username": "ada", "address": ADDRESS}
        assert unknown == {"action": "login.failed", "address": ADDRESS}

        by = {"by": own, "by_session": session, "address": ADDRESS}
        for method, path in (("PATCH", ""), ("POST", "/delete")):
            body = {"current_password": WRONG, "password": WRONG}
            await client.request(method, f"/v1/accounts/me{path}", json=body, headers=headers)
        assert log.take() == [{"action": "password.check_failed", **by}] * 2

        await client.post("/v1/auth/revoke", headers=headers)
        assert log.take() == [{"action": "session.ended", "session": session, **by}]

        headers = await service.log_in("ada")
        other = log.take()[-1]["session"]
        listed = await client.get("/v1/accounts/me/sessions", headers=headers)
        (one,) = listed.json()["items"]
        assert one["id"] == other
        await service.log_in("ada")
        third = log.take()[-1]["session"]
        await client.delete(f"/v1/accounts/me/sessions/{third}", headers=headers)
        await client.delete("/v1/accounts/me/sessions", headers=headers)
        by = by | {"by_session": other}
        assert log.take() == [
            {"action": "session.ended", "session": third, **by},
            {"action": "credentials.ended", **by},
        ]


async def test_a_stolen_refresh_token(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    with capture_logs() as entries:
        log = Log(entries)
        await service.sign_up("ada")
        pair = await tokens(service, "ada")
        session = log.take()[-1]["session"]
        body = {"refresh_token": pair["refresh_token"]}
        assert (await service.client.post("/v1/auth/refresh", json=body)).status_code == 200
        late = clock.now() + GRACE + clock.SECOND
        monkeypatch.setattr(clock, "now", lambda: late)
        for _ in range(2):
            assert (await service.client.post("/v1/auth/refresh", json=body)).status_code == 401
        assert log.take() == [{"action": "token.reused", "session": session, "address": ADDRESS}]


async def test_keys_passwords_and_the_end(service: Service) -> None:
    client = service.client
    with capture_logs() as entries:
        log = Log(entries)
        account, headers = await service.sign_up("ada")
        own = account["id"]
        by = {"by": own, "by_session": log.take()[-1]["session"], "address": ADDRESS}
        body = {"name": "k", "scopes": ["blobs:write", "blobs:read"]}
        key = (await client.post("/v1/accounts/me/keys", json=body, headers=headers)).json()
        await client.delete(f"/v1/accounts/me/keys/{key['id']}", headers=headers)
        refused = await client.delete(f"/v1/accounts/me/keys/{key['id']}", headers=headers)
        assert refused.status_code == 404
        scopes = ("blobs:read", "blobs:write")
        assert log.take() == [
            {"action": "key.created", "key": key["id"], "scopes": scopes, **by},
            {"action": "key.deleted", "key": key["id"], **by},
        ]
        change = {"current_password": PASSWORD, "email": "ada@example.org"}
        await client.patch("/v1/accounts/me", json=change, headers=headers)
        change = {"current_password": PASSWORD, "password": "another horse battery"}
        await client.patch("/v1/accounts/me", json=change, headers=headers)
        assert log.take() == [
            {"action": "email.changed", **by},
            {"action": "password.changed", **by},
        ]
        headers = await service.log_in("ada", "another horse battery")
        by["by_session"] = log.take()[-1]["session"]
        gone = {"password": "another horse battery"}
        assert (
            await client.post("/v1/accounts/me/delete", json=gone, headers=headers)
        ).status_code == 204
        assert log.take() == [{"action": "account.deleted", "account": own, **by}]


async def test_other_contracts_say_the_same(service: Service) -> None:
    client = service.client
    with capture_logs() as entries:
        log = Log(entries)
        form = {"username": "ada", "password": PASSWORD}
        key = (await client.post("/signup/", data=form)).json()["your session key"]
        actions = [event["action"] for event in log.take()]
        assert actions == ["account.created", "session.begun"]
        for path in ("/account/login", "/api/token/", "/login/"):
            client.cookies.clear()
            await client.post(path, data=form | {"password": WRONG})
            await client.post(path, data=form)
            failed, begun = log.take()
            assert (failed["action"], failed["username"]) == ("login.failed", "ada")
            assert begun["action"] == "session.begun"
        await client.post("/account/login", data=form)
        log.take()
        await client.post("/account/logout")
        (ended,) = log.take()
        assert ended["action"] == "session.ended"
        await client.post("/delete/user/", data={"key": key, "password": PASSWORD})
        (deleted,) = log.take()
        assert deleted["action"] == "account.deleted"


async def test_a_links_password(service: Service) -> None:
    with capture_logs() as entries:
        log = Log(entries)
        _, headers = await service.sign_up("ada")
        await service.client.put("/v1/blobs/a/content", content=b"x", headers=headers)
        body = {"kind": "blob", "id": "a", "time": 600, "password": PASSWORD}
        link = (await service.client.post("/v1/timelinks", json=body, headers=headers)).json()
        log.take()
        basic = base64.b64encode(f":{WRONG}".encode()).decode()
        headers = {"Authorization": f"Basic {basic}"}
        assert (await service.client.get(link["url"], headers=headers)).status_code == 401
        assert log.take() == [
            {
                "action": "link.password_failed",
                "link": link["id"],
                "address": ADDRESS,
            }
        ]


@pytest.mark.ordinary
async def test_administration(make_settings: MakeSettings) -> None:
    with capture_logs() as entries:
        log = Log(entries)
        async with running(make_settings(**ADMIN)) as service:
            client = service.client
            (made,) = log.take()
            assert (made["action"], made["is_admin"]) == ("account.created", True)
            account, _ = await service.sign_up("ada")
            headers = await service.log_in("root", ADMIN["admin_password"])
            session = log.take()[-1]["session"]
            by = {"by": made["account"], "by_session": session, "address": ADDRESS}
            body = {"name": "Small", "max_objects": 1}
            tier = (await client.post("/v1/tiers", json=body, headers=headers)).json()["id"]
            await client.patch(f"/v1/tiers/{tier}", json={"max_objects": 2}, headers=headers)
            path = f"/v1/accounts/{account['id']}"
            change = {"tier": "Small", "is_active": False}
            assert (await client.patch(path, json=change, headers=headers)).status_code == 200
            assert (await client.delete(path, headers=headers)).status_code == 204
            new, changed, account_changed, deleted = log.take()
            assert new.items() >= ({"action": "tier.created", "tier": tier, **by}).items()
            assert (new["name"], new["max_objects"]) == ("Small", 1)
            assert changed == {"action": "tier.changed", "tier": tier, "max_objects": 2, **by}
            assert account_changed == {
                "action": "account.changed", "account": account["id"], **change, **by,
            }  # fmt: skip
            assert deleted == {"action": "account.deleted", "account": account["id"], **by}


async def test_one_time_links(make_settings: MakeSettings) -> None:
    with capture_logs() as entries:
        log = Log(entries)
        async with running(make_settings(**ADMIN)) as service:
            client = service.client
            root = log.take()[0]["account"]
            headers = await service.log_in("root", ADMIN["admin_password"])
            session = log.take()[-1]["session"]
            by = {"by": root, "by_session": session, "address": ADDRESS}
            paths = []
            for _ in range(2):
                made = await client.post("/v1/invitations", json={}, headers=headers)
                paths.append(made.json()["url"].replace("http://test", "/v1"))
            created, invitation = log.take()
            assert created.items() >= {"tier": "Basic", "is_admin": False, **by}.items()
            assert (created["action"], invitation["action"]) == ("invitation.created",) * 2
            await client.delete(f"/v1/invitations/{created['invitation']}", headers=headers)
            assert log.take() == [
                {"action": "invitation.deleted", "invitation": created["invitation"], **by}
            ]
            body = {"username": "ada", "password": PASSWORD}
            ada = (await client.post(paths[1], json=body)).json()["id"]
            ada_made, accepted = log.take()
            assert (ada_made["action"], ada_made["account"]) == ("account.created", ada)
            assert accepted == {
                "action": "invitation.accepted", "invitation": invitation["invitation"],
                "account": ada, "username": "ada", "address": ADDRESS,
            }  # fmt: skip
            path = f"/v1/accounts/{ada}/password-reset"
            reset = (await client.post(path, json={}, headers=headers)).json()["url"]
            await client.post(reset.replace("http://test", "/v1"), json=body)
            offered, used, changed = log.take()
            assert offered.items() >= {"action": "reset.created", "account": ada, **by}.items()
            assert used == {"action": "reset.used", "account": ada, "address": ADDRESS}
            assert changed == used | {"action": "password.changed"}
