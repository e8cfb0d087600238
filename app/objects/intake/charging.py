"""Charging for a body as it arrives."""

from dataclasses import replace
from typing import Final

from app.database import Database
from app.errors import QuotaExceeded
from app.objects import lifecycle as objects
from app.objects.entities import Reservation

_STEP: Final = 1024 * 1024  # first charge for a body of unknown length, then doubled
_MAX_STEP: Final = 256 * 1024 * 1024


class Charging:
    """Keeps a pending object charged for as many bytes as have arrived, or some more."""

    def __init__(self, database: Database, reservation: Reservation) -> None:
        self.reservation = reservation
        self._database = database

    async def cover(self, size: int) -> None:
        """Be charged for ``size`` bytes; raises `QuotaExceeded` and `LeaseLost`."""
        charged = self.reservation.charged_bytes
        if size <= charged or self.reservation.is_free:
            return
        step = min(max(charged, _STEP), _MAX_STEP)
        try:
            await self._charge(max(size, charged + step))
        except QuotaExceeded:
            await self._charge(size)

    async def _charge(self, charged: int) -> None:
        await self._database.write(objects.grow, self.reservation, charged)
        self.reservation = replace(self.reservation, charged_bytes=charged)
