"""Who is attributed anew, and in which order the calls are made."""

from __future__ import annotations

from service.domain.policy import Policy
from tests.spec.tables import Scene, check_plan, describe_changes


def test_a_patient_who_is_listed_and_in_no_group_is_added() -> None:
    check_plan("""
        patient | roster                          | at DPC                  | expected
        ann     | listed 3 days ago               | absent                  | add
        bob     | listed 35 days and 1 second ago | absent                  | left out: stale evidence
        cay     | ended 1 day ago                 | absent                  | nothing
        dee     | listed 3 days ago               | active, ends in 60 days | nothing
    """)


def test_the_first_patients_of_a_practitioner_travel_with_the_creation_of_the_group() -> None:
    result = check_plan(
        """
        patient | roster            | at DPC | expected
        ann     | listed 3 days ago | absent | create
        bob     | listed 3 days ago | absent | create
        cay     | listed 3 days ago | absent | add
        """,
        Scene(Policy(call_size=2), without_group=frozenset({"gray"})),
    )
    assert describe_changes(result) == ["create 2", "add 1"]


def test_no_group_is_created_for_nobody() -> None:
    result = check_plan(
        """
        patient | roster             | at DPC | expected
        ann     | listed 50 days ago | absent | left out: stale evidence
        """,
        Scene(without_group=frozenset({"gray"})),
    )
    assert result.changes == ()


def test_registrations_come_first_then_creations_removals_adds_reinstatements_and_renewals() -> None:
    result = check_plan(
        """
        practitioner | patient | roster            | at DPC                  | expected
        gray         | ann     | listed 3 days ago | active, ends in 12 days | renew
        gray         | bob     | listed 3 days ago | removed 3 days ago      | reinstate
        gray         | cay     | listed 3 days ago | absent                  | add
        gray         | dee     | ended 1 day ago   | active, ends in 60 days | remove
        moss         | eve     | listed 3 days ago | unknown, described      | register, create
        """,
        Scene(without_group=frozenset({"moss"})),
    )
    assert describe_changes(result) == ["register 1", "create 1", "remove 1", "add 1", "reinstate 1", "renew 1"]


def test_large_changes_are_cut_into_calls_of_limited_size() -> None:
    result = check_plan(
        """
        patient | roster            | at DPC | expected
        ann     | listed 3 days ago | absent | add
        bob     | listed 3 days ago | absent | add
        cay     | listed 3 days ago | absent | add
        dee     | listed 3 days ago | absent | add
        eve     | listed 3 days ago | absent | add
        """,
        Scene(Policy(call_size=2)),
    )
    assert describe_changes(result) == ["add 2", "add 2", "add 1"]


def test_nothing_is_planned_for_a_practitioner_who_has_two_groups() -> None:
    result = check_plan(
        """
        practitioner | patient | roster            | at DPC                  | expected
        gray         | ann     | listed 3 days ago | active, ends in 12 days | nothing
        gray         | bob     | ended 1 day ago   | active, ends in 60 days | nothing
        moss         | cay     | listed 3 days ago | active, ends in 12 days | renew
        """,
        Scene(doubled=frozenset({"gray"})),
    )
    assert [(item.npi, item.mbi, item.rule) for item in result.left_out] == [("3905293015", None, "two_groups")]
