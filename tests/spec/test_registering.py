"""Whom DPC must know first, and who cannot be made known."""

from __future__ import annotations

from datetime import date

import pytest

from service.domain.demographics import is_registrable_name, is_registrable_patient
from tests.spec.tables import Scene, check_plan, describe_changes, read_table


def test_a_patient_is_registered_before_the_attribution_and_only_when_described() -> None:
    result = check_plan("""
        patient | roster             | at DPC               | expected
        ann     | listed 3 days ago  | absent               | add
        bob     | listed 3 days ago  | unknown, described   | register, add
        cay     | listed 3 days ago  | unknown, undescribed | left out: demographics missing
        dee     | listed 50 days ago | unknown, described   | left out: stale evidence
        eve     | ended 1 day ago    | unknown, described   | nothing
    """)
    assert describe_changes(result) == ["register 1", "add 2"]


def test_a_practitioner_whom_dpc_does_not_know_is_registered_when_their_name_is_known() -> None:
    result = check_plan(
        """
        patient | roster            | at DPC             | expected
        ann     | listed 3 days ago | unknown, described | register, create
        """,
        Scene(without_group=frozenset({"gray"}), unknown_practitioners=frozenset({"gray"})),
    )
    assert describe_changes(result) == ["register 1", "register 1", "create 1"]
    assert result.changes[0].practitioners == ("3905293015",)


def test_a_practitioner_without_a_name_gets_no_patient_and_nobody_is_registered_for_nothing() -> None:
    result = check_plan(
        """
        patient | roster            | at DPC             | expected
        ann     | listed 3 days ago | unknown, described | left out: practitioner undescribed
        bob     | listed 3 days ago | absent             | left out: practitioner undescribed
        """,
        Scene(without_group=frozenset({"gray"}), undescribed_practitioners=frozenset({"gray"})),
    )
    assert result.changes == ()


def test_a_patient_of_two_practitioners_is_registered_once() -> None:
    result = check_plan(
        """
        practitioner | patient | roster            | at DPC             | expected
        gray         | ann     | listed 3 days ago | unknown, described | register, add
        moss         | ann     | listed 3 days ago | unknown, described | register, add
        """,
    )
    assert describe_changes(result) == ["register 1", "add 1", "add 1"]


PEOPLE = read_table("""
    given | family | born       | gender | registrable
    Ann   | Moss   | 1939-02-28 | female | yes
          | Moss   | 1939-02-28 | female | no
    Ann   |        | 1939-02-28 | female | no
    Ann   | Moss   |            | female | no
    Ann   | Moss   | 1939-02-28 |        | no
    Ann   | <Moss> | 1939-02-28 | female | no
""")


def test_a_patient_is_described_by_name_birth_date_and_gender() -> None:
    for row in PEOPLE:
        born_on = date.fromisoformat(row["born"]) if row["born"] else None
        found = is_registrable_patient(row["given"] or None, row["family"], born_on, row["gender"] or None)
        assert found is (row["registrable"] == "yes"), row


NAMES = read_table("""
    name        | registrable
    Mary Ann    | yes
    Smith & Son | yes
    Smith&Son   | no
    Smith &Son  | no
    Smith& Son  | no
    <b>Ann      | no
    Ann>        | no
                | no
""")


@pytest.mark.parametrize("row", NAMES, ids=lambda row: row["name"] or "empty")
def test_a_name_that_dpc_would_take_for_markup_cannot_be_registered(row: dict[str, str]) -> None:
    assert is_registrable_name(row["name"]) is (row["registrable"] == "yes")
