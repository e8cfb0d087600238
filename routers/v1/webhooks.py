"""Webhooks: URLs that are told what happens to the account, and what became of that."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request, Response

from app.accounts.identity import Access
from routers.v1.schemas.lists import DEFAULT_LIMIT, CursorParam, Limit
from routers.v1.schemas.webhooks import (
    CreatedWebhook,
    Delivery,
    DeliveryList,
    Webhook,
    WebhookChange,
    WebhookCreate,
    WebhookList,
    WebhookSecret,
)
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.problems import problems
from routers.web.route import HoldallRoute
from routers.web.urls import locate

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], route_class=HoldallRoute)

Reading = Annotated[Access, Depends(Requires("webhooks:read"))]
# who writes webhooks hears all that happens to the account: no API key may
Writing = Annotated[Access, Depends(Requires("account"))]


@router.get("", operation_id="webhooks_list", responses=problems(400))
async def list_webhooks(
    runtime: RuntimeDep,
    access: Reading,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorParam = None,
) -> WebhookList:
    """List the account's webhooks, newest first.

    There are at most 20.
    """
    page = await runtime.webhooks.page(access, limit, cursor)
    items = [Webhook.of(webhook) for webhook in page.items]
    return WebhookList(items=items, next_cursor=page.next_cursor)


@router.post("", status_code=201, operation_id="webhooks_create", responses=problems(409))
async def create(
    body: WebhookCreate,
    request: Request,
    response: Response,
    runtime: RuntimeDep,
    access: Writing,
) -> CreatedWebhook:
    """Make a webhook: a URL that is told of events from now on, at least once each.

    The answer has the secret that signs what is sent, which is not shown again. No API key can do
    this.
    """
    webhook = await runtime.webhooks.create(access, body.new_webhook())
    locate(request, response, f"/v1/webhooks/{webhook.uuid}")
    return CreatedWebhook.of(webhook, secret=runtime.webhooks.secret_of(webhook))


@router.get("/{id}", operation_id="webhooks_get", responses=problems(404))
async def get(id: UUID, runtime: RuntimeDep, access: Reading) -> Webhook:  # noqa: A002 - on the wire
    """Get a webhook.

    A page of what it was told is at `deliveries`.
    """
    return Webhook.of(await runtime.webhooks.find(access, str(id)))


@router.patch("/{id}", operation_id="webhooks_update", responses=problems(404))
async def update(
    id: UUID,  # noqa: A002 - on the wire
    body: WebhookChange,
    runtime: RuntimeDep,
    access: Writing,
) -> Webhook:
    """Change a webhook; fields that are absent stay as they are.

    The secret stays too, whatever the URL: `POST …/secret` makes another.
    """
    return Webhook.of(await runtime.webhooks.change(access, str(id), body.facts()))


@router.delete("/{id}", status_code=204, operation_id="webhooks_delete", responses=problems(404))
async def delete(id: UUID, runtime: RuntimeDep, access: Writing) -> None:  # noqa: A002 - on the wire
    """Delete a webhook and its pending deliveries.

    An attempt that is under way may still arrive.
    """
    await runtime.webhooks.remove(access, str(id))


@router.post("/{id}/secret", operation_id="webhooks_rotate_secret", responses=problems(404))
async def rotate_secret(
    id: UUID,  # noqa: A002 - on the wire
    runtime: RuntimeDep,
    access: Writing,
) -> WebhookSecret:
    """Make a new secret for a webhook.

    For 24 hours requests are signed with the former one as well.
    """
    webhook = await runtime.webhooks.rotate(access, str(id))
    return WebhookSecret(secret=runtime.webhooks.secret_of(webhook))


@router.post(
    "/{id}/test", status_code=202, operation_id="webhooks_test", responses=problems(404, 429)
)
async def test(id: UUID, runtime: RuntimeDep, access: Writing) -> Delivery:  # noqa: A002 - on the wire
    """Have a `webhook.test` sent, once, even to a webhook that isn't active.

    What became of it is in the list of deliveries.
    """
    return Delivery.of(await runtime.webhooks.test(access, str(id)))


@router.get(
    "/{id}/deliveries", operation_id="webhooks_list_deliveries", responses=problems(400, 404)
)
async def list_deliveries(
    id: UUID,  # noqa: A002 - on the wire
    runtime: RuntimeDep,
    access: Reading,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorParam = None,
) -> DeliveryList:
    """List a webhook's deliveries of the last 30 days and those to come, newest first.

    An API key needs `events:read` as well.
    """
    page = await runtime.webhooks.deliveries(access, str(id), limit, cursor)
    items = [Delivery.of(delivery) for delivery in page.items]
    return DeliveryList(items=items, next_cursor=page.next_cursor)


@router.post(
    "/{id}/deliveries/{event}/retry",
    status_code=202,
    operation_id="webhooks_retry_delivery",
    responses=problems(404, 429),
)
async def retry(
    id: UUID,  # noqa: A002 - on the wire
    event: Annotated[UUID, Path(description="The delivery's id, which is that of its event.")],
    runtime: RuntimeDep,
    access: Writing,
) -> Delivery:
    """Send a delivery again now, whatever became of it.

    Its `webhook-id` stays the same.
    """
    return Delivery.of(await runtime.webhooks.retry(access, str(id), str(event)))
