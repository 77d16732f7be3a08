"""Practitioner."""

from __future__ import annotations

import uuid

import pytest
from emulator_customer import (
    NPI_SYSTEM,
    Customer,
    Scene,
    build_npi,
    build_parameters,
    build_patient,
    build_practitioner,
    read_text,
)

NPI = build_npi(300000001)


@pytest.mark.control
def test_a_new_practitioner_is_a_201_with_location(customer: Customer) -> None:
    """contract-v1 7."""
    body = build_practitioner(NPI) | {
        "id": "mine",
        "name": [{"family": "Doctor", "given": ["Ada", "B"], "prefix": ["Dr"]}],
    }
    answer = customer.send("POST", "/Practitioner", body)
    created = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"].endswith(f"/v1/Practitioner/{created['id']}")
    assert "Last-Modified" in answer.headers
    assert created == {
        "resourceType": "Practitioner",
        "id": str(uuid.UUID(created["id"])),
        "meta": {
            "lastUpdated": customer.emulator.now().isoformat(timespec="milliseconds"),
            "profile": ["https://dpc.cms.gov/api/v1/StructureDefinition/dpc-profile-practitioner"],
        },
        "identifier": [{"system": NPI_SYSTEM, "value": NPI}],
        "name": [{"family": "Doctor", "given": ["Ada B"]}],
    }
    assert customer.send("GET", f"/Practitioner/{created['id']}").json() == created


def test_a_known_npi_answers_200_with_what_is_stored(customer: Customer) -> None:
    """contract-v1 7."""
    first = customer.create_practitioner(NPI, "First")
    answer = customer.send("POST", "/Practitioner", build_practitioner(NPI, "Second"))
    assert (answer.status_code, answer.json()) == (200, first)


def test_the_same_npi_in_two_organisations_is_two_practitioners(customer: Customer, stranger: Customer) -> None:
    """contract-v1 5."""
    assert customer.create_practitioner(NPI)["id"] != stranger.create_practitioner(NPI)["id"]


@pytest.mark.parametrize("npi", ["1234567890", "123", "123456789X", "110001029483"])
def test_an_npi_without_its_check_digit_is_an_opaque_400(customer: Customer, npi: str) -> None:
    """contract-v1 2.4 b and 7."""
    answer = customer.send("POST", "/Practitioner", build_practitioner(npi))
    assert answer.status_code == 400
    assert answer.json()["issue"] == [{"severity": "error", "code": "exception", "diagnostics": "HTTP 400 Bad Request"}]


@pytest.mark.parametrize(("family", "status"), [("A<b>B", 400), ("A&B", 400), ("A & B", 201), ("O'Neil-Ü", 201)])
def test_html_in_a_name_is_an_opaque_400(customer: Customer, family: str, status: int) -> None:
    """contract-v1 1.4."""
    assert customer.send("POST", "/Practitioner", build_practitioner(NPI, family)).status_code == status


def test_the_profile_wants_one_npi_and_whole_names(customer: Customer) -> None:
    """contract-v1 2.2 b and 7."""
    body = {"resourceType": "Practitioner", "name": [{"family": "F"}]}
    answer = customer.send("POST", "/Practitioner", body)
    texts = [issue["details"]["text"] for issue in answer.json()["issue"]]
    assert answer.status_code == 422
    assert all(
        text.startswith("The request body {gov.cms.dpc.fhir.validations.ProfileValidator.") and text.endswith("}")
        for text in texts
    )
    assert ["Practitioner.identifier:" in texts[0], "Practitioner.name.given" in texts[1], len(texts)] == [
        True,
        True,
        2,
    ]
    twice = build_practitioner(NPI)
    twice["identifier"] *= 2
    assert "max allowed = 1, but found 2" in read_text(customer.send("POST", "/Practitioner", twice))
    unknown = build_practitioner(NPI) | {"meta": {"profile": ["https://example.org/profile"]}}
    assert customer.send("POST", "/Practitioner", unknown).status_code == 422


