"""Webhooks: what their accounts may do with them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from uuid_utils import uuid7

from app import clock
from app.accounts.identity import Access
from app.database.pagination import Page
from app.errors import FieldError, InvalidRequest
from app.security.rate_limits import WEBHOOK_SENDS, RateLimits
from app.webhooks import payloads, rows, signatures, urls
from app.webhooks.entities import Delivery, NewWebhook, Webhook


class Webhooks:
    """Makes, lists, changes, tries and deletes the webhooks of an account.

    What is told to them is delivered by `app.webhooks.task`.
    """

    def __init__(
        self,
        keys: Sequence[bytes],
        rate_limits: RateLimits,
        *,
        private: bool,
        public_url: str | None,
        wake: Callable[[], None],
    ) -> None:
        """``keys`` are subkeys of the signing keys; ``private`` allows private addresses."""
        self._keys = keys
        self._rate_limits = rate_limits
        self._private = private
        self._public_url = public_url
        self._wake = wake

    async def create(self, access: Access, new: NewWebhook) -> Webhook:
        """Make a webhook; raises `InvalidRequest` for its URL, and `Conflict` for one too many."""
        self._check(new.url)
        return await access.write(rows.create, new, clock.now())

    async def find(self, access: Access, uuid: str) -> Webhook:
        """Return a webhook; raises `NotFound`."""
        return await access.read(rows.find, uuid)

    async def page(self, access: Access, limit: int, cursor: str | None) -> Page[Webhook]:
        """Return a page of webhooks, newest first."""
        return await access.read(rows.page, limit, cursor)

    async def change(self, access: Access, uuid: str, facts: Mapping[str, Any]) -> Webhook:
        """Change the facts of a webhook that are given; raises as `create` does, and `NotFound`.

        One that is active again is sent what waited.
        """
        if "url" in facts:
            self._check(facts["url"])
        changed = await access.write(rows.change, uuid, facts, clock.now())
        self._wake()
        return changed

    async def remove(self, access: Access, uuid: str) -> None:
        """Delete a webhook with its deliveries; raises `NotFound`."""
        while not await access.write(rows.remove, uuid):
            pass

    async def rotate(self, access: Access, uuid: str) -> Webhook:
        """Let a webhook have another secret; the former signs too for a day.

        Raises `NotFound`.
        """
        return await access.write(rows.rotate, uuid, clock.now())

    def secret_of(self, webhook: Webhook) -> str:
        """Return the secret that signs what is sent to a webhook."""
        return signatures.secret_of(self._keys[0], webhook.uuid, webhook.rotation)

    async def deliveries(
        self, access: Access, uuid: str, limit: int, cursor: str | None
    ) -> Page[Delivery]:
        """Return a page of what a webhook was told, newest first; raises `NotFound`."""
        return await access.read(rows.page_of_deliveries, uuid, limit, cursor)

    def body_of(self, webhook: Webhook, delivery: Delivery) -> bytes:
        """Return what is sent for a delivery, as the webhook's format is now."""
        return payloads.body_of(delivery.message, webhook.format, self._public_url)

    async def test(self, access: Access, uuid: str) -> Delivery:
        """Have a test sent to a webhook; raises `NotFound` and `TooManyRequests`."""
        await self._count(access)
        queued = await access.write(rows.test, uuid, str(uuid7()), clock.now())
        self._wake()
        return queued

    async def retry(self, access: Access, uuid: str, event: str) -> Delivery:
        """Have something sent again to a webhook; raises `NotFound` and `TooManyRequests`."""
        await self._count(access)
        queued = await access.write(rows.retry, uuid, event, clock.now())
        self._wake()
        return queued

    async def _count(self, access: Access) -> None:
        identity = await access.identity()
        await self._rate_limits.count(WEBHOOK_SENDS, identity.account_uuid)

    def _check(self, url: str) -> None:
        fault = urls.fault_of(url, private=self._private)
        if fault is not None:
            words = f"The URL {fault}"
            raise InvalidRequest(words, errors=[FieldError(loc=["body", "url"], msg=words)])
