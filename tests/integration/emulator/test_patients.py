"""Patient."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest
from emulator_customer import (
    MBI_SYSTEM,
    Customer,
    Scene,
    build_mbi,
    build_parameters,
    build_patient,
    read_text,
)

MBI = build_mbi(1)
CURRENCY = "https://bluebutton.cms.gov/resources/codesystem/identifier-currency"


@pytest.mark.control
def test_a_new_patient_is_a_201_with_location(customer: Customer) -> None:
    """contract-v1 8."""
    body = build_patient(MBI.lower(), managingOrganization={"reference": "Organization/other"})
    answer = customer.send("POST", "/Patient", body)
    created = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"].endswith(f"/v1/Patient/{created['id']}")
    assert "Last-Modified" in answer.headers
    assert created == {
        "resourceType": "Patient",
        "id": created["id"],
        "meta": {
            "lastUpdated": customer.emulator.now().isoformat(timespec="milliseconds"),
            "profile": ["https://dpc.cms.gov/api/v1/StructureDefinition/dpc-profile-patient"],
        },
        "identifier": [{"system": MBI_SYSTEM, "value": MBI}],
        "name": [{"family": "Sample", "given": ["Pat"]}],
        "gender": "female",
        "birthDate": "1940-02-01",
        "managingOrganization": {"reference": f"Organization/{customer.organization_id}"},
    }
    assert customer.send("GET", f"/Patient/{created['id']}").json() == created


def test_a_known_mbi_answers_200_with_what_is_stored(customer: Customer) -> None:
    """contract-v1 8."""
    first = customer.send("POST", "/Patient", build_patient(MBI, "First")).json()
    answer = customer.send("POST", "/Patient", build_patient(MBI.lower(), "Second", birthDate="1950-01-01"))
    assert (answer.status_code, answer.json()) == (200, first)


@pytest.mark.parametrize("mbi", ["1S00-E00-AA00", "1S00E00AA0", "0000E00AA00", ""])
def test_a_malformed_mbi_is_a_422(customer: Customer, mbi: str) -> None:
    """contract-v1 5 and 8."""
    answer = customer.send("POST", "/Patient", build_patient(mbi))
    assert (answer.status_code, read_text(answer)) == (422, "Invalid Patient resource")


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"gender": None}, "Patient.gender: minimum required = 1, but only found 0"),
        ({"birthDate": None}, "Patient.birthDate: minimum required = 1, but only found 0"),
        ({"name": None}, "Patient.name: minimum"),
        ({"name": [{"family": "X", "given": ["Y"]}, {"family": "Z"}]}, "Patient.name.given: minimum"),
        ({"identifier": []}, "Slice 'Patient.identifier:patient-mbi': a matching slice is required"),
        (
            {"identifier": [{"system": MBI_SYSTEM, "value": MBI}] * 2},
            "Patient.identifier: max allowed = 1, but found 2",
        ),
    ],
)
def test_the_profile_names_what_is_missing(customer: Customer, changes: dict[str, Any], path: str) -> None:
    """contract-v1 2.2 b and 8."""
    answer = customer.send("POST", "/Patient", build_patient(MBI, **changes))
    assert (answer.status_code, answer.json()["issue"][0]["code"]) == (422, "invalid")
    assert path in read_text(answer)


def test_an_identifier_without_system_is_a_500(customer: Customer) -> None:
    """contract-v1 8."""
    identifiers = [{"system": MBI_SYSTEM, "value": MBI}, {"value": "x"}]
    assert customer.send("POST", "/Patient", build_patient(MBI, identifier=identifiers)).status_code == 500


def test_html_in_a_name_is_an_opaque_400(customer: Customer) -> None:
    """contract-v1 1.4 and 2.4 b."""
    answer = customer.send("POST", "/Patient", build_patient(MBI, "A&B"))
    assert (answer.status_code, read_text(answer)) == (400, "HTTP 400 Bad Request")


def test_a_partial_birth_date_is_its_first_day(customer: Customer) -> None:
    """contract-v1 8."""
    answer = customer.send("POST", "/Patient", build_patient(MBI, birthDate="1940-03"))
    assert answer.json()["birthDate"] == "1940-03-01"


def test_the_search_takes_the_mbi_bare_or_with_its_system(customer: Customer, stranger: Customer) -> None:
    """contract-v1 8."""
    stranger.create_patient(1)
    own = customer.create_patient(1)
    customer.create_patient(2)
    for identifier in (MBI, MBI.lower(), f"{MBI_SYSTEM}|{MBI}"):
        found = customer.send("GET", f"/Patient?identifier={identifier}").json()
        assert (found["total"], found["entry"][0]["resource"]["id"]) == (1, own)
    answer = customer.send("GET", f"/Patient?identifier=urn:other|{MBI}")
    assert (answer.status_code, read_text(answer)) == (400, "Must have MBI identifier")
    assert customer.send("GET", "/Patient").json()["total"] == 2
    assert "entry" not in customer.send("GET", f"/Patient?identifier={build_mbi(9)}").json()


def test_pages_are_linked_and_carry_no_total(customer: Customer) -> None:
    """contract-v1 8."""
    ids = sorted(customer.create_patient(number) for number in range(5))
    seen, path, relations = [], "/Patient?_count=2", []
    while path:
        page = customer.send("GET", path).json()
        assert "total" not in page
        links = {link["relation"]: link["url"] for link in page["link"]}
        relations.append(set(links))
        seen += [entry["resource"]["id"] for entry in page.get("entry", [])]
        following = links.get("next")
        assert all(url.startswith(customer.emulator.v1_url + "/Patient?_count=2&_offset=") for url in links.values())
        path = f"/Patient?{urlsplit(following).query}" if following else ""
    assert seen == ids
    assert relations == [
        {"self", "first", "next"},
        {"self", "first", "previous", "next"},
        {"self", "first", "previous"},
    ]
    beyond = customer.send("GET", "/Patient?_count=2&_offset=9").json()
    assert ({link["relation"] for link in beyond["link"]}, "entry" in beyond) == ({"self", "first"}, False)


def test_odd_page_arguments(customer: Customer) -> None:
    """contract-v1 8."""
    customer.create_patient()
    counted = customer.send("GET", "/Patient?_count=0").json()
    assert (counted["total"], "entry" in counted) == (1, False)
    assert customer.send("GET", "/Patient?_offset=1").json()["total"] == 1
    for name in ("_count", "_offset"):
        answer = customer.send("GET", f"/Patient?{name}=-1")
        assert (answer.status_code, read_text(answer)) == (400, f"Parameter {name} must be >= 0")
        assert customer.send("GET", f"/Patient?{name}=x").status_code == 404


def test_put_changes_the_person_but_never_the_mbi(customer: Customer) -> None:
    """contract-v1 8."""
    path = f"/Patient/{customer.create_patient(1)}"
    changed = build_patient(build_mbi(2), "Renamed", gender="male", birthDate="1941-01-01")
    answer = customer.send("PUT", path, changed)
    stored = answer.json()
    assert (answer.status_code, stored["identifier"][0]["value"]) == (200, MBI)
    assert (stored["name"][0]["family"], stored["gender"], stored["birthDate"]) == ("Renamed", "male", "1941-01-01")
    assert customer.send("GET", path).json() == stored
    assert customer.send("PUT", path, build_patient("short")).status_code == 422
    assert customer.send("PUT", path, build_patient(MBI, gender=None)).status_code == 422


def test_delete_takes_the_patient_out_of_every_group(roster: Scene) -> None:
    """contract-v1 8."""
    answer = roster.customer.send("DELETE", f"/Patient/{roster.patients[0]}")
    assert (answer.status_code, answer.content) == (200, b"")
    assert set(roster.read_members()) == {roster.patients[1]}


@pytest.mark.control
def test_submit_answers_new_ones_first_then_known_ones(customer: Customer) -> None:
    """contract-v1 8."""
    known = customer.create_patient(1)
    bundle = [build_patient(MBI, "Sent"), build_patient(build_mbi(2)), build_patient(build_mbi(3))]
    answer = customer.send("POST", "/Patient/$submit", build_parameters(bundle))
    result = answer.json()
    assert (answer.status_code, result["type"], "total" in result) == (200, "collection", False)
    assert result["entry"][2]["resource"]["id"] == known
    assert {entry["resource"]["identifier"][0]["value"] for entry in result["entry"][:2]} == {
        build_mbi(2),
        build_mbi(3),
    }
    assert customer.emulator.log()[-1]["patients"] == 3


def test_submit_is_all_or_nothing(customer: Customer) -> None:
    """contract-v1 8."""
    good = build_patient(MBI)
    for bundle, status, text in (
        ([good, build_patient(build_mbi(2), gender=None)], 422, "Patient.gender: minimum required = 1"),
        ([good, build_patient("1S00")], 500, "does not match MBI format"),
        ([good, good], 400, "duplicate key value violates unique constraint"),
        ([good | {"id": "x"}], 500, "Could not insert resource"),
        ([], 422, "No patients submitted"),
    ):
        answer = customer.send("POST", "/Patient/$submit", build_parameters(bundle))
        assert (answer.status_code, text in read_text(answer)) == (status, True)
    assert customer.send("GET", "/Patient").json()["total"] == 0


def test_submit_stores_the_current_one_of_two_mbis(customer: Customer) -> None:
    """contract-v1 8."""

    def mark(mbi: str, code: str) -> dict[str, object]:
        extension = {"url": CURRENCY, "valueCoding": {"code": code}}
        return {"system": MBI_SYSTEM, "value": mbi, "extension": [extension]}

    two = [mark(build_mbi(8), "historic"), mark(build_mbi(9), "current")]
    answer = customer.send("POST", "/Patient/$submit", build_parameters([build_patient("", identifier=two)]))
    assert answer.json()["entry"][0]["resource"]["identifier"] == [{"system": MBI_SYSTEM, "value": build_mbi(9)}]
    for one in two:
        del one["extension"]
    answer = customer.send("POST", "/Patient/$submit", build_parameters([build_patient("", identifier=two)]))
    assert answer.status_code == 500
    assert read_text(answer).startswith("Cannot find an MBI with identifier currency for patient")
