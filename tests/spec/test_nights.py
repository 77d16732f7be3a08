"""When the nightly run is due, in the practice's own time, also when the clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest

from service.domain.canonical import read_time
from service.domain.nights import find_next_night, find_night
from tests.spec.tables import Row, read_table

NIGHTS = read_table("""
    where               | local date | run in UTC           | why
    America/New_York    | 2026-01-15 | 2026-01-15T08:30:00Z | winter
    America/New_York    | 2026-07-15 | 2026-07-15T07:30:00Z | summer
    America/New_York    | 2026-03-07 | 2026-03-07T08:30:00Z | the night before clocks go forward
    America/New_York    | 2026-03-08 | 2026-03-08T07:30:00Z | clocks went forward at two
    America/New_York    | 2026-11-01 | 2026-11-01T08:30:00Z | clocks went back at two
    America/Los_Angeles | 2026-03-08 | 2026-03-08T10:30:00Z | clocks went forward at two
    America/Phoenix     | 2026-03-08 | 2026-03-08T10:30:00Z | no summer time
    Pacific/Honolulu    | 2026-11-01 | 2026-11-01T13:30:00Z | no summer time
    Pacific/Guam        | 2026-03-08 | 2026-03-07T17:30:00Z | ahead of UTC
    UTC                 | 2026-03-08 | 2026-03-08T03:30:00Z | plain
""")


@pytest.mark.parametrize("row", NIGHTS, ids=lambda row: f"{row['where']} {row['local date']} {row['why']}")
def test_the_run_of_a_date_is_at_half_past_three_local_time(row: Row) -> None:
    assert find_night(date.fromisoformat(row["local date"]), row["where"]) == read_time(row["run in UTC"])


NEXT = read_table("""
    now                  | last run             | next run
    2026-01-15T08:29:59Z | never                | 2026-01-15T08:30:00Z
    2026-01-15T08:30:00Z | never                | 2026-01-16T08:30:00Z
    2026-01-15T12:00:00Z | 2026-01-15T08:30:00Z | 2026-01-16T08:30:00Z
    2026-01-15T08:00:00Z | 2026-01-14T08:30:00Z | 2026-01-15T08:30:00Z
    2026-01-15T08:00:00Z | 2026-01-15T08:30:00Z | 2026-01-16T08:30:00Z
    2026-01-16T04:59:00Z | never                | 2026-01-16T08:30:00Z
    2026-03-07T12:00:00Z | 2026-03-07T08:30:00Z | 2026-03-08T07:30:00Z
    2026-10-31T12:00:00Z | 2026-10-31T07:30:00Z | 2026-11-01T08:30:00Z
""")


@pytest.mark.parametrize("row", NEXT, ids=lambda row: f"{row['now']} after {row['last run']}")
def test_the_next_run_is_tonight_when_it_has_neither_run_nor_passed_else_tomorrow(row: Row) -> None:
    last = None if row["last run"] == "never" else read_time(row["last run"])
    assert find_next_night(read_time(row["now"]), "America/New_York", last) == read_time(row["next run"])


@pytest.mark.parametrize("zone", ["America/New_York", "America/Los_Angeles", "America/Anchorage", "Pacific/Guam"])
def test_a_year_has_one_run_for_every_date_and_none_twice(zone: str) -> None:
    runs: list[datetime] = []
    now = datetime(2026, 1, 1, tzinfo=UTC)
    while len(runs) < 365:
        now = find_next_night(now, zone, runs[-1] if runs else None)
        runs.append(now)
    assert all(timedelta(hours=23) <= later - earlier <= timedelta(hours=25) for earlier, later in pairwise(runs))
    assert len(set(runs)) == 365
