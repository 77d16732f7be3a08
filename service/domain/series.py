"""Which place a file has in the series of its feed, as far as the marks of files (`sequence`) can be ordered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from itertools import takewhile

_DIGITS = re.compile(r"\d+")
_YEAR = re.compile(r"(19|20)\d\d")
_DAY_LENGTH = 8
_DAY_FORMS = {"year first": (0, 4, 6), "day first": (4, 2, 0), "month first": (4, 0, 2)}
"""Where the year, the month and the day begin."""
_UNORDERED = _DAY_FORMS.keys() - {"year first"}


@dataclass(frozen=True, slots=True)
class Place:
    """What orders a delivery among those of its feed: its number, the time it speaks of if it says one, its receipt."""

    number: int
    as_of_at: datetime | None
    received_at: datetime

    @property
    def told_at(self) -> datetime:
        """The time of which it tells; nobody knew it after its receipt, however far the sender's clock runs ahead."""
        return min(self.as_of_at or self.received_at, self.received_at)


def is_made_after(one: Place, other: Place, told_at: datetime | None = None) -> bool:
    """Answer whether one delivery was made after another, whichever of them came in first (feeds 7.3).

    `told_at` is the time of which the other one tells, where its place in a series says more than its own times. What
    came in before is made after only when it tells of a later second, as claims are compared.
    """
    at = told_at or other.told_at
    if one.number > other.number:
        return one.told_at > at
    return one.told_at.replace(microsecond=0) > at.replace(microsecond=0)


def is_stale(mark: str | None, counted: Iterable[str]) -> bool:
    """Answer whether a mark stands before the newest accepted one that it can be compared with.

    `counted` are the marks of accepted files, newest first. Numbers are ordered by their value, unless both are days
    that do not begin with the year (19112026). Other marks are ordered as text where that cannot be wrong: both are
    alike except for their digits, and these are one number of the same length, or begin with a year (2026-11-19, but
    not 19-11-2026).
    """
    return bool(find_passed(mark, counted))


def find_passed(mark: str | None, counted: Iterable[str]) -> list[str]:
    """Answer the newest accepted marks before which a mark stands, newest first, down to one that it follows.

    Marks before that one belong to an earlier count, which the sender has begun anew since.
    """
    if mark is None:
        return []
    compare = _sort_numbers if mark.isdecimal() else _sort_texts
    comparable = (one for one in counted if compare(mark, one) is not None)
    return list(takewhile(lambda one: compare(mark, one), comparable))


def find_missing(mark: str | None, counted: Sequence[str], arrived: Sequence[str]) -> tuple[int, int] | None:
    """Answer the first and the last number that a file skips; None where it skips none, or the feed does not count.

    `counted` are the marks of accepted files, `arrived` those of the others too, whatever became of them, both newest
    first. A feed counts when the last two numbers of either follow one another. Days (20261130) do so too, but the next
    of them may be one of another month, or one after a weekend.
    """
    if mark is None or not mark.isdecimal():
        return None
    number, came = int(mark), _read_numbers([*arrived, *counted])
    if not any(_follow(_read_numbers(marks)) for marks in (counted, arrived)):
        return None
    last = max((one for one in came if one < number), default=None)
    if last is None or last + 1 == number or (_find_day_form(mark) and _find_day_form(f"{last:0{len(mark)}d}")):
        return None
    return last + 1, number - 1


def _sorts_as_text(mark: str, last: str) -> bool:
    if last.isdecimal() or _DIGITS.sub(_blank, mark) != _DIGITS.sub(_blank, last):
        return False
    runs = [_DIGITS.findall(text) for text in (mark, last)]
    return len(runs[0]) == 1 or all(_YEAR.fullmatch(found[0]) for found in runs if found)


def _sort_numbers(mark: str, one: str) -> bool | None:
    """Answer whether a number stands before another mark, None where the two cannot be compared."""
    if not one.isdecimal():
        return None
    return int(mark) < int(one) and not {_find_day_form(mark), _find_day_form(one)} <= _UNORDERED


def _sort_texts(mark: str, one: str) -> bool | None:
    return mark < one if _sorts_as_text(mark, one) else None


def _find_day_form(mark: str) -> str | None:
    """Answer how a number of eight digits reads as a day of these two centuries, None if it does not."""
    for form, (year, month, day) in _DAY_FORMS.items():
        if len(mark) == _DAY_LENGTH and _YEAR.match(mark, year):
            with suppress(ValueError):
                date(int(mark[year : year + 4]), int(mark[month : month + 2]), int(mark[day : day + 2]))
                return form
    return None


def _blank(found: re.Match[str]) -> str:
    return "0" * len(found[0])


def _read_numbers(marks: Iterable[str]) -> list[int]:
    return [int(text) for text in marks if text.isdecimal()]


def _follow(numbers: Sequence[int]) -> bool:
    return len(numbers) > 1 and numbers[0] == numbers[1] + 1
