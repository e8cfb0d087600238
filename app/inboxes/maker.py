"""Files that strangers give by uploads which can go on."""

from functools import partial

from app import clock
from app.accounts.identity import Access
from app.inboxes import giving
from app.inboxes.entities import Delivery, Gift
from app.inboxes.use_cases import Inboxes
from app.objects.preconditions import Preconditions
from app.objects.uploads import Admit, Body
from app.uploads.entities import Fields
from app.uploads.makers import Made, Maker


class InboxMaker(Maker):
    """Makes what is given to an inbox.

    Fields: ``name``, ``content_type``; of one of several, the ``delivery`` (a hash in hexadecimal)
    and its ``delivery_name``.
    """

    def __init__(self, inboxes: Inboxes) -> None:
        self._inboxes = inboxes

    async def prepare(self, access: Access, fields: Fields, length: int | None) -> Fields:
        del access
        return {**fields, "size": length or 0}

    def admission(self, fields: Fields, conditions: Preconditions) -> Admit:
        del conditions
        return partial(giving.admit_upload, size=fields["size"], now=clock.now())

    async def make(
        self, access: Access, fields: Fields, uuid: str, body: Body, conditions: Preconditions
    ) -> Made:
        del conditions
        gift = Gift(fields["name"], fields["content_type"], uuid)
        delivery = None
        if "delivery" in fields:
            delivery = Delivery(bytes.fromhex(fields["delivery"]), fields["delivery_name"])
        return await self._inboxes.receive(access, gift, body, delivery)
