"""Renews the leases of the uploads that run in this process."""

from app.services.uploads import Uploads
from app.tasks.supervisor import Task


class RenewLeases(Task):
    """Keeps the pending objects of slow uploads from being taken for dead ones."""

    name = "leases"
    interval = 60.0

    def __init__(self, uploads: Uploads) -> None:
        super().__init__()
        self._uploads = uploads

    async def run_once(self, now: int) -> int:
        await self._uploads.renew_leases(now)
        return 0
