"""Organization."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from emulator_customer import FHIR, NPI_SYSTEM, Customer, build_npi, build_parameters, read_text

ADDRESS = {
    "use": "work",
    "type": "both",
    "line": ["2 Example Street"],
    "city": "Springfield",
    "state": "IL",
    "postalCode": "62701",
    "country": "US",
}


def build_organization(npi: str = build_npi(310000001), **changes: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "resourceType": "Organization",
        "identifier": [{"system": NPI_SYSTEM, "value": npi}],
        "name": "Renamed Practice",
        "address": [ADDRESS],
    }
    return body | changes


def test_the_list_is_a_collection_of_one(customer: Customer) -> None:
    """contract-v1 6."""
    bundle = customer.send("GET", "/Organization").json()
    assert (bundle["type"], bundle["total"], len(bundle["entry"])) == ("collection", 1, 1)
    organization = bundle["entry"][0]["resource"]
    assert organization["id"] == customer.organization_id
    assert not {"meta", "endpoint"} & set(organization)
    assert customer.send("GET", f"/Organization/{customer.organization_id}").json() == organization


def test_another_organisation_is_a_401_not_a_404(customer: Customer, stranger: Customer) -> None:
    """contract-v1 3.1."""
    for other in (stranger.organization_id, str(uuid.uuid4())):
        answer = customer.send("GET", f"/Organization/{other}")
        assert (answer.status_code, answer.headers["Content-Type"]) == (401, FHIR)


def test_put_answers_the_new_state(customer: Customer) -> None:
    """contract-v1 6."""
    path = f"/Organization/{customer.organization_id}"
    answer = customer.send("PUT", path, build_organization())
    assert (answer.status_code, answer.json()["name"]) == (200, "Renamed Practice")
    assert customer.send("GET", path).json() == answer.json()


def test_put_needs_one_npi_and_one_whole_address(customer: Customer) -> None:
    """contract-v1 6."""
    path = f"/Organization/{customer.organization_id}"
    for changes, expected in (
        ({"identifier": []}, "Organization.identifier"),
        ({"address": []}, "Organization.address: minimum"),
        ({"address": [ADDRESS, ADDRESS]}, "Organization.address: max"),
        ({"address": [{**ADDRESS, "use": None}]}, "Organization.address.use"),
        ({"address": [{**ADDRESS, "text": "x"}]}, "Organization.address.text"),
    ):
        answer = customer.send("PUT", path, build_organization(**changes))
        assert (answer.status_code, expected in read_text(answer)) == (422, True)


def test_an_organisations_token_is_no_admin(customer: Customer) -> None:
    """contract-v1 3.2, third row: the text form."""
    for method, path in (
        ("POST", "/Organization/$submit"),
        ("DELETE", f"/Organization/{customer.organization_id}"),
        ("GET", "/Admin/Organization?npis=1"),
    ):
        answer = customer.send(method, path)
        assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (401, "text/plain")


@pytest.mark.control
def test_the_golden_macaroon_registers_finds_and_deletes(customer: Customer) -> None:
    """contract-v1 6."""
    golden: dict[str, str | None] = {"Authorization": f"Bearer {customer.emulator.golden_macaroon()}"}
    npi = build_npi(330000001)
    wrong = customer.send("POST", "/Organization/$submit", build_parameters([]), headers=golden)
    assert (wrong.status_code, read_text(wrong)) == (400, "Bundle must include Organization")
    created = customer.send(
        "POST", "/Organization/$submit", build_parameters([build_organization(npi)]), headers=golden
    )
    assert (created.status_code, created.json()["resourceType"]) == (200, "Organization")
    found = customer.send("GET", f"/Admin/Organization?npis=x,{npi}", headers=golden).json()
    assert [one["resource"]["id"] for one in found["entry"]] == [created.json()["id"]]
    path = f"/Organization/{created.json()['id']}"
    assert customer.send("DELETE", path, headers=golden).status_code == 200
    assert customer.send("GET", f"/Admin/Organization?npis={npi}", headers=golden).json()["total"] == 0


@pytest.mark.control
def test_deleting_an_organisation_takes_everything_it_had(customer: Customer) -> None:
    """contract-v1 6."""
    golden: dict[str, str | None] = {"Authorization": f"Bearer {customer.emulator.golden_macaroon()}"}
    customer.create_group(customer.create_practitioner(), [customer.create_patient()])
    assert customer.send("DELETE", f"/Organization/{customer.organization_id}", headers=golden).status_code == 200
    assert customer.send("GET", "/Patient").status_code == 401
