"""Whether a delivery may count: doubts about the file hold it whole, an unreadable file is rejected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from statistics import median

from service.domain.guards import Level


class Verdict(StrEnum):
    """What becomes of a delivery; the words are its states."""

    ACCEPTED = "accepted"
    HELD = "held"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What the guards look at: counts and times of one file, nothing about any patient."""

    file_error: str | None
    data_rows: int
    present: int
    removed: int
    errors: int
    received_at: datetime
    as_of_at: datetime | None
    is_snapshot: bool


@dataclass(frozen=True, slots=True)
class History:
    """Earlier accepted deliveries of the same feed, newest first: snapshot row counts, newest as-of time."""

    row_counts: Sequence[int] = ()
    last_as_of_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict with its rule, its level (None unless held) and one sentence for people."""

    verdict: Verdict
    code: str | None = None
    level: Level | None = None
    reason: str | None = None


HELD_FILE_ERRORS = {
    "truncated": "The file ends in the middle of a row, so part of it is missing.",
    "count_mismatch": "The number of rows differs from the count that the file itself declares.",
    "stale_input": "The file is older than one that was already accepted from this feed.",
    "header_changed": "The headings differ from those that the feed's column mapping was made for.",
}
"""File errors that a person may still want to look at; every other file error rejects the delivery."""

FEWER_ROWS_HOLD, FEWER_ROWS_STOP = 10, 30
MORE_ROWS_HOLD, MORE_ROWS_STOP = 25, 100
REJECTED_ROWS_HOLD, REJECTED_ROWS_STOP = 1, 5
MOST_OF_THE_FILE = 50
ROWS_FLOOR = 5
"""Row counts are compared in percent with the median of the last five snapshots, once more than five rows differ."""
AGE_HOLD, AGE_STOP = timedelta(hours=48), timedelta(days=7)
AHEAD = timedelta(hours=1)
"""How far the sender's clock may run ahead of ours."""


def judge_delivery(facts: FileFacts, history: History) -> Judgement:
    """Answer whether a delivery counts now, waits for a person, or is refused.

    Of several doubts the first that needs two people is named, else the first that needs one. Evidence of a held
    delivery does not count until a person accepts it; earlier evidence does, while it is fresh. A file dated in the
    future is refused, because nobody could accept it without making its evidence fresh for longer than it is.
    """
    if facts.file_error and facts.file_error not in HELD_FILE_ERRORS:
        return Judgement(Verdict.REJECTED, facts.file_error, None, f"The file cannot be used: {facts.file_error}.")
    if facts.as_of_at and facts.as_of_at - facts.received_at > AHEAD:
        return Judgement(Verdict.REJECTED, "future_input", None, "The file says that it was made in the future.")
    if facts.file_error:
        return _hold(facts.file_error, Level.HOLD, HELD_FILE_ERRORS[facts.file_error])
    doubts = [doubt(facts, history) for doubt in (_doubt_age, _doubt_zero, _doubt_rows, _doubt_errors)]
    found = [judgement for judgement in doubts if judgement]
    grave = [judgement for judgement in found if judgement.level is Level.HARD_STOP]
    return next(iter(grave + found), Judgement(Verdict.ACCEPTED))


def _doubt_age(facts: FileFacts, history: History) -> Judgement | None:
    if facts.as_of_at is None:
        return None
    if history.last_as_of_at and facts.as_of_at < history.last_as_of_at:
        return _hold("stale_input", Level.HOLD, HELD_FILE_ERRORS["stale_input"])
    age = facts.received_at - facts.as_of_at
    if age > AGE_HOLD:
        level = Level.HARD_STOP if age > AGE_STOP else Level.HOLD
        return _hold("old_input", level, f"The file was made {age.days} days before it was received.")
    return None


def _doubt_zero(facts: FileFacts, history: History) -> Judgement | None:
    if facts.present or facts.removed:
        return None
    return _hold("zero_rows", Level.HARD_STOP, "The file holds no valid row at all.")


def _doubt_rows(facts: FileFacts, history: History) -> Judgement | None:
    if not (facts.is_snapshot and history.row_counts):
        return None
    usual = median(history.row_counts[:5])
    change = facts.data_rows - usual
    if abs(change) <= ROWS_FLOOR or not usual:
        return None
    percent = 100 * change / usual
    if percent < -FEWER_ROWS_HOLD:
        level = Level.HARD_STOP if percent < -FEWER_ROWS_STOP else Level.HOLD
        return _hold("rows_down", level, f"The file has {facts.data_rows} rows; the last ones had about {usual:.0f}.")
    if percent > MORE_ROWS_HOLD:
        level = Level.HARD_STOP if percent > MORE_ROWS_STOP else Level.HOLD
        return _hold("rows_up", level, f"The file has {facts.data_rows} rows; the last ones had about {usual:.0f}.")
    return None


def _doubt_errors(facts: FileFacts, history: History) -> Judgement | None:
    if not facts.data_rows:
        return None
    percent = 100 * facts.errors / facts.data_rows
    if facts.errors <= ROWS_FLOOR and percent <= MOST_OF_THE_FILE:
        return None
    if percent <= REJECTED_ROWS_HOLD:
        return None
    level = Level.HARD_STOP if percent > REJECTED_ROWS_STOP else Level.HOLD
    return _hold("rejected_rows", level, f"{facts.errors} of {facts.data_rows} rows cannot be read.")


def _hold(code: str, level: Level, reason: str) -> Judgement:
    return Judgement(Verdict.HELD, code, level, reason)
