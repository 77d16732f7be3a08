"""What a standing authorisation covers, for whom and for how long."""

from __future__ import annotations

from datetime import timedelta

import pytest

from service.domain.authorisation import (
    DECISION_LASTS,
    LONGEST_STANDING,
    SIGN_OFF_LASTS,
    STATEMENT,
    StandingTerms,
    check_standing,
    is_covered,
    keep_covered,
)
from service.domain.change import Change, ChangeKind, PlannedPatient
from service.domain.errors import InvalidInput
from tests.spec.tables import NOW, NPIS, Row, build_mbi, list_patients, read_span, read_table

GRAY, MOSS = NPIS["gray"], NPIS["moss"]
TOMORROW = NOW + timedelta(days=1)

COVERED = read_table("""
    change    | authorised for | runs out      | covered
    create    | gray           | in 1 day      | yes
    add       | gray           | in 1 day      | yes
    renew     | gray           | in 1 day      | yes
    renew     | everybody      | in 1 day      | yes
    renew     | moss           | in 1 day      | no
    renew     | gray           | in 1 second   | yes
    renew     | gray           | in 0 seconds  | no
    remove    | gray           | in 1 day      | no
    remove    | everybody      | in 1 day      | no
    reinstate | gray           | in 1 day      | no
    overwrite | gray           | in 1 day      | no
""")


@pytest.mark.parametrize(
    "row", COVERED, ids=lambda row: f"{row['change']} for {row['authorised for']} {row['runs out']}"
)
def test_a_standing_authorisation_covers_adds_and_renewals_of_listed_practitioners_until_its_end(row: Row) -> None:
    npis = {"gray": {GRAY}, "moss": {MOSS}, "everybody": set[str]()}[row["authorised for"]]
    terms = StandingTerms(NOW + read_span(row["runs out"].removeprefix("in ")), frozenset(npis))
    change = build_change(ChangeKind(row["change"]), GRAY, 0)
    assert is_covered(change, terms, NOW) is (row["covered"] == "yes")
    assert keep_covered([change], terms, NOW) == ((change,) if row["covered"] == "yes" else ())


def test_what_is_covered_keeps_its_order() -> None:
    changes = [
        build_change(ChangeKind.REGISTER, None, 0, 1),
        build_change(ChangeKind.REMOVE, GRAY, 5),
        build_change(ChangeKind.ADD, GRAY, 0, 1),
        build_change(ChangeKind.REINSTATE, GRAY, 6),
        build_change(ChangeKind.RENEW, GRAY, 7),
    ]
    kept = keep_covered(changes, StandingTerms(TOMORROW), NOW)
    assert kept == (changes[0], changes[2], changes[4])


def test_nobody_is_registered_under_a_standing_authorisation_that_attests_nobody() -> None:
    changes = [build_change(ChangeKind.REGISTER, None, 0), build_change(ChangeKind.REINSTATE, GRAY, 0)]
    assert keep_covered(changes, StandingTerms(TOMORROW), NOW) == ()


def test_only_those_are_registered_whose_attribution_the_authorisation_covers() -> None:
    changes = [
        Change(ChangeKind.REGISTER, None, (), practitioners=(GRAY, MOSS)),
        Change(ChangeKind.REGISTER, None, (), practitioners=(MOSS,)),
        build_change(ChangeKind.REGISTER, None, 0, 1, 2),
        build_change(ChangeKind.CREATE, GRAY, 0, 1),
        build_change(ChangeKind.CREATE, MOSS, 2),
    ]
    kept = keep_covered(changes, StandingTerms(TOMORROW, frozenset({GRAY})), NOW)
    assert [c.kind for c in kept] == [ChangeKind.REGISTER, ChangeKind.REGISTER, ChangeKind.CREATE]
    assert kept[0].practitioners == (GRAY,)
    assert list_patients(kept[1]) == [build_mbi(0), build_mbi(1)]


SPANS = read_table("""
    lasts                | allowed
    0 seconds            | no
    1 second             | yes
    90 days              | yes
    90 days and 1 second | no
""")


@pytest.mark.parametrize("row", SPANS, ids=lambda row: row["lasts"])
def test_a_standing_authorisation_lasts_at_most_ninety_days(row: Row) -> None:
    until_at = NOW + read_span(row["lasts"])
    if row["allowed"] == "yes":
        check_standing(NOW, until_at)
    else:
        with pytest.raises(InvalidInput):
            check_standing(NOW, until_at)


def test_a_standing_authorisation_does_not_end_before_it_begins() -> None:
    with pytest.raises(InvalidInput):
        check_standing(NOW, NOW - timedelta(days=1))


def test_signatures_and_decisions_run_out() -> None:
    assert timedelta(hours=24) == SIGN_OFF_LASTS
    assert timedelta(hours=72) == DECISION_LASTS
    assert timedelta(days=90) == LONGEST_STANDING


def test_a_signature_says_that_there_is_a_treatment_relationship_and_a_purpose_of_treatment() -> None:
    assert "existing treatment relationship" in STATEMENT
    assert "for the purpose of treatment" in STATEMENT


def build_change(kind: ChangeKind, npi: str | None, *places: int) -> Change:
    return Change(kind, npi, tuple(PlannedPatient(build_mbi(place), None, 1, place) for place in places))
