"""How pages tell times and sizes: the exact moment and, beside it, how far away it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


def tell_time(at: datetime | None) -> str:
    """Answer a moment like 2026-11-20 14:05 UTC; a dash for none."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC") if at else "–"


def tell_distance(at: datetime | None, now: datetime) -> str:
    """Answer how far a moment is from now: `in 12 days`, `3 hours ago`; empty for none."""
    if at is None:
        return ""
    span = abs(at - now)
    if span < _MINUTE:
        return "now"
    amount = _count(span)
    return f"in {amount}" if at > now else f"{amount} ago"


def tell_size(size: int) -> str:
    """Answer a number of bytes like 1.4 MiB."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"


def _count(span: timedelta) -> str:
    for unit, name in ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute")):
        if span >= unit:
            n = span // unit
            return f"{n:,} {name}" + ("s" if n != 1 else "")
    return "a moment"
