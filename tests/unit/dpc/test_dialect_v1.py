"""Bodies are what the contract asks for, and answers are read whatever DPC leaves out."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import orjson
import pytest

from service.dpc.dialects import v1
from service.dpc.records import NewPatient, NewPractitioner, PatientRecord

NPI = "2459425221"
PATIENTS = [str(UUID(int=number)) for number in range(1, 4)]


def build_group_answer(**changed: Any) -> dict[str, Any]:
    coding = {"system": v1.NPI_SYSTEM, "code": NPI}
    return {
        "resourceType": "Group",
        "id": "g",
        "characteristic": [
            {
                "code": {"coding": [{"code": "attributed-to"}]},
                "valueCodeableConcept": {"coding": [coding]},
                "exclude": False,
            }
        ],
        **changed,
    }


def build_member(patient_id: str, inactive: bool = False) -> dict[str, Any]:
    period = {"start": "2026-08-21T12:00:00+00:00", "end": "2026-11-19T12:00:00+00:00"}
    return {"entity": {"reference": f"Patient/{patient_id}"}, "period": period, "inactive": inactive}


@pytest.mark.parametrize("count", [1, 3])
def test_the_group_text_is_the_group_that_a_serialiser_would_write(count: int) -> None:
    expected = {
        "resourceType": "Group",
        "type": "person",
        "actual": True,
        "characteristic": [
            {
                "code": {"coding": [{"code": "attributed-to"}]},
                "valueCodeableConcept": {"coding": [{"system": v1.NPI_SYSTEM, "code": NPI}]},
                "exclude": False,
            }
        ],
        "member": [{"entity": {"reference": f"Patient/{patient}"}} for patient in PATIENTS[:count]],
    }
    body = v1.build_group(NPI, PATIENTS[:count])
    assert json.loads(body) == expected
    assert body == orjson.dumps(expected)


def test_patients_are_submitted_in_a_bundle_in_parameters() -> None:
    patient = NewPatient("1S00E00AA00", "Anna", "Example & Sons", date(1940, 2, 1), "female")
    tree = json.loads(v1.build_patients([patient]))
    assert tree["resourceType"] == "Parameters"
    bundle = tree["parameter"][0]["resource"]
    assert bundle["entry"] == [
        {
            "resource": {
                "resourceType": "Patient",
                "identifier": [{"system": v1.MBI_SYSTEM, "value": "1S00E00AA00"}],
                "name": [{"family": "Example & Sons", "given": ["Anna"]}],
                "gender": "female",
                "birthDate": "1940-02-01",
            }
        }
    ]


def test_practitioners_are_submitted_in_a_bundle_in_parameters() -> None:
    tree = json.loads(v1.build_practitioners([NewPractitioner(NPI, "Gale", "Sample")]))
    (entry,) = tree["parameter"][0]["resource"]["entry"]
    assert entry["resource"]["identifier"] == [{"system": v1.NPI_SYSTEM, "value": NPI}]


def test_a_group_is_read_with_its_inactive_rows() -> None:
    tree = build_group_answer(member=[build_member(PATIENTS[0]), build_member(PATIENTS[1].upper(), inactive=True)])
    group = v1.read_group(tree)
    assert (group.group_id, group.npi) == ("g", NPI)
    assert [(row.patient_id, row.inactive) for row in group.members] == [(PATIENTS[0], False), (PATIENTS[1], True)]
    assert group.members[0].start_at == datetime(2026, 8, 21, 12, tzinfo=UTC)
    assert group.members[0].end_at == datetime(2026, 11, 19, 12, tzinfo=UTC)


def test_an_empty_group_has_no_member_key_and_no_rows() -> None:
    assert v1.read_group(build_group_answer()).members == ()


@pytest.mark.parametrize(
    "tree",
    [
        {"resourceType": "Patient"},
        build_group_answer(characteristic=[]),
        build_group_answer(id=None) | {"characteristic": [{"code": {"coding": []}}]},
        build_group_answer(member=[{"entity": {"reference": "Patient/1"}}]),
        build_group_answer(member=[build_member(PATIENTS[0]) | {"period": {"start": "2026-08-21T12:00:00"}}]),
        build_group_answer(member=[{k: v for k, v in build_member(PATIENTS[0]).items() if k != "inactive"}]),
    ],
)
def test_a_group_that_lacks_what_counts_is_not_read(tree: dict[str, Any]) -> None:
    with pytest.raises((ValueError, KeyError)):
        v1.read_group(tree)


def test_an_instant_without_an_offset_is_not_guessed() -> None:
    with pytest.raises(ValueError, match="offset"):
        v1.read_instant("2026-08-21T12:00:00")
    assert v1.read_instant("2026-08-21T07:00:00-05:00") == datetime(2026, 8, 21, 12, tzinfo=UTC)


def test_a_bundle_without_results_has_no_entry_key() -> None:
    assert v1.read_resources({"resourceType": "Bundle", "total": 0}, "Group") == []


@pytest.mark.parametrize(
    "tree",
    [
        {"resourceType": "OperationOutcome"},
        {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient"}}]},
        {"resourceType": "Bundle", "total": 2, "entry": [{"resource": {"resourceType": "Group"}}]},
    ],
)
def test_a_bundle_that_is_none_or_holds_other_things_or_too_few_is_not_read(tree: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="Bundle"):
        v1.read_resources(tree, "Group")


PATIENT = {
    "resourceType": "Patient",
    "id": PATIENTS[0],
    "identifier": [{"value": "no system"}, {"system": v1.MBI_SYSTEM, "value": "1s00e00aa00"}],
    "name": [{"family": "Example", "given": ["Anna", "B"]}],
    "gender": "female",
    "birthDate": "1940-02-01",
}


def test_a_patient_is_read_with_an_upper_case_mbi() -> None:
    record = PatientRecord(PATIENTS[0], "1S00E00AA00", "Anna B", "Example", date(1940, 2, 1), "female")
    assert v1.read_patient(PATIENT) == record


def test_patient_values_never_show_in_a_repr() -> None:
    shown = repr(v1.read_patient(PATIENT)) + repr(
        NewPatient("1S00E00AA00", "Anna", "Example", date(1940, 2, 1), "female")
    )
    for secret in ("1S00E00AA00", "Anna", "Example", "1940", "female"):
        assert secret not in shown


def test_an_organization_is_read_bare_and_from_the_bundle_that_dpc_sends() -> None:
    organization = {
        "resourceType": "Organization",
        "id": "o",
        "identifier": [{"system": v1.NPI_SYSTEM, "value": NPI, "use": "official"}],
        "name": "Lakeside",
        "address": [{"use": "work"}],
    }
    bundle = {"resourceType": "Bundle", "total": 1, "entry": [{"resource": organization}]}
    for tree in (organization, bundle):
        record = v1.read_organization(tree)
        assert (record.organization_id, record.npi, record.name) == ("o", NPI, "Lakeside")
    with pytest.raises(ValueError, match="identifier"):
        v1.read_organization({**organization, "identifier": None})


def test_only_a_next_link_says_that_there_is_another_page() -> None:
    assert v1.has_next_page({"link": [{"relation": "self", "url": "x"}, {"relation": "next", "url": "y"}]})
    assert not v1.has_next_page({"link": [{"relation": "previous", "url": "x"}]})
    assert not v1.has_next_page({})


def test_keys_and_client_tokens_are_read_with_aware_times() -> None:
    tree = {"id": "k", "label": "one", "createdAt": "2026-08-21T12:00:00.123+00:00", "unknown": 1}
    assert v1.read_key(tree).created_at == datetime(2026, 8, 21, 12, 0, 0, 123000, tzinfo=UTC)
    token = v1.read_client_token({**tree, "expiresAt": "2027-08-21T12:00:00.123+00:00", "token": "secret"})
    assert token.expires_at is not None
    assert "secret" not in repr(token)
    with pytest.raises(ValueError, match="id"):
        v1.read_key({"label": "one"})
