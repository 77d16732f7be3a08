"""Whose attribution is ended: only what is ours, only on a feed's word, never by an empty roster."""

from __future__ import annotations

from datetime import timedelta

import pytest

from service.domain.change import keep_plain
from service.domain.guards import Exposure, Level, hold_changes
from service.domain.policy import GuardLimits
from service.domain.roster import Claim, DeliveredPanel, fold_delivery
from tests.spec.tables import NOW, Row, Rows, build_mbi, check_plan, read_table


def test_only_what_this_service_attested_or_adopted_is_removed() -> None:
    check_plan("""
        patient | roster            | at DPC                            | expected
        ann     | ended 1 day ago   | active, ends in 60 days           | remove
        bob     | ended 1 day ago   | active, ends in 60 days, not ours | left out: not ours
        cay     | absent            | active, ends in 60 days           | left out: not on roster
        dee     | absent            | active, ends in 60 days, not ours | left out: not on roster
        eve     | listed 3 days ago | active, ends in 60 days, not ours | nothing
    """)


def test_what_has_ended_already_is_not_removed_once_more_because_that_would_move_its_end() -> None:
    check_plan("""
        patient | roster            | at DPC                               | expected
        ann     | ended 1 day ago   | expired 2 hours ago, not yet flagged | nothing
        bob     | ended 1 day ago   | expired 2 days ago                   | nothing
        cay     | ended 1 day ago   | removed 2 days ago                   | nothing
        dee     | ended 1 day ago   | absent                               | nothing
        eve     | listed 3 days ago | active, ends in 60 days              | nothing
    """)


def test_a_removal_needs_no_fresh_evidence_because_it_attests_nothing() -> None:
    check_plan("""
        patient | roster             | at DPC                  | expected
        ann     | ended 200 days ago | active, ends in 60 days | remove
        bob     | listed 3 days ago  | active, ends in 60 days | nothing
    """)


def test_a_patient_stays_wanted_while_any_feed_lists_them() -> None:
    check_plan("""
        patient | roster of clinic   | roster of hospital | at DPC                  | expected
        ann     | listed 3 days ago  | listed 9 days ago  | active, ends in 60 days | nothing
        bob     | ended 1 day ago    | listed 9 days ago  | active, ends in 60 days | nothing
        cay     | ended 1 day ago    | absent             | active, ends in 60 days | remove
        dee     | ended 1 day ago    | ended 9 days ago   | active, ends in 60 days | remove
        eve     | listed 50 days ago | listed 9 days ago  | active, ends in 12 days | renew
        fay     | listed 9 days ago  | listed 50 days ago | active, ends in 12 days | renew
    """)


def test_while_nobody_at_all_is_wanted_nobody_is_removed() -> None:
    check_plan("""
        practitioner | patient | roster          | at DPC                            | expected
        gray         | ann     | ended 1 day ago | active, ends in 60 days           | left out: nothing desired
        gray         | bob     | ended 1 day ago | active, ends in 60 days, not ours | left out: not ours
        moss         | cay     | ended 1 day ago | active, ends in 60 days           | left out: nothing desired
    """)


def test_a_single_listing_of_any_practitioner_ends_that_protection() -> None:
    check_plan("""
        practitioner | patient | roster            | at DPC                  | expected
        gray         | ann     | ended 1 day ago   | active, ends in 60 days | remove
        moss         | cay     | listed 3 days ago | active, ends in 60 days | nothing
    """)


@pytest.mark.parametrize("active", [1, 2, 5, 20])
def test_a_panel_that_would_fall_to_zero_is_a_hard_stop_however_small(active: int) -> None:
    rows = "\n".join(f"gray | p{n} | ended 1 day ago | active, ends in 60 days | remove" for n in range(active))
    result = check_plan(f"""
        practitioner | patient | roster | at DPC | expected
        {rows}
        moss | other | listed 3 days ago | active, ends in 60 days | nothing
    """)
    exposure = Exposure({"3905293015": active, "2323232225": 5000}, {})
    free, held = hold_changes(result.changes, exposure, GuardLimits(), "lakeside", {}, conceal=keep_plain)
    assert free == ()
    assert [(h.rule, h.level, h.n) for h in held] == [("removals-per-group", Level.HARD_STOP, active)]


SNAPSHOT = """
    patient | known       | the file says | afterwards
    ann     | listed      | listed        | listed
    bob     | listed      | absent        | absent once
    cay     | absent once | absent        | ended
    dee     | absent once | listed        | listed
    eve     | ended       | absent        | ended
    fay     | ended       | listed        | listed
    gus     | unknown     | listed        | listed
    hal     | listed      | removed       | ended
    ida     | listed      | faulty row    | listed
    jon     | absent once | faulty row    | listed
    kim     | unknown     | faulty row    | unknown
"""


