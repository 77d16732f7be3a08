"""When the nightly run is due: once per local date, at half past three, so that no clock change hits it."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

NIGHT_AT = time(3, 30)
"""Local time. Clocks change between one and three o'clock; nothing is scheduled there."""


def find_night(on: date, time_zone: str) -> datetime:
    """Answer the UTC time of the run that belongs to one local date."""
    return datetime.combine(on, NIGHT_AT, ZoneInfo(time_zone)).astimezone(UTC)


def find_next_night(now: datetime, time_zone: str, last: datetime | None) -> datetime:
    """Answer the next run: today's when it has neither run nor passed, else tomorrow's."""
    today = now.astimezone(ZoneInfo(time_zone)).date()
    tonight = find_night(today, time_zone)
    if tonight > now and (last is None or last < tonight):
        return tonight
    return find_night(today + timedelta(days=1), time_zone)
