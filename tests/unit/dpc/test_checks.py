"""What DPC would refuse opaquely, or accept wrongly, is refused before anything is sent."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import orjson
import pytest

from service.domain.errors import AttestationRefused, InvalidInput
from service.dpc import checks
from service.dpc.records import AttributionState, GroupState, NewPatient, NewPractitioner

ORGANIZATION = "46ac7ad6-7487-4dd0-baa0-6e2c8cae76a0"
PRACTITIONER = "9b2bbb9e-7d6b-4d6c-bd2a-000000000001"
PATIENT = "0f2bbb9e-7d6b-4d6c-bd2a-000000000001"
OTHER = "0f2bbb9e-7d6b-4d6c-bd2a-000000000002"
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def build_new_patient(given: str = "Anna", family: str = "Example", mbi: str = "1S00E00AA00") -> NewPatient:
    return NewPatient(mbi, given, family, date(1940, 2, 1), "female")


def build_provenance(organization: str = ORGANIZATION, **changed: object) -> str:
    agent = {
        "whoReference": {"reference": f"Organization/{organization}"},
        "onBehalfOfReference": {"reference": f"Practitioner/{PRACTITIONER}"},
    }
    return orjson.dumps({"resourceType": "Provenance", "agent": [agent], **changed}).decode()


@pytest.mark.parametrize("name", ["A&B", "A& B", "<b>", "A > B", "A&amp;B", "Tab\there", "", "  "])
def test_names_that_dpc_refuses_opaquely_are_refused_here(name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        checks.check_new_patients([build_new_patient(given=name)])
    assert "Patient 1" in caught.value.message
    with pytest.raises(InvalidInput):
        checks.check_new_practitioners([NewPractitioner("2459425221", "Given", name)])


@pytest.mark.parametrize("name", ["A & B", "O'Neill", "Åsa-Märta", "李"])
def test_ordinary_names_pass(name: str) -> None:
    checks.check_new_patients([build_new_patient(given=name)])


@pytest.mark.parametrize("mbi", ["1s00E00AA00", "1S00-E00-AA00", "1S00E00AA0", "1S00E00AA000", "ASOOEOOAAOO"])
def test_an_mbi_of_the_wrong_shape_is_refused_without_being_repeated(mbi: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        checks.check_new_patients([build_new_patient(mbi=mbi)])
    assert mbi not in str(caught.value)


def test_the_same_patient_twice_or_nobody_is_refused() -> None:
    with pytest.raises(InvalidInput):
        checks.check_new_patients([build_new_patient(), build_new_patient()])
    with pytest.raises(InvalidInput):
        checks.check_new_patients([])


@pytest.mark.parametrize("npi", ["2459425221", "1111111112"])
def test_an_npi_with_the_right_check_digit_passes(npi: str) -> None:
    checks.check_npi(npi)


@pytest.mark.parametrize("npi", ["2459425222", "245942522", "24594252211", "245942522X", ""])
def test_an_npi_with_a_wrong_check_digit_or_length_is_refused(npi: str) -> None:
    with pytest.raises(InvalidInput):
        checks.check_npi(npi)


@pytest.mark.parametrize(
    "ids", [[], [PATIENT, PATIENT], [PATIENT.upper()], [f"Patient/{PATIENT}"], ["1"], [PATIENT + "\n"], [""]]
)
def test_patient_ids_in_another_spelling_twice_or_none_are_refused(ids: list[str]) -> None:
    with pytest.raises(InvalidInput):
        checks.check_patient_ids(ids)


def test_a_provenance_names_the_practitioner_it_speaks_for() -> None:
    assert checks.check_provenance(build_provenance(), ORGANIZATION) == PRACTITIONER


@pytest.mark.parametrize(
    "provenance",
    [
        build_provenance(organization=OTHER),
        build_provenance(resourceType="Patient"),
        build_provenance(agent=[]),
        build_provenance(note="é"),
        build_provenance() + "\n",
        build_provenance().replace(",", ",\r\nX-Other: 1"),
        "not JSON",
        "[]",
        "",
    ],
)
def test_a_provenance_that_says_something_else_is_refused(provenance: str) -> None:
    with pytest.raises(AttestationRefused):
        checks.check_provenance(provenance, ORGANIZATION)


def test_headers_near_the_servers_limit_are_refused() -> None:
    checks.check_headers_size({"X-Provenance": "x" * 5000})
    with pytest.raises(AttestationRefused):
        checks.check_headers_size({"X-Provenance": "x" * 4500, "Authorization": "y" * 1700})


def build_group(*rows: tuple[str, bool, timedelta]) -> GroupState:
    members = tuple(AttributionState(who, NOW, NOW + lasts, inactive) for who, inactive, lasts in rows)
    return GroupState("1", "2459425221", members)


FULL = timedelta(days=90)


def test_an_attested_answer_shows_every_patient_active_for_ninety_days() -> None:
    group = build_group((PATIENT, False, FULL), (OTHER, True, FULL))
    checks.check_attested(group, [PATIENT], NOW)
    for wrong in ([OTHER], [PATIENT, OTHER]):
        with pytest.raises(ValueError, match="1 of"):
            checks.check_attested(group, wrong, NOW)


def test_an_old_period_does_not_prove_a_renewal() -> None:
    group = build_group((PATIENT, False, timedelta(days=15)))
    with pytest.raises(ValueError, match="missing"):
        checks.check_attested(group, [PATIENT], NOW)


def test_a_replaced_group_holds_nobody_else() -> None:
    group = build_group((PATIENT, False, FULL), (OTHER, True, FULL))
    with pytest.raises(ValueError, match="others"):
        checks.check_replaced(group, [PATIENT], NOW)
    checks.check_replaced(build_group((PATIENT, False, FULL)), [PATIENT], NOW)


def test_a_removed_patient_is_listed_as_inactive() -> None:
    checks.check_removed(build_group((PATIENT, True, timedelta())), [PATIENT])
    for group in (build_group(), build_group((PATIENT, False, timedelta()))):
        with pytest.raises(ValueError, match="missing"):
            checks.check_removed(group, [PATIENT])


def test_an_answer_about_another_group_is_noticed() -> None:
    group = build_group()
    checks.check_same_group(group, "1", "2459425221")
    checks.check_same_group(group, None, "2459425221")
    for group_id, npi in (("2", "2459425221"), ("1", "1111111112")):
        with pytest.raises(ValueError, match="another"):
            checks.check_same_group(group, group_id, npi)
