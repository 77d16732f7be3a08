"""Times as HL7 v2 writes them (HL7 v2.5.1, 2.A.22 and 2.A.77)."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

_TIME = re.compile(r"([0-9]{4,14})(?:\.[0-9]+)?([+-][0-9]{4})?")
_ZONED = re.compile(r"[0-9]{8,14}(?:\.[0-9]+)?[+-][0-9]{4}")
_REST = "00000101000000"
"""What a time that ends early begins with: its first month, day, hour."""


def has_zone(text: str) -> bool:
    """Answers whether a time gives at least a day, and says in which zone."""
    return _ZONED.fullmatch(text) is not None


def compare_day(text: str, day: date) -> int | None:
    """Answers -1 for a time before a day, 1 for one after it, else 0; None for anything that is no time.

    The day is the one that is written, in no zone (feeds 3.5); a year or month without day is all of it.
    """
    found = _TIME.fullmatch(text)
    if not found or len(found.group(1)) % 2 or find_time(text) is None:
        return None
    written = found.group(1)[:8]
    asked = f"{day:%Y%m%d}"[: len(written)]
    return (written > asked) - (written < asked)


def find_time(text: str) -> datetime | None:
    """Answers a time in UTC; without a zone it is taken for UTC. None for anything that is none."""
    found = _TIME.fullmatch(text)
    if not found:
        return None
    digits, zone = found.groups()
    try:
        at = datetime.strptime(f"{digits}{_REST[len(digits) :]}{zone or '+0000'}", "%Y%m%d%H%M%S%z")
        return at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
