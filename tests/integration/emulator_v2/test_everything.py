"""Patient/$everything."""

from __future__ import annotations

from typing import Any

import pytest
import requests
from v2_customer import MBI_SYSTEM, NPI, NPI_SYSTEM, Customer, build_mbi, read_issue, rule

PATH = "/Patient/$everything"
AGENT = {"system": "http://hl7.org/fhir/v3/RoleClass", "code": "AGNT"}


def attest(customer: Customer, **changes: Any) -> dict[str, Any]:
    behalf = {"type": "Practitioner", "identifier": {"system": NPI_SYSTEM, "value": NPI}, **changes}
    agent = {
        "role": [{"coding": [AGENT]}],
        "who": {"reference": f"Organization/{customer.organization_id}"},
        "onBehalfOf": behalf,
    }
    return customer.attest(agent=[agent])


def ask(customer: Customer, query: str = "", **headers: str | None) -> requests.Response:
    sent: dict[str, str | None] = {"identifier-system": MBI_SYSTEM, "identifier-value": build_mbi(1)}
    sent.update({name.replace("_", "-"): value for name, value in headers.items()})
    return customer.send("GET", PATH + query, headers=sent, provenance=attest(customer))


def test_one_patients_resources_come_as_a_searchset(customer: Customer) -> None:
    """contract-v2 9: neither total nor fullUrl."""
    answer = ask(customer)
    bundle = answer.json()
    assert (answer.status_code, bundle["resourceType"], bundle["type"]) == (200, "Bundle", "searchset")
    assert "total" not in bundle
    assert {tuple(entry) for entry in bundle["entry"]} == {("resource",)}
    kinds = {entry["resource"]["resourceType"] for entry in bundle["entry"]}
    assert kinds == {"Patient", "Coverage", "ExplanationOfBenefit"}


def test_types_and_since_narrow_it(customer: Customer) -> None:
    """contract-v2 9."""
    kinds = [entry["resource"]["resourceType"] for entry in ask(customer, "?_type=Patient").json()["entry"]]
    assert kinds == ["Patient"]
    now = customer.emulator.now().isoformat().replace("+", "%2B")
    assert "entry" not in ask(customer, f"?_since={now}").json()


def test_an_outcome_comes_with_200(customer: Customer) -> None:
    """contract-v2 9: when it is the only file."""
    customer.control("POST", "/outcomes", {"mbi": build_mbi(1), "outcome": "opted_out"})
    answer = ask(customer)
    assert (answer.status_code, answer.json()["resourceType"]) == (200, "OperationOutcome")
    assert answer.json()["issue"][0]["details"]["text"] == "Data not available for opted out patient"


def test_the_mbi_stands_in_two_headers(customer: Customer) -> None:
    """contract-v2 9."""
    for system in (None, "urn:other"):
        answer = ask(customer, identifier_system=system)
        assert read_issue(answer) == rule("invalid mbi system identifier in header")
    assert read_issue(ask(customer, identifier_value=None)) == rule("invalid mbi value in header")


@pytest.mark.parametrize(
    "changes",
    [
        {"type": "Organization"},
        {"type": None},
        {"identifier": {"system": "urn:other", "value": NPI}},
        {"identifier": {"system": NPI_SYSTEM, "value": " "}},
        {"identifier": {}},
    ],
)
def test_the_provenance_names_a_practitioner(customer: Customer, changes: dict[str, Any]) -> None:
    """contract-v2 6: before the reference to the organisation is looked at."""
    provenance = attest(customer, **changes)
    provenance["agent"][0]["who"]["reference"] = "x"
    answer = customer.send("GET", PATH, provenance=provenance)
    assert read_issue(answer) == rule("Invalid practitioner")


def test_the_checks_come_in_order(customer: Customer) -> None:
    """contract-v2 1: provenance, _type, _since, headers of the MBI."""
    without = customer.send("GET", PATH + "?_type=x")
    texts = [read_issue(without)[3]] + [
        read_issue(ask(customer, query, identifier_system=None))[3] for query in ("?_type=x&_since=x", "?_since=x", "")
    ]
    assert texts == [
        "Provenance header is required",
        "Invalid resource type",
        "Could not parse _since",
        "invalid mbi system identifier in header",
    ]


@pytest.mark.parametrize("path", ["/Patient", "/Patient/1", "/Patient/1/$everything", "/Patient/$submit"])
def test_whatever_is_below_patient_asks_for_provenance_before_it_is_not_found(customer: Customer, path: str) -> None:
    """contract-v2 1."""
    assert read_issue(customer.send("GET", path)) == rule("Provenance header is required")
    assert customer.send("GET", path, provenance=attest(customer)).status_code == 404


def test_a_slow_patient_is_a_dropped_connection_by_fault(customer: Customer) -> None:
    """contract-v2 9: the write limit is shorter than the wait; a cut stands for it."""
    customer.emulator.add_fault({"path": r"/Patient/\$everything", "cut": True, "when": "after"})
    assert customer.is_dropped("GET", PATH, provenance=attest(customer))
    customer.emulator.clear_faults()
