"""What the end of a period says about a pair: it holds, it is over, or nobody can tell (feeds 3.5 and 4.2)."""

from __future__ import annotations

from calendar import monthrange
from datetime import date

from service.rosters.columns.evaluate import ENDED, PRESENT


def judge_period(period: object, today: date | None) -> int | str:
    """Answers PRESENT, ENDED or the code of what is wrong with a Period; one that is none says nothing certain."""
    if period is None:
        return PRESENT
    return judge_end(period.get("end"), today) if isinstance(period, dict) else "bad_action"


def judge_end(end: object, today: date | None) -> int | str:
    """Answers PRESENT, ENDED or the code of what is wrong with the end of a Period; without today none is over."""
    if end is None:
        return PRESENT
    last = find_last_day(end) if isinstance(end, str) else None
    if last is None:
        return "bad_end_date"
    return ENDED if today is not None and last < today else PRESENT


def find_last_day(text: str) -> date | None:
    """Answers the last day of a FHIR date, which may lack day and month; the day as written, whatever its zone."""
    try:
        parts = [int(part) for part in text[:10].split("-")]
        year, month = parts[0], parts[1] if len(parts) > 1 else 12
        return date(year, month, parts[2] if len(parts) > 2 else monthrange(year, month)[1])
    except (ValueError, IndexError, OverflowError):
        return None
