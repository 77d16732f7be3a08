"""What is shown as about to lapse, why, and from when on waiting costs attributions."""

from __future__ import annotations

from datetime import timedelta

import pytest

from service.domain.attribution import Status, judge
from service.domain.expiry import BUCKETS, count_expiring, find_bucket, find_cost_of_waiting, find_lapse_cause
from service.domain.policy import Policy
from tests.spec.tables import NOW, Row, read_attribution, read_claim, read_span, read_table

BUCKET_EDGES = read_table("""
    ends in                | bucket
    0 seconds              | expired
    1 second               | 0-7
    7 days                 | 0-7
    7 days and 1 second    | 8-15
    15 days                | 8-15
    15 days and 1 second   | 16-30
    30 days                | 16-30
    30 days and 1 second   | 31-60
    60 days                | 31-60
    60 days and 1 second   | 61-90
    90 days                | 61-90
    90 days and 12 hours   | 61-90
    91 days and 1 second   | 61-90
""")


@pytest.mark.parametrize("row", BUCKET_EDGES, ids=lambda row: row["ends in"])
def test_each_attribution_is_shown_under_the_days_it_has_left(row: Row) -> None:
    assert find_bucket(NOW + read_span(row["ends in"]), NOW) == row["bucket"]


def test_an_end_in_the_past_is_shown_as_expired() -> None:
    assert find_bucket(NOW - timedelta(days=3), NOW) == "expired"


def test_what_dpc_already_marks_inactive_is_history_and_not_counted() -> None:
    cells = [
        "active, ends in 3 days",
        "active, ends in 4 days",
        "expired 1 hour ago, not yet flagged",
        "removed 1 day ago",
    ]
    shown = [read_attribution(cell, place) for place, cell in enumerate(cells)]
    counts = count_expiring([a for a in shown if a], NOW)
    assert counts == {bucket.name: 0 for bucket in BUCKETS} | {"0-7": 2, "expired": 1}


STANDING = read_table("""
    at DPC                                 | stands
    active, ends in 1 second               | active
    expired 0 seconds ago, not yet flagged | expired
    expired 2 hours ago, not yet flagged   | expired
    expired 2 days ago                     | inactive
    removed 2 days ago                     | inactive
""")


@pytest.mark.parametrize("row", STANDING, ids=lambda row: row["at DPC"])
def test_an_attribution_is_judged_by_its_end_and_not_by_a_flag_that_lags(row: Row) -> None:
    attribution = read_attribution(row["at DPC"])
    assert attribution is not None
    assert judge(attribution, NOW) is Status(row["stands"])


CAUSES = read_table("""
    roster                          | at DPC                               | cause
    listed 3 days ago               | active, ends in 12 days              | none
    listed 50 days ago              | active, ends in 12 days              | stale_evidence
    listed 35 days and 1 second ago | active, ends in 15 days              | stale_evidence
    listed 50 days ago              | active, ends in 15 days and 1 second | none
    absent                          | active, ends in 12 days              | not_on_roster
    ended 1 day ago                 | active, ends in 12 days              | not_on_roster
    absent                          | active, ends in 40 days              | none
    absent                          | expired 2 hours ago, not yet flagged | not_on_roster
    listed 50 days ago              | expired 2 hours ago, not yet flagged | stale_evidence
    listed 3 days ago               | expired 2 hours ago, not yet flagged | none
    absent                          | removed 2 days ago                   | none
""")


@pytest.mark.parametrize("row", CAUSES, ids=lambda row: f"{row['roster']}, {row['at DPC']}")
def test_an_attribution_that_will_not_renew_by_itself_shows_its_cause(row: Row) -> None:
    attribution = read_attribution(row["at DPC"])
    assert attribution is not None
    assert (find_lapse_cause(attribution, read_claim(row["roster"]), NOW, Policy()) or "none") == row["cause"]


COSTS = read_table("""
    roster                          | at DPC                               | waiting costs
    listed 3 days ago               | active, ends in 12 days              | nothing
    listed 0 days ago               | active, ends in 50 days              | nothing
    listed 1 second ago             | active, ends in 50 days              | in 50 days
    listed 0 days ago               | active, ends in 50 days and 1 second | in 50 days and 1 second
    listed 35 days ago              | active, ends in 12 days              | nothing
    listed 35 days and 1 second ago | active, ends in 12 days              | in 12 days
    listed 50 days ago              | removed 2 days ago                   | nothing
    listed 50 days ago              | expired 2 hours ago, not yet flagged | nothing
""")


@pytest.mark.parametrize("row", COSTS, ids=lambda row: f"{row['roster']}, {row['at DPC']}")
def test_waiting_costs_an_attribution_whose_evidence_grows_too_old_before_its_renewal_falls_due(row: Row) -> None:
    attribution, claim = read_attribution(row["at DPC"]), read_claim(row["roster"])
    assert attribution is not None
    assert claim is not None
    word = row["waiting costs"]
    expected = None if word == "nothing" else NOW + read_span(word.removeprefix("in "))
    assert find_cost_of_waiting([(attribution, claim)], NOW, Policy()) == expected


def test_of_several_the_first_end_that_would_pass_is_the_date_from_which_waiting_costs() -> None:
    cells = ["active, ends in 40 days", "active, ends in 9 days", "active, ends in 70 days"]
    claim = read_claim("listed 50 days ago")
    assert claim is not None
    shown = [a for a in (read_attribution(cell) for cell in cells) if a]
    assert find_cost_of_waiting([(a, claim) for a in shown], NOW, Policy()) == NOW + timedelta(days=9)
