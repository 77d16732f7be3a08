"""The expiry job: flags what has ended and deletes what ended six months ago (contract-v1 9.6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, and_, delete, false, true, update

from service.emulator.clock import add_months, to_us
from service.emulator.tables import attributions

PURGE_MONTHS = 6


@dataclass(frozen=True, slots=True)
class Expired:
    """How many attributions one run flagged and deleted."""

    flagged: int
    purged: int


def expire(connection: Connection, now: datetime) -> Expired:
    """Run the job as of `now`.

    Both steps depend only on the latest instant, so one run at the last full hour has the effect of all
    the hourly runs before it.
    """
    ended = attributions.c.end_us <= to_us(now)
    flag = update(attributions).where(ended, attributions.c.inactive == false()).values(inactive=True)
    flagged = connection.execute(flag).rowcount
    long_ended = attributions.c.end_us <= to_us(add_months(now, -PURGE_MONTHS))
    purged = connection.execute(
        delete(attributions).where(and_(attributions.c.inactive == true(), long_ended))
    ).rowcount
    return Expired(flagged, purged)
