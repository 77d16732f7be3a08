"""When an attribution is renewed, and when it is rather allowed to lapse."""

from __future__ import annotations

from tests.spec.tables import check_plan


def test_a_renewal_falls_due_when_fifteen_days_or_less_remain() -> None:
    check_plan("""
        patient | roster            | at DPC                               | expected
        ann     | listed 3 days ago | active, ends in 12 days              | renew
        bob     | listed 3 days ago | active, ends in 15 days              | renew
        cay     | listed 3 days ago | active, ends in 15 days and 1 second | nothing
        dee     | listed 3 days ago | active, ends in 1 second             | renew
        eve     | listed 3 days ago | active, ends in 90 days              | nothing
    """)


def test_only_evidence_of_at_most_35_days_supports_a_renewal_and_none_is_made_just_to_avoid_a_lapse() -> None:
    check_plan("""
        patient | roster                          | at DPC                   | expected
        ann     | listed 35 days ago              | active, ends in 12 days  | renew
        bob     | listed 35 days and 1 second ago | active, ends in 12 days  | left out: stale evidence
        cay     | listed 60 days ago              | active, ends in 1 second | left out: stale evidence
        dee     | listed 60 days ago              | active, ends in 40 days  | nothing
    """)


def test_nobody_is_renewed_whom_no_roster_lists() -> None:
    check_plan("""
        patient | roster            | at DPC                  | expected
        ann     | listed 3 days ago | active, ends in 60 days | nothing
        bob     | absent            | active, ends in 12 days | left out: not on roster
        cay     | ended 1 day ago   | active, ends in 12 days | remove
    """)


def test_an_attribution_past_its_end_is_expired_whatever_the_flag_says_and_is_reinstated_by_a_listing() -> None:
    check_plan("""
        patient | roster             | at DPC                                | expected
        ann     | listed 3 days ago  | expired 2 hours ago, not yet flagged  | reinstate
        bob     | listed 3 days ago  | expired 0 seconds ago, not yet flagged| reinstate
        cay     | listed 3 days ago  | expired 2 days ago                    | reinstate
        dee     | listed 3 days ago  | removed 10 days ago                   | reinstate
        eve     | listed 50 days ago | expired 2 hours ago, not yet flagged  | left out: stale evidence
        fay     | absent             | expired 2 hours ago, not yet flagged  | nothing
    """)


def test_an_attribution_that_somebody_else_made_is_renewed_like_our_own_once_a_roster_lists_it() -> None:
    check_plan("""
        patient | roster            | at DPC                            | expected
        ann     | listed 3 days ago | active, ends in 12 days, not ours | renew
    """)