def test_a_snapshot_ends_a_claim_only_after_two_accepted_snapshots_in_a_row_without_the_pair() -> None:
    check_fold(SNAPSHOT, "snapshot")


def test_where_one_absence_is_enough_the_first_snapshot_without_the_pair_ends_the_claim() -> None:
    check_fold(
        """
        patient | known  | the file says | afterwards
        ann     | listed | listed        | listed
        bob     | listed | absent        | ended
        cay     | listed | faulty row    | listed
        """,
        "snapshot",
        absences_before_removal=1,
    )


def test_a_delta_removes_by_explicit_rows_only() -> None:
    check_fold(
        """
        patient | known       | the file says | afterwards
        ann     | listed      | absent        | listed
        bob     | absent once | absent        | absent once
        cay     | listed      | removed       | ended
        dee     | listed      | faulty row    | listed
        eve     | ended       | listed        | listed
        fay     | unknown     | removed       | ended
        gus     | unknown     | listed        | listed
        """,
        "delta",
    )


@pytest.mark.parametrize("mode", ["snapshot", "delta"])
def test_a_file_with_a_row_that_might_be_anybody_removes_nobody(mode: str) -> None:
    check_fold(
        """
        patient | known       | the file says | afterwards
        ann     | listed      | absent        | listed
        bob     | absent once | absent        | absent once
        cay     | listed      | removed       | listed
        dee     | unknown     | listed        | listed
        """,
        mode,
        removals_count=False,
    )


@pytest.mark.parametrize("mode", ["snapshot", "delta"])
def test_a_patient_with_a_faulty_row_is_not_removed_even_by_an_explicit_row(mode: str) -> None:
    known = [Claim(build_mbi(0), 1, 2, NOW - timedelta(days=1))]
    delivered = DeliveredPanel(2, NOW, mode, {}, {build_mbi(0): 4}, frozenset({build_mbi(0)}))
    (claim,) = fold_delivery(known, delivered, 2)
    assert not claim.ended


def test_a_listing_renews_the_evidence_and_an_absence_does_not() -> None:
    before = NOW - timedelta(days=7)
    known = [Claim(build_mbi(0), 1, 2, before), Claim(build_mbi(1), 1, 3, before)]
    listed, absent = fold_delivery(known, DeliveredPanel(2, NOW, "snapshot", {build_mbi(0): 9}, {}), 2)
    assert (listed.delivery, listed.line, listed.evidence_at) == (2, 9, NOW)
    assert (absent.delivery, absent.line, absent.evidence_at) == (1, 3, before)


def test_a_delivery_that_was_held_for_a_while_undoes_nothing_that_was_made_after_it() -> None:
    check_fold(
        """
        patient | known          | the file says | afterwards
        ann     | listed since   | absent        | listed
        bob     | listed since   | removed       | listed
        cay     | listed since   | listed        | listed
        dee     | ended since    | listed        | ended
        eve     | absent since   | listed        | ended
        fay     | listed         | absent        | ended
        """,
        "snapshot",
        absences_before_removal=1,
    )


def check_fold(table: str, mode: str, absences_before_removal: int = 2, removals_count: bool = True) -> None:
    rows = read_table(table)
    says = {place: row["the file says"] for place, row in enumerate(rows)}
    delivered = DeliveredPanel(
        delivery=2,
        evidence_at=NOW,
        mode=mode,
        present={build_mbi(place): place + 2 for place, word in says.items() if word == "listed"},
        removed={build_mbi(place): place + 2 for place, word in says.items() if word == "removed"},
        protected=frozenset(build_mbi(place) for place, word in says.items() if word == "faulty row"),
        removals_count=removals_count,
    )
    claims = {claim.mbi: claim for claim in fold_delivery(_read_known(rows), delivered, absences_before_removal)}
    found = [(row["patient"], _describe(claims.get(build_mbi(place)))) for place, row in enumerate(rows)]
    assert found == [(row["patient"], row["afterwards"]) for row in rows]


def _read_known(rows: Rows) -> list[Claim]:
    return [_read_claim(row, place) for place, row in enumerate(rows) if row["known"] != "unknown"]


def _read_claim(row: Row, place: int) -> Claim:
    """`ended since` is an explicit row of a later delivery, `absent since` a claim that later snapshots let go."""
    word, mbi, since = row["known"], build_mbi(place), NOW + timedelta(days=1)
    if word in ("listed since", "ended since"):
        return Claim(mbi, 3, place + 2, since, ended=word == "ended since")
    if word == "absent since":
        return Claim(mbi, 3, 0, NOW - timedelta(days=7), absences=2, ended=True)
    absences = {"listed": 0, "absent once": 1, "ended": 2}[word]
    return Claim(mbi, 1, place + 2, NOW - timedelta(days=7), absences, word == "ended")


def _describe(claim: Claim | None) -> str:
    if claim is None:
        return "unknown"
    if claim.ended:
        return "ended"
    return "absent once" if claim.absences else "listed"