@pytest.mark.control
def test_at_the_limit_even_a_known_one_is_refused(customer: Customer) -> None:
    """contract-v1 7: counted before the duplicate check."""
    customer.create_practitioner(NPI)
    customer.emulator.set_limits(provider_limit=1)
    answer = customer.send("POST", "/Practitioner", build_practitioner(NPI))
    assert answer.status_code == 422
    assert answer.json()["issue"] == [
        {"severity": "error", "code": "business-rule", "diagnostics": "Provider limit reached"}
    ]
    submitted = customer.send(
        "POST", "/Practitioner/$submit", build_parameters([build_practitioner(build_npi(300000002))])
    )
    assert submitted.status_code == 200


def test_the_search_takes_the_bare_npi_only(customer: Customer, stranger: Customer) -> None:
    """contract-v1 7."""
    stranger.create_practitioner(NPI)
    own = customer.create_practitioner(NPI)
    customer.create_practitioner(build_npi(300000002))
    found = customer.send("GET", f"/Practitioner?identifier={NPI}").json()
    assert found == {"resourceType": "Bundle", "type": "searchset", "total": 1, "entry": [{"resource": own}]}
    nothing = customer.send("GET", f"/Practitioner?identifier={NPI_SYSTEM}|{NPI}").json()
    assert nothing == {"resourceType": "Bundle", "type": "searchset", "total": 0}
    assert customer.send("GET", "/Practitioner?identifier=").json()["total"] == 2


def test_update_is_not_implemented(customer: Customer) -> None:
    """contract-v1 7."""
    path = f"/Practitioner/{customer.create_practitioner(NPI)['id']}"
    answer = customer.send("PUT", path, build_practitioner(NPI))
    assert (answer.status_code, read_text(answer)) == (501, "Update Practitioner not yet implemented.")
    assert customer.send("PUT", path, {"resourceType": "Practitioner"}).status_code == 422


def test_delete_takes_the_groups_along(roster: Scene) -> None:
    """contract-v1 7."""
    answer = roster.customer.send("DELETE", f"/Practitioner/{roster.practitioner['id']}")
    assert (answer.status_code, answer.content) == (200, b"")
    assert roster.customer.send("GET", f"/Group/{roster.group_id}").status_code == 404


def test_submit_answers_new_ones_first_then_known_ones(customer: Customer) -> None:
    """contract-v1 7."""
    known = customer.create_practitioner(NPI, "Stored")
    fresh = build_npi(300000002)
    bundle = [build_practitioner(NPI, "Sent"), build_patient("1S00E00AA00"), build_practitioner(fresh)]
    answer = customer.send("POST", "/Practitioner/$submit", build_parameters(bundle))
    result = answer.json()
    assert (answer.status_code, result["type"], "total" in result) == (200, "collection", False)
    assert result["entry"][1]["resource"] == known
    assert result["entry"][0]["resource"]["identifier"][0]["value"] == fresh


@pytest.mark.control
def test_submit_is_all_or_nothing(customer: Customer) -> None:
    """contract-v1 7."""
    good = build_practitioner(NPI)
    for bundle, status, text in (
        ([good, {"resourceType": "Practitioner"}], 422, "Practitioner.name: minimum required = 1"),
        ([good, build_practitioner("1")], 400, "HTTP 400 Bad Request"),
        ([good, good], 400, "duplicate key value violates unique constraint"),
        ([good | {"id": "x"}], 500, "Could not insert resource"),
        ([], 422, "No practitioners submitted"),
    ):
        answer = customer.send("POST", "/Practitioner/$submit", build_parameters(bundle))
        assert (answer.status_code, text in read_text(answer)) == (status, True)
    assert customer.send("GET", "/Practitioner").json()["total"] == 0
    assert not any(entry["effect"] for entry in customer.emulator.log())


def test_submit_wants_parameters_around_the_bundle(customer: Customer) -> None:
    """contract-v1 7."""
    for body in ({"resourceType": "Bundle", "type": "collection"}, {"resourceType": "Parameters"}):
        assert customer.send("POST", "/Practitioner/$submit", body).status_code == 500


def test_validate_always_answers_200(customer: Customer) -> None:
    """contract-v1 7."""
    for body, severity in ((build_practitioner(NPI), "information"), ({"resourceType": "Practitioner"}, "error")):
        parameters = {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": body}]}
        answer = customer.send("POST", "/Practitioner/$validate", parameters)
        assert (answer.status_code, answer.json()["issue"][0]["severity"]) == (200, severity)
