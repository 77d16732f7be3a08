"""How full a Group is, who still fits, and when room comes back."""

from __future__ import annotations

from datetime import timedelta

from service.domain.attribution import Attribution, Group
from service.domain.capacity import PURGED_AFTER, Capacity, forecast_room, measure_capacity
from service.domain.policy import Policy
from tests.spec.tables import NOW, Scene, check_plan, read_attribution, read_table


def test_the_limit_counts_everybody_stored_so_a_removal_frees_no_room() -> None:
    check_plan(
        """
        patient | roster            | at DPC                               | expected
        ann     | listed 3 days ago | active, ends in 60 days              | nothing
        bob     | ended 1 day ago   | active, ends in 60 days              | remove
        cay     | absent            | removed 30 days ago                  | nothing
        dee     | absent            | expired 2 hours ago, not yet flagged | nothing
        eve     | listed 3 days ago | absent                               | add
        fay     | listed 3 days ago | absent                               | left out: over limit
        """,
        Scene(Policy(patient_limit=5)),
    )


def test_existing_patients_come_first_and_newcomers_follow_in_roster_order() -> None:
    check_plan(
        """
        patient | roster             | at DPC                  | expected
        ann     | listed 3 days ago  | absent                  | add
        bob     | listed 50 days ago | absent                  | left out: stale evidence
        cay     | listed 9 days ago  | unknown, described      | register, add
        dee     | listed 30 days ago | unknown, described      | left out: over limit
        eve     | listed 3 days ago  | active, ends in 12 days | renew
        fay     | listed 3 days ago  | removed 30 days ago     | reinstate
        """,
        Scene(Policy(patient_limit=4)),
    )


def test_a_group_exactly_at_the_limit_renews_and_reinstates_but_adds_nobody() -> None:
    check_plan(
        """
        patient | roster            | at DPC                  | expected
        ann     | listed 3 days ago | active, ends in 12 days | renew
        bob     | listed 3 days ago | removed 30 days ago     | reinstate
        cay     | listed 3 days ago | absent                  | left out: over limit
        """,
        Scene(Policy(patient_limit=2)),
    )


def test_a_group_over_the_limit_can_not_even_renew_because_dpc_refuses_every_attested_call_to_it() -> None:
    check_plan(
        """
        patient | roster            | at DPC                  | expected
        ann     | listed 3 days ago | active, ends in 12 days | left out: over limit
        bob     | listed 3 days ago | removed 30 days ago     | left out: over limit
        cay     | listed 3 days ago | absent                  | left out: over limit
        dee     | ended 1 day ago   | active, ends in 60 days | remove
        """,
        Scene(Policy(patient_limit=2)),
    )


def test_a_new_group_is_filled_up_to_the_limit() -> None:
    check_plan(
        """
        patient | roster            | at DPC | expected
        ann     | listed 3 days ago | absent | create
        bob     | listed 3 days ago | absent | create
        cay     | listed 3 days ago | absent | left out: over limit
        """,
        Scene(Policy(patient_limit=2), without_group=frozenset({"gray"})),
    )


FILLED = """
    active | inactive | limit | room | percent | nearly full | full
    0      | 0        | 10    | 10   | 0       | no          | no
    8      | 0        | 10    | 2    | 80      | no          | no
    5      | 4        | 10    | 1    | 90      | yes         | no
    899    | 0        | 1000  | 101  | 89      | no          | no
    5      | 5        | 10    | 0    | 100     | yes         | yes
    8      | 4        | 10    | 0    | 120     | yes         | yes
    0      | 0        | 0     | 0    | 100     | yes         | yes
"""


def test_a_group_is_nearly_full_from_ninety_percent_of_the_limit() -> None:
    for row in read_table(FILLED):
        capacity = Capacity("3905293015", int(row["active"]), int(row["inactive"]), int(row["limit"]))
        found = (capacity.room, capacity.percent, capacity.is_nearly_full, capacity.is_full)
        expected = (int(row["room"]), int(row["percent"]), row["nearly full"] == "yes", row["full"] == "yes")
        assert found == expected, row


def test_what_is_past_its_end_counts_as_inactive_but_still_takes_room() -> None:
    group = build_group("active, ends in 1 day", "expired 1 hour ago, not yet flagged", "removed 9 days ago")
    assert measure_capacity(group, NOW, 10) == Capacity("3905293015", active=1, inactive=2, limit=10)


def test_a_full_group_gains_room_when_the_inactive_patient_who_ended_first_is_purged() -> None:
    group = build_group("active, ends in 1 day", "removed 9 days ago", "expired 40 days ago")
    assert forecast_room(group, NOW, 3) == NOW - timedelta(days=40) + PURGED_AFTER


def test_a_group_over_the_limit_gains_room_only_when_enough_patients_are_purged() -> None:
    group = build_group("active, ends in 1 day", "removed 9 days ago", "expired 40 days ago", "removed 20 days ago")
    assert forecast_room(group, NOW, 3) == NOW - timedelta(days=20) + PURGED_AFTER
    assert forecast_room(group, NOW, 2) == NOW - timedelta(days=9) + PURGED_AFTER
    assert forecast_room(group, NOW, 1) is None


def test_no_date_is_forecast_for_a_group_with_room_or_with_active_patients_only() -> None:
    assert forecast_room(build_group("removed 9 days ago"), NOW, 2) is None
    assert forecast_room(build_group("active, ends in 1 day", "active, ends in 2 days"), NOW, 2) is None


def build_group(*cells: str) -> Group:
    shown = [read_attribution(cell, place) for place, cell in enumerate(cells)]
    attributions: list[Attribution] = [a for a in shown if a is not None]
    return Group("3905293015", "group", tuple(attributions))
