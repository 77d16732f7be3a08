"""How full a Group is, counted the way DPC's server counts: inactive patients take room too."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from service.domain.attribution import Group, is_active
from service.domain.policy import CAPACITY_WARNING_PERCENT

PURGED_AFTER = timedelta(days=182)
"""An inactive patient leaves the Group six months after its end (contract-v1 9.6); until then it takes room."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """Stored patients of one Group against the limit."""

    npi: str
    active: int
    inactive: int
    limit: int

    @property
    def stored(self) -> int:
        return self.active + self.inactive

    @property
    def room(self) -> int:
        """Patients that may still be added; never negative."""
        return max(0, self.limit - self.stored)

    @property
    def percent(self) -> int:
        """Share of the limit in use, rounded down."""
        return 100 * self.stored // self.limit if self.limit else 100

    @property
    def is_nearly_full(self) -> bool:
        return self.percent >= CAPACITY_WARNING_PERCENT

    @property
    def is_full(self) -> bool:
        return self.stored >= self.limit


def measure_capacity(group: Group, now: datetime, limit: int) -> Capacity:
    """Count a Group against the limit as the server does for `$add`: every stored patient (contract-v1 9.4)."""
    active = sum(is_active(a, now) for a in group.attributions)
    return Capacity(group.npi, active, len(group.attributions) - active, limit)


def forecast_room(group: Group, now: datetime, limit: int) -> datetime | None:
    """Answer when a full Group next gains room by purges; None if it has room or never will.

    A Group above the limit (which may have been lowered) gains room only when enough patients have been purged.
    """
    surplus = len(group.attributions) - limit
    if surplus < 0:
        return None
    over = sorted(a.end_at for a in group.attributions if not is_active(a, now))
    return over[surplus] + PURGED_AFTER if surplus < len(over) else None
