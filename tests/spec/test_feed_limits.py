"""What a person may set for a feed, at its edges: limits for one person move, those for two people never do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from service.domain.departing import doubt_removals
from service.domain.errors import InvalidInput
from service.domain.feeds import FeedSettings, change_feed_settings
from service.domain.intake import Effect, FileFacts, History
from tests.spec.files import build_facts, weigh_file
from tests.spec.tables import NOW, Row, read_table

SETTINGS = read_table("""
    setting           | lowest | highest
    min_rows          | 0      | 1000000
    rows_down_percent | 1      | 30
    rows_up_percent   | 1      | 100
    rejected_percent  | 0      | 5
    max_removals      | 0      | 100000
    max_removal_percent | 0    | 100
""")


@pytest.mark.parametrize("row", SETTINGS, ids=lambda row: row["setting"])
def test_no_setting_goes_beyond_where_two_people_are_needed_anyway(row: Row) -> None:
    name, lowest, highest = row["setting"], int(row["lowest"]), int(row["highest"])
    for value in (lowest, lowest + 1, highest - 1, highest):
        assert getattr(change_feed_settings(FeedSettings(), {name: value}), name) == value
    wrong: tuple[object, ...] = (lowest - 1, highest + 1, True, 1.5, "2")
    for other in wrong:
        with pytest.raises(InvalidInput):
            change_feed_settings(FeedSettings(), {name: other})


MOVED = read_table("""
    setting            | value | free up to | one person up to
    rows_down_percent  | 1     | 13         | 405
    rows_down_percent  | 10    | 135        | 405
    rows_down_percent  | 29    | 391        | 405
    rows_down_percent  | 30    | 405        | 405
    rows_up_percent    | 1     | 13         | 1350
    rows_up_percent    | 25    | 337        | 1350
    rows_up_percent    | 99    | 1336       | 1350
    rows_up_percent    | 100   | 1350       | 1350
    rejected_percent   | 0     | 5          | 67
    rejected_percent   | 1     | 13         | 67
    rejected_percent   | 4     | 54         | 67
    rejected_percent   | 5     | 67         | 67
""")
"""Of 1,350; the floor of five rows stays below every setting, the limit for two people above it."""


@pytest.mark.parametrize("row", MOVED, ids=lambda row: f"{row['setting']} {row['value']}")
def test_a_setting_moves_the_limit_for_one_person_and_never_that_for_two(row: Row) -> None:
    settings = change_feed_settings(FeedSettings(), {row["setting"]: int(row["value"])})
    free, one = int(row["free up to"]), int(row["one person up to"])
    history = History((1350,) * 5)
    given: dict[str, tuple[str, Callable[[int], FileFacts]]] = {
        "rows_down_percent": ("rows_down", lambda n: build_facts(1350 - n)),
        "rows_up_percent": ("rows_up", lambda n: build_facts(1350 + n)),
        "rejected_percent": ("rejected_rows", lambda n: build_facts(1350, present=1350 - n, errors=n)),
    }
    rule, build = given[row["setting"]]
    for n in {m + step for m in (free, one) for step in (-1, 0, 1)}:
        expected = "free" if n <= free else f"hold {rule}" if n <= one else f"hard-stop {rule}"
        assert weigh_file(build(n), history, settings) == expected, n


def test_the_fewest_rows_that_a_feed_may_have() -> None:
    settings = change_feed_settings(FeedSettings(), {"min_rows": 100})
    for rows, verdict in [(99, "hold rows_down"), (100, "free"), (101, "free")]:
        assert weigh_file(build_facts(rows), settings=settings) == verdict


STOPPED: dict[str, tuple[FileFacts, History]] = {
    "rows down": (build_facts(944), History((1350,) * 5)),
    "rows up": (build_facts(2701), History((1350,) * 5)),
    "rejected rows": (build_facts(1350, present=1282, errors=68), History()),
    "no valid row": (build_facts(0), History()),
    "patients missing": (build_facts(1350, effect=Effect(known=1350, listed=1350, added=676, absent=676)), History()),
    "another organisation": (build_facts(1350, shared_patients=676), History()),
    "odd patients": (build_facts(1350, odd_patients=68), History()),
    "practitioners": (build_facts(1350, npis=100, unknown_npis=("3905293015",) * 6), History()),
    "age": (replace(build_facts(1350), as_of_at=NOW - timedelta(days=7, seconds=1)), History()),
}
LOOSEST: dict[str, Any] = {
    "rows_down_percent": 30,
    "rows_up_percent": 100,
    "rejected_percent": 5,
    "max_removals": 100_000,
    "max_removal_percent": 100,
    "min_rows": 0,
}


@pytest.mark.parametrize("name", STOPPED)
def test_what_takes_two_people_does_so_for_the_most_trusting_feed(name: str) -> None:
    facts, history = STOPPED[name]
    for settings in (FeedSettings(), change_feed_settings(FeedSettings(), LOOSEST)):
        assert weigh_file(facts, history, settings).startswith("hard-stop")


LIMITS_OF_A_FEED = read_table("""
    setting             | value | known | ended | verdict
    max_removals        | 0     | 100   | 0     | free
    max_removals        | 0     | 100   | 1     | hold
    max_removals        | 7     | 1350  | 6     | free
    max_removals        | 7     | 1350  | 7     | free
    max_removals        | 7     | 1350  | 8     | hold
    max_removal_percent | 0     | 100   | 5     | free
    max_removal_percent | 0     | 100   | 6     | hold
    max_removal_percent | 10    | 5     | 5     | free
    max_removal_percent | 10    | 20    | 5     | free
    max_removal_percent | 10    | 20    | 6     | hold
    max_removal_percent | 10    | 100   | 9     | free
    max_removal_percent | 10    | 100   | 10    | free
    max_removal_percent | 10    | 100   | 11    | hold
    max_removal_percent | 10    | 1350  | 135   | free
    max_removal_percent | 10    | 1350  | 136   | hold
    max_removal_percent | 100   | 1350  | 1350  | free
""")
"""A number is exact, a percentage counts from six patients on; without either the guards of the plan decide alone."""


@pytest.mark.parametrize("row", LIMITS_OF_A_FEED, ids=lambda row: " ".join(list(row.values())[:4]))
def test_how_many_one_file_may_let_go(row: Row) -> None:
    known, ended = int(row["known"]), int(row["ended"])
    facts = build_facts(known, effect=Effect(known=known, listed=known - ended, absent=ended, ended=ended))
    settings = change_feed_settings(FeedSettings(), {row["setting"]: int(row["value"])})
    found = doubt_removals(facts, "none", 0, settings)
    assert (f"{found.level.value} {found.code}" if found else "free") == row["verdict"].replace(
        "hold", "hold many_removals"
    )
