"""The task that delivers: several at once, so that a receiver that hangs holds up no other."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Final

import structlog

from app import clock, metrics
from app.database import Database, DatabaseUnavailable
from app.tasks.supervisor import Task
from app.webhooks import payloads, queue, schedule, signatures
from app.webhooks.entities import Attempt
from app.webhooks.queue import Busy, Claimed, Due
from storage.completion import run_to_end

if TYPE_CHECKING:
    from app.webhooks.client import Client

AT_ONCE: Final = 8
"""Attempts at once, in a process."""

OF_ACCOUNT: Final = 4
OF_WEBHOOK: Final = 2

log = structlog.get_logger(__name__)


class Deliveries(Task):
    """Delivers what is due, and notes what came of it: at least once, and not in order."""

    name = "deliveries"

    def __init__(
        self,
        database: Database,
        keys: Sequence[bytes],
        *,
        private: bool,
        public_url: str | None,
    ) -> None:
        """``keys`` are those of `signatures.headers_of`; ``private`` is that of `Client`."""
        super().__init__()
        self._database = database
        self._keys = keys
        self._private = private
        self._public_url = public_url
        self._client: Client | None = None
        self._running: dict[asyncio.Task[None], Claimed] = {}

    async def run_once(self, now: int) -> int:
        """Begin attempts, as many as there are places for; returns how many."""
        if len(self._running) >= AT_ONCE:
            return 0
        chosen = self._choose(await self._database.read(queue.due, now, self._busy()))
        if not chosen:
            return 0
        if self._client is None:
            self._client = await self._open_client()
        # once claimed they are begun, even at a stop: else nobody would before the claim ends
        return await run_to_end(self._begin([due.id for due in chosen], now))

    async def next_due(self, now: int) -> int | None:
        del now
        if len(self._running) >= AT_ONCE:
            return None  # the end of an attempt wakes the task
        return await self._database.read(queue.next_due, self._busy())

    async def settle(self) -> None:
        """Wait for the attempts that are under way."""
        while self._running:
            await asyncio.wait(self._running)

    async def aclose(self) -> None:
        """Break off what is under way; it is due again at once."""
        broken_off = list(self._running.values())
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        with suppress(DatabaseUnavailable):  # then the claim ends by itself
            await self._database.write(queue.give_back, broken_off, clock.now())
        if self._client is not None:
            await self._client.aclose()

    def _counts(self) -> tuple[Counter[int], Counter[int]]:
        """Return how many attempts are under way by webhook, and by account."""
        running = [claimed.due for claimed in self._running.values()]
        return Counter(d.webhook_id for d in running), Counter(d.account_id for d in running)

    def _busy(self) -> Busy:
        of_webhook, of_account = self._counts()
        return Busy(
            frozenset(webhook for webhook, n in of_webhook.items() if n >= OF_WEBHOOK),
            frozenset(account for account, n in of_account.items() if n >= OF_ACCOUNT),
        )

    def _choose(self, found: Sequence[Due]) -> Sequence[Due]:
        """Choose from what is due, so that no webhook and no account takes all places."""
        of_webhook, of_account = self._counts()
        chosen: list[Due] = []
        for due in found:
            is_free = of_webhook[due.webhook_id] < OF_WEBHOOK
            if is_free and of_account[due.account_id] < OF_ACCOUNT:
                of_webhook[due.webhook_id] += 1
                of_account[due.account_id] += 1
                chosen.append(due)
        return chosen[: AT_ONCE - len(self._running)]

    async def _begin(self, ids: Sequence[int], now: int) -> int:
        claimed = await self._database.write(queue.claim, ids, now)
        for each in claimed:
            task = asyncio.create_task(self._deliver(each), name="delivery")
            self._running[task] = each
            task.add_done_callback(self._end)
        return len(claimed)

    def _end(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self.woken.set()

    async def _deliver(self, claimed: Claimed) -> None:
        """Make an attempt and note it; if it can't be noted, another is made later."""
        try:
            attempt = await self._attempt(claimed)
            _count(attempt)
            now = clock.now()
            again_at = schedule.next_attempt(claimed.attempts + 1, attempt, now)
            await self._database.write(queue.note, claimed, attempt, again_at, now)
        except Exception:
            log.exception("a delivery could not be noted", webhook=claimed.webhook)

    async def _attempt(self, claimed: Claimed) -> Attempt:
        body = payloads.body_of(claimed.message, claimed.format, self._public_url)
        headers = signatures.headers_of(
            self._keys,
            claimed.webhook,
            claimed.rotation,
            claimed.rotated_at,
            message=claimed.message.id,
            body=body,
            now=clock.now(),
        )
        assert self._client is not None
        return await self._client.post(claimed.url, body, headers)

    async def _open_client(self) -> "Client":
        # takes 0.3 s to import, which only those wait for who have webhooks
        module = await asyncio.to_thread(import_module, "app.webhooks.client")
        client: Client = module.Client(private=self._private)
        return client


def _count(attempt: Attempt) -> None:
    outcome = "delivered" if attempt.succeeded else "refused"
    if attempt.status is None:
        outcome = "unanswered"
    metrics.webhook_attempts.labels(outcome).value += 1
