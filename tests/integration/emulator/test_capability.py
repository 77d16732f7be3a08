"""What the server says about itself."""

from __future__ import annotations

import re

from emulator_customer import FHIR, Customer, read_text


def test_metadata_is_public_and_names_the_version(customer: Customer) -> None:
    """contract-v1 11."""
    answer = customer.send("GET", "/metadata", headers={"Authorization": None, "Accept": "*/*"})
    statement = answer.json()
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, FHIR)
    assert (statement["kind"], statement["fhirVersion"]) == ("instance", "3.0.2")
    assert statement["implementation"]["url"] == customer.emulator.v1_url


def test_metadata_as_json_is_a_406(customer: Customer) -> None:
    """contract-v1 11."""
    assert customer.send("GET", "/metadata", headers={"Accept": "application/json"}).status_code == 406


def test_version_is_text(customer: Customer) -> None:
    """contract-v1 11."""
    answer = customer.send("GET", "/version", headers={"Authorization": None, "Accept": "text/plain"})
    assert answer.status_code == 200
    assert re.fullmatch(r"\w{7}\..+", answer.text)


def test_metadata_overstates(customer: Customer) -> None:
    """contract-v1 11: Practitioner update and an Endpoint are listed; neither is there."""
    rest = customer.send("GET", "/metadata").json()["rest"][0]
    codes = {one["type"]: {entry["code"] for entry in one["interaction"]} for one in rest["resource"]}
    assert set(codes) == {"Endpoint", "Group", "Organization", "Patient", "Practitioner", "StructureDefinition"}
    assert "update" in codes["Practitioner"]
    assert codes["Endpoint"] == {"read", "search-type"}
    assert customer.send("GET", "/Endpoint").status_code == 404


def test_the_profiles_are_public(customer: Customer) -> None:
    """contract-v1 11: six of them, each under its id."""
    nobody: dict[str, str | None] = {"Authorization": None}
    bundle = customer.send("GET", "/StructureDefinition", headers=nobody).json()
    names = [entry["resource"]["id"].removeprefix("dpc-profile-") for entry in bundle["entry"]]
    assert sorted(names) == ["address", "attestation", "attribution-roster", "organization", "patient", "practitioner"]
    for entry in bundle["entry"]:
        answer = customer.send("GET", f"/StructureDefinition/{entry['resource']['id']}", headers=nobody)
        assert (answer.status_code, answer.headers["Content-Type"], answer.json()) == (200, FHIR, entry["resource"])
        assert answer.json()["url"].endswith(f"/StructureDefinition/{answer.json()['id']}")


def test_the_patient_profile_says_what_post_demands(customer: Customer) -> None:
    """contract-v1 8 and 11."""
    elements = customer.send("GET", "/StructureDefinition/dpc-profile-patient").json()["differential"]["element"]
    required = {one["path"] for one in elements if one.get("min") == 1}
    assert {"Patient.gender", "Patient.birthDate", "Patient.name.family", "Patient.name.given"} <= required


def test_an_unknown_profile_is_a_404(customer: Customer) -> None:
    """contract-v1 11."""
    answer = customer.send("GET", "/StructureDefinition/dpc-profile-endpoint")
    text = "Cannot find Structure Definition with ID: dpc-profile-endpoint"
    assert (answer.status_code, read_text(answer)) == (404, text)
    assert customer.send("GET", "/StructureDefinition", headers={"Accept": "application/json"}).status_code == 415
