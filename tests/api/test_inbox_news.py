"""What an owner hears of inboxes, and how many strangers they bear."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.security import rate_limits
from tests.api.allowances import usage
from tests.api.conftest import MakeSettings, Service, running
from tests.api.inbox_client import (
    LARGE,
    Headers,
    make,
    pending,
    put,
    whole,
)
from tests.api.listening import listening
from tests.api.problems import assert_problem
from tests.api.shared import shared_fixtures

pytestmark = pytest.mark.anyio

EVENTS = "/v1/inboxes/events"
PAGE = {"Accept": "text/html"}
STRANGERS = 100

settings, service = shared_fixtures()


@pytest.fixture
async def user(service: Service) -> AsyncIterator[Headers]:
    """Headers of a new account; at last nothing is on its way to it any more."""
    _, headers = await service.sign_up()
    yield headers
    assert await pending(service) == (0, 0)


async def test_what_comes_is_told_at_once(service: Service, user: Headers) -> None:
    inbox = await make(service, user)
    await put(service, inbox)
    _, other = await service.sign_up()
    async with (
        listening(service, user, EVENTS) as stream,
        listening(service, other, EVENTS) as elsewhere,
    ):
        current = await stream.next()
        assert (current.name, current.data) == ("current", {"files": 1, "unseen": 1})
        form = [("file", (f"{n}", b"x")) for n in range(2)]
        await service.client.post(inbox["path"], files=form)
        changed = await stream.next()
        assert (changed.name, changed.data) == ("changed", {"files": 3, "unseen": 3})
        page = await service.client.get("/file/load", headers=user | PAGE)
        assert '<span class="mark">3<' in page.text
        page = await service.client.get("/inboxes", headers=user | PAGE)
        assert "3 new" in page.text
        seen = await stream.next()  # as on another device
        assert (seen.name, seen.data) == ("changed", {"files": 3, "unseen": 0})
        assert (await elsewhere.next()).data == {"files": 0, "unseen": 0}
        assert elsewhere.waiting == 0
    assert 'class="mark"' not in (await service.client.get("/", headers=user | PAGE)).text
    assert (await whole(service, user, inbox))["unseen"] == 0


@pytest.mark.slow("scaled")
async def test_a_hundred_strangers_at_once(service: Service, user: Headers) -> None:
    inbox = await make(service, user, max_files=STRANGERS // 2)
    data = [LARGE if n % 2 else b"small" for n in range(STRANGERS)]
    answers = await asyncio.gather(
        *(put(service, inbox, f"{n}", one) for n, one in enumerate(data))
    )
    came = [n for n, answer in enumerate(answers) if answer.status_code == 201]
    assert len(came) == STRANGERS // 2
    for answer in answers:
        if answer.status_code != 201:
            assert_problem(answer, 409, "inbox-full")
    items = (await whole(service, user, inbox))["items"]
    assert sorted(int(item["name"]) for item in items) == came
    assert await usage(service, user) == (sum(len(data[n]) for n in came), len(came))


@pytest.mark.slow("scaled")
async def test_an_address_gives_so_many_files_in_a_while(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = rate_limits.Rule("inbox-gifts", 3, 300)
    monkeypatch.setattr("app.inboxes.use_cases.INBOX_GIFTS", rule)
    async with running(make_settings(rate_limits="on")) as service:
        _, user = await service.sign_up()
        inbox, other = await make(service, user), await make(service, user)
        form = [("file", (f"{n}", b"x")) for n in range(2)]
        assert (await service.client.post(inbox["path"], files=form)).status_code == 201
        assert (await put(service, inbox)).status_code == 201
        refused = await put(service, inbox)
        assert_problem(refused, 429, "too-many-requests")
        assert int(refused.headers["retry-after"]) > 0
        assert (await put(service, other)).status_code == 201
        assert (await whole(service, user, inbox))["files"] == 3
