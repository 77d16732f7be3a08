"""The times that inputs state about themselves, always with their zone."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time
from typing import Any

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def read_time(value: Any) -> datetime:
    """Answers an ISO 8601 time with its zone, in UTC; a date alone is its beginning, so that it claims no newer state.

    Raises ValueError for anything else: a time without zone may be hours off.
    """
    if not isinstance(value, str):
        raise ValueError("not a time")
    if _DATE.fullmatch(value):
        return datetime.combine(date.fromisoformat(value), time(), UTC)
    at = datetime.fromisoformat(value)
    if at.tzinfo is None:
        raise ValueError("a time without zone")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time beyond the calendar") from None


def find_time(value: Any) -> datetime | None:
    """Answers a time as `read_time` does, None for anything that is none."""
    try:
        return read_time(value)
    except ValueError:
        return None
