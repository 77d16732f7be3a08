"""When a job is due: nights by local date, hours by the clock; pure functions of time, rows and zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from service.domain.nights import find_night

CATCH_UP = timedelta(hours=36)
"""A slot older than this is not run any more by itself."""
RETRY_FAILED_AFTER = timedelta(hours=1)
MOST_MISSED = 400
"""More missed nights than this are not listed one by one."""


@dataclass(frozen=True, slots=True)
class LastRun:
    """What the latest row of a job says: its slot, its state, and when it ended."""

    scheduled_for: datetime
    state: str
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """What a tick has to do: run one slot (again, if `is_retry`), and record the others as missed."""

    run: datetime | None = None
    missed: tuple[datetime, ...] = ()
    is_retry: bool = False


def list_nights(after: datetime, now: datetime, time_zone: str) -> list[datetime]:
    """Answer the nights that became due after one moment and up to now, oldest first."""
    zone = ZoneInfo(time_zone)
    last = now.astimezone(zone).date()
    first = max(after.astimezone(zone).date(), last - timedelta(days=MOST_MISSED))
    days = (last - first).days + 1
    nights = (find_night(first + timedelta(days=n), time_zone) for n in range(days))
    return [night for night in nights if after < night <= now]


def find_due_nights(now: datetime, time_zone: str, since: datetime, last: LastRun | None) -> Due:
    """Answer which night to run now and which were missed; `since` is when the organisation began.

    The newest night is run, older ones without a row are missed; a night that failed is tried again after an hour, one
    whose process died at once, both within 36 hours.
    """
    nights = list_nights(last.scheduled_for if last else since, now, time_zone)
    if nights:
        return Due(nights[-1], tuple(nights[:-1]))
    return _find_retry(now, last)


def find_due_hour(now: datetime, since: datetime, last: LastRun | None) -> Due:
    """Answer the present hour unless it has a row; hours that passed unseen are not missed by anybody."""
    hour = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    if now < since:
        return Due()
    return Due(hour) if last is None or last.scheduled_for < hour else _find_retry(now, last)


def _find_retry(now: datetime, last: LastRun | None) -> Due:
    if last is None or not timedelta(0) <= now - last.scheduled_for <= CATCH_UP:
        return Due()
    if last.state == "claimed":
        return Due(last.scheduled_for)
    has_rested = last.finished_at is not None and now - last.finished_at >= RETRY_FAILED_AFTER
    if last.state == "failed" and has_rested:
        return Due(last.scheduled_for, is_retry=True)
    return Due()
