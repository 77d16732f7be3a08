"""Group."""

from __future__ import annotations

from typing import Any

import pytest
from preview_customer import (
    NPI,
    NPI_SYSTEM,
    OTHER_NPI,
    Customer,
    build_group,
    build_patient,
    build_practitioner,
    read_text,
)


def post(customer: Customer, *arguments: Any, **options: Any) -> int:
    return customer.send("POST", "/Group", build_group(*arguments, **options)).status_code


def test_a_group_is_created_in_the_documented_shape(customer: Customer, patients: list[str]) -> None:
    """Preview documentation, Find the Provider Group: one characteristic, NPI under `value`, no period."""
    answer = customer.send("POST", "/Group", build_group(patients[:1]))
    group = answer.json()
    assert (answer.status_code, answer.headers["Location"][-36:]) == (201, group["id"])
    assert group == {"id": group["id"], **build_group(patients[:1])}
    entry = customer.emulator.log()[-1]
    assert (entry["effect"], entry["patients"]) == (True, 1)


def test_the_documented_example_of_merging(customer: Customer, patients: list[str]) -> None:
    """Preview documentation, Update an Attribution Group: one out, one in, the third untouched."""
    first, second, third, _ = patients
    assert post(customer, [first, second]) == 201
    assert post(customer, [third], (first,)) == 200
    assert customer.read_members() == {second, third}


def test_there_is_one_group_for_each_practitioner(customer: Customer, patients: list[str]) -> None:
    """Preview documentation, Update an Attribution Group."""
    customer.create("Practitioner", build_practitioner(OTHER_NPI))
    for npi, ids in ((NPI, patients[:1]), (OTHER_NPI, patients[1:2]), (NPI, patients[2:3])):
        post(customer, ids, npi=npi)
    assert customer.read_members() == {patients[0], patients[2]}
    assert customer.read_members(OTHER_NPI) == {patients[1]}
    assert customer.send("GET", "/Group").json()["total"] == 2


def test_the_search_needs_the_documented_characteristic(customer: Customer, patients: list[str]) -> None:
    """Preview documentation, Find the Provider Group."""
    post(customer, patients[:1])
    assert customer.send("GET", f"/Group?characteristic=other&characteristic-code={NPI}").json()["total"] == 0
    assert customer.send("GET", f"/Group?characteristic=attributed-to&characteristic-code={OTHER_NPI}").json() == {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": 0,
        "entry": [],
    }


def test_an_attribution_ends_after_ninety_days_unless_renewed(customer: Customer, patients: list[str]) -> None:
    """Preview documentation, Attribution: re-attesting gives another ninety days."""
    post(customer, patients[:2])
    customer.emulator.advance("P60D")
    post(customer, patients[:1])
    customer.emulator.advance("P29DT23H59M")
    assert customer.read_members() == set(patients[:2])
    customer.emulator.advance("PT1M")
    assert customer.read_members() == {patients[0]}
    customer.emulator.advance("P60D")
    assert customer.read_members() == set()
    post(customer, patients[1:2])
    assert customer.read_members() == {patients[1]}


def test_removing_somebody_who_is_not_there_changes_nothing(customer: Customer, patients: list[str]) -> None:
    """Preview documentation: `inactive: true` takes out of the list."""
    post(customer, patients[:1])
    assert post(customer, [], (patients[3],)) == 200
    assert customer.read_members() == {patients[0]}


def test_the_shapes_of_fhir_are_read_too(customer: Customer, patients: list[str]) -> None:
    """FHIR STU3: a list of characteristics, the NPI under `code`; and the documentation's wrapper `resource`."""
    group = build_group(patients[:1])
    group["characteristic"]["valueCodeableConcept"]["coding"] = [{"system": NPI_SYSTEM, "code": NPI}]
    group["characteristic"] = [group["characteristic"]]
    assert customer.send("POST", "/Group", group).status_code == 201
    assert customer.send("POST", "/Group", {"resource": build_group(patients[1:2])}).status_code == 200
    assert customer.read_members() == set(patients[:2])


def test_patients_and_practitioner_must_exist(customer: Customer, stranger: Customer, patients: list[str]) -> None:
    """Preview documentation, Create an Attribution Group: once the records have been created."""
    foreign = stranger.create("Patient", build_patient())
    answer = customer.send("POST", "/Group", build_group([patients[0], foreign, "nobody"]))
    assert answer.status_code == 400
    assert read_text(answer) == "All patients in group must exist. Cannot find 2 patient(s)."
    assert post(customer, patients[:1], npi=OTHER_NPI) == 404
    assert customer.send("GET", "/Group").json()["total"] == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"characteristic": None},
        {"characteristic": {"code": {"coding": [{"code": "x"}]}}},
        {"characteristic": "x"},
        {"member": [{"entity": {"reference": "Practitioner/1"}}]},
        {"member": [{}]},
    ],
)
def test_a_group_without_practitioner_or_with_strange_members_is_422(
    customer: Customer, patients: list[str], changes: dict[str, Any]
) -> None:
    """Preview documentation, Create an Attribution Group: at a minimum."""
    assert customer.send("POST", "/Group", build_group(patients) | changes).status_code == 422


def test_a_practitioner_has_a_limit_of_patients(customer: Customer, patients: list[str]) -> None:
    """Preview documentation, Attribution: 5,000, or fewer if the emulator is told so; nothing is kept."""
    customer.emulator.set_limits(patient_limit=2)
    assert post(customer, patients[:2]) == 201
    answer = customer.send("POST", "/Group", build_group(patients[2:3]))
    assert (answer.status_code, read_text(answer)) == (400, "Roster limit reached")
    assert customer.read_members() == set(patients[:2])
    assert post(customer, patients[2:3], (patients[0],)) == 200


def test_a_deleted_patient_leaves_the_group(customer: Customer, patients: list[str]) -> None:
    """Nobody can be attributed who is not there."""
    post(customer, patients[:2])
    customer.send("DELETE", f"/Patient/{patients[0]}")
    assert customer.read_members() == {patients[1]}
