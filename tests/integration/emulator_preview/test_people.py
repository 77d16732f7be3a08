"""Patient and Practitioner."""

from __future__ import annotations

from typing import Any

import pytest
from preview_customer import NPI, NPI_SYSTEM, Customer, build_mbi, build_patient, build_practitioner

KINDS = [("Patient", build_patient()), ("Practitioner", build_practitioner())]


@pytest.mark.parametrize(("kind", "body"), KINDS)
def test_it_is_created_read_replaced_and_deleted(customer: Customer, kind: str, body: dict[str, Any]) -> None:
    """Preview documentation, Create a Provider, Create a Patient: the server gives the id."""
    answer = customer.send("POST", f"/{kind}", {**body, "id": "mine"})
    created = answer.json()
    path = f"/{kind}/{created['id']}"
    assert (answer.status_code, answer.headers["Location"]) == (201, customer.emulator.preview_url + path)
    assert created["id"] != "mine"
    assert customer.send("GET", path).json() == created
    changed = {**body, "name": [{"family": "Renamed", "given": ["Ada"]}]}
    assert customer.send("PUT", path, changed).json()["name"] == changed["name"]
    assert customer.send("GET", path).json()["name"] == changed["name"]
    assert customer.send("DELETE", path).status_code == 200
    assert customer.send("GET", path).status_code == 404


@pytest.mark.parametrize(("kind", "body"), KINDS)
def test_it_is_found_by_its_identifier(customer: Customer, kind: str, body: dict[str, Any]) -> None:
    """Preview documentation, DPC Metadata: search-type with identifier."""
    person_id = customer.create(kind, body)
    value = body["identifier"][0]["value"]
    for wanted in (value, f"{body['identifier'][0]['system']}|{value}"):
        bundle = customer.send("GET", f"/{kind}?identifier={wanted}").json()
        assert (bundle["type"], bundle["total"]) == ("searchset", 1)
        assert bundle["entry"][0]["resource"]["id"] == person_id
    assert customer.send("GET", f"/{kind}?identifier=other").json()["total"] == 0
    assert customer.send("GET", f"/{kind}").json()["total"] == 1


def test_the_same_identifier_is_the_same_record(customer: Customer) -> None:
    """The documentation is silent; the record that is there is answered."""
    person_id = customer.create("Patient", build_patient())
    again = customer.send("POST", "/Patient", build_patient(name=[{"family": "Other", "given": ["Pat"]}]))
    assert (again.status_code, again.json()["id"], again.json()["name"][0]["family"]) == (200, person_id, "Sample")


def test_the_number_of_the_claims_server_identifies_a_patient_too(customer: Customer) -> None:
    """Preview documentation, Create a Patient: the text says MBI, the example sends bene_id."""
    identifier = [{"system": "http://bluebutton.cms.hhs.gov/identifier#bene_id", "value": "20000000001809"}]
    assert customer.send("POST", "/Patient", build_patient(identifier=identifier)).status_code == 201


def test_npis_are_not_checked(customer: Customer) -> None:
    """Preview documentation, Create a Provider: the example has nineteen digits."""
    assert customer.send("POST", "/Practitioner", build_practitioner("3116145044854423862")).status_code == 201


@pytest.mark.parametrize(
    "changes",
    [
        {"identifier": None},
        {"identifier": [{"system": NPI_SYSTEM, "value": NPI}]},
        {"name": None},
        {"name": [{"family": "Sample"}]},
        {"birthDate": None},
        {"birthDate": "1940-02-30"},
    ],
)
def test_a_patient_has_an_mbi_two_names_and_a_birth_date(customer: Customer, changes: dict[str, Any]) -> None:
    """Preview documentation, Create a Patient: at a minimum."""
    assert customer.send("POST", "/Patient", build_patient(**changes)).status_code == 422


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b'{"resourceType": "Group"}'])
def test_another_body_is_a_400(customer: Customer, body: bytes) -> None:
    """Not a Patient at all."""
    assert customer.send("POST", "/Patient", body).status_code == 400


def test_the_identifier_cannot_change(customer: Customer) -> None:
    """The documentation is silent; the id must go on meaning the same person."""
    person_id = customer.create("Patient", build_patient(1))
    assert customer.send("PUT", f"/Patient/{person_id}", build_patient(2)).status_code == 422


def test_organizations_do_not_see_one_anothers_people(customer: Customer, stranger: Customer) -> None:
    """Preview documentation: each organisation keeps its own list."""
    person_id = customer.create("Patient", build_patient())
    assert stranger.send("GET", f"/Patient/{person_id}").status_code == 404
    assert stranger.send("DELETE", f"/Patient/{person_id}").status_code == 404
    assert stranger.send("GET", f"/Patient?identifier={build_mbi(1)}").json()["total"] == 0
