"""Which of two deliveries of a feed was made after the other, whichever came in first."""

from __future__ import annotations

from datetime import datetime

import pytest

from service.domain.series import Place, find_passed, is_made_after
from tests.spec.tables import NOW, Row, read_span, read_table

PLACES = read_table("""
    one came | it speaks of     | the other speaks of | made after
    later    | its receipt      | its receipt         | yes
    later    | 3 hours ago      | its receipt         | no
    later    | 3 hours ago      | 4 hours ago         | yes
    later    | 4 hours ago      | 4 hours ago         | no
    earlier  | its receipt      | its receipt         | no
    earlier  | its receipt      | 3 hours ago         | yes
    earlier  | its receipt      | 2 hours ago         | no
    earlier  | 3 hours ago      | 4 hours ago         | yes
    earlier  | 4 hours ago      | 4 hours ago         | no
    earlier  | 1 hour ahead     | its receipt         | no
    earlier  | 1 hour ahead     | 1 hour ago          | no
""")
"""One came in two hours ago or now, the other one hour ago."""


@pytest.mark.parametrize("row", PLACES, ids=lambda row: " / ".join(row.values()))
def test_what_a_delivery_tells_of_orders_it_and_not_when_it_came_in(row: Row) -> None:
    number, received = (3, "0 seconds ago") if row["one came"] == "later" else (1, "2 hours ago")
    one = Place(number, read_when(row["it speaks of"]), read_when(received) or NOW)
    other = Place(2, read_when(row["the other speaks of"]), read_when("1 hour ago") or NOW)
    assert is_made_after(one, other) is (row["made after"] == "yes")


def test_a_time_that_the_series_tells_stands_for_that_of_the_other_one() -> None:
    one, other = Place(1, None, NOW), Place(2, None, NOW)
    assert not is_made_after(one, other)
    assert is_made_after(one, other, NOW - read_span("1 second"))


PASSED = read_table("""
    mark | counted, newest first | passed
    9    | 10                    | 10
    9    | 10 11                 | 10 11
    9    | 10 8 11               | 10
    9    | 8 10                  | none
    2    | 1 999                 | none
    1    | 999 998               | 999 998
    9    | names 10              | 10
    9    | none                  | none
""")


@pytest.mark.parametrize("row", PASSED, ids=lambda row: f"{row['mark']} after {row['counted, newest first']}")
def test_a_mark_is_passed_by_those_since_the_last_one_that_it_follows(row: Row) -> None:
    counted, passed = (row[name].replace("none", "").split() for name in ("counted, newest first", "passed"))
    assert find_passed(row["mark"], counted) == passed


def read_when(cell: str) -> datetime | None:
    if cell == "its receipt":
        return None
    span, word = cell.rsplit(" ", 1)
    return NOW - read_span(span) if word == "ago" else NOW + read_span(span)
