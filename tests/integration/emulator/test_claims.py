"""The claims behind an export: seeded, growing with the clock, and refused by script (contract-v1 8 and 10.4)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from emulator_customer import Customer, Scene, build_mbi, read_text
from emulator_exports import ask, finish, read_all

from service.emulator.server import Emulator, EmulatorOptions

NO_CLAIMS = (
    "DPC couldn't find any claims for this MBI; unable to demonstrate relationship with provider or organization"
)
NO_RELATIONSHIP = "DPC couldn't find a claim for this MBI from an NPI in this organization"
TOO_OLD = "DPC couldn't find a claim within the past 18 months for this MBI from an NPI in this organization"
OPTED_OUT = "Data not available for opted out patient"
INTERNAL = "Unable to retrieve patient data due to internal error"


def script(customer: Customer, mbi: str, outcome: str) -> requests.Response:
    url = f"{customer.emulator.base_url}/_emulator/outcomes"
    return requests.post(url, json={"mbi": mbi, "outcome": outcome}, timeout=10)


def export(roster: Scene, query: str = "") -> dict[str, list[dict[str, Any]]]:
    asked = ask(roster.customer, f"/Group/{roster.group_id}", query)
    return read_all(roster.customer, finish(roster.customer, asked))


def test_every_patient_has_a_person_coverage_and_claims(roster: Scene) -> None:
    """contract-v1 10.2."""
    found = export(roster)
    assert sorted(found) == ["Coverage", "ExplanationOfBenefit", "Patient"]
    people = {f"Patient/{one['id']}": one for one in found["Patient"]}
    mbis = {one["identifier"][1]["value"] for one in people.values()}
    assert mbis == {build_mbi(1), build_mbi(2)}
    assert {one["beneficiary"]["reference"] for one in found["Coverage"]} == set(people)
    assert {one["patient"]["reference"] for one in found["ExplanationOfBenefit"]} == set(people)
    ids = [one["id"] for kind in found for one in found[kind]]
    assert len(ids) == len(set(ids))


@pytest.mark.control
def test_the_same_seed_tells_the_same_claims(roster: Scene) -> None:
    """Control surface: claims depend on seed and MBI alone."""
    first = export(roster)
    roster.customer.emulator.state.seed += 1
    other = export(roster)
    roster.customer.emulator.state.seed -= 1
    assert export(roster) == first
    assert other["Patient"] != first["Patient"]


@pytest.mark.control
def test_since_delivers_what_became_known_later(roster: Scene) -> None:
    """contract-v1 10.1: claims appear as the clock goes on; what is old is not sent again."""
    customer = roster.customer
    before = customer.emulator.now()
    old = {one["id"] for one in export(roster, "?_type=ExplanationOfBenefit")["ExplanationOfBenefit"]}
    for _ in range(2):  # a claim appears at least every 120 days, and members last 90
        customer.emulator.advance("P80D")
        customer.log_in()
        assert roster.add(roster.patients[:2]).status_code == 200
    query = f"?_type=ExplanationOfBenefit&_since={quote(before.isoformat())}"
    new = {one["id"] for one in export(roster, query).get("ExplanationOfBenefit", [])}
    everything = {one["id"] for one in export(roster, "?_type=ExplanationOfBenefit")["ExplanationOfBenefit"]}
    assert new and not new & old
    assert new <= everything


@pytest.mark.control
@pytest.mark.parametrize(
    ("outcome", "code", "text"),
    [
        ("no_claims", "suppressed", NO_CLAIMS),
        ("no_relationship", "suppressed", NO_RELATIONSHIP),
        ("too_old", "suppressed", TOO_OLD),
        ("opted_out", "suppressed", OPTED_OUT),
        ("internal_error", "exception", INTERNAL),
    ],
)
def test_a_patient_without_claims_is_an_outcome_in_a_job_that_succeeds(
    roster: Scene, outcome: str, code: str, text: str
) -> None:
    """contract-v1 10.4: one line, the MBI in clear, and the others unharmed."""
    assert script(roster.customer, build_mbi(1), outcome).status_code == 200
    found = export(roster)
    details = {
        "severity": "error",
        "code": code,
        "details": {"text": text},
        "location": ["Patient", "id", build_mbi(1)],
    }
    assert found["OperationOutcome"] == [{"resourceType": "OperationOutcome", "issue": [details]}]
    assert [one["identifier"][1]["value"] for one in found["Patient"]] == [build_mbi(2)]
    assert script(roster.customer, build_mbi(1), "ok").json() == {}
    assert "OperationOutcome" not in export(roster)


@pytest.mark.control
@pytest.mark.parametrize(
    ("outcome", "start"),
    [
        ("not_found", "Coverage resource not found in Blue Button for id: -"),
        ("claims_error", "Blue Button error fetching Coverage resource. HTTP return code: 500"),
    ],
)
def test_trouble_with_the_claims_server_names_its_own_id(roster: Scene, outcome: str, start: str) -> None:
    """contract-v1 10.4, last row."""
    script(roster.customer, build_mbi(1), outcome)
    (line,) = export(roster, "?_type=Coverage")["OperationOutcome"]
    issue = line["issue"][0]
    assert issue["details"]["text"].startswith(start)
    assert issue["location"][:2] == ["Patient", "id"] and issue["location"][2].startswith("-")


@pytest.mark.control
def test_outcomes_are_checked_and_come_in_lists(customer: Customer) -> None:
    """Control surface: POST outcomes."""
    url = f"{customer.emulator.base_url}/_emulator/outcomes"
    wishes = [{"mbi": build_mbi(1).lower(), "outcome": "opted_out"}, {"mbi": build_mbi(2), "outcome": "too_old"}]
    assert requests.post(url, json=wishes, timeout=10).json() == {build_mbi(1): "opted_out", build_mbi(2): "too_old"}
    for wish in ({"mbi": build_mbi(3), "outcome": "vanished"}, {"mbi": build_mbi(3)}, 7):
        assert requests.post(url, json=wish, timeout=10).status_code == 400
    assert len(requests.get(url, timeout=10).json()) == 2
    customer.emulator.reset()
    assert requests.get(url, timeout=10).json() == {}


def test_everything_is_one_bundle(roster: Scene) -> None:
    """contract-v1 8."""
    path = f"/Patient/{roster.patients[0]}/$everything"
    answer = roster.customer.send("GET", path)
    assert (answer.status_code, read_text(answer)) == (400, "Must have X-Provenance header")
    answer = roster.customer.send("GET", path, provenance=roster.provenance)
    bundle = answer.json()
    kinds = [entry["resource"]["resourceType"] for entry in bundle["entry"]]
    assert (answer.status_code, bundle["type"], bundle["total"]) == (200, "searchset", len(kinds))
    assert set(kinds) == {"Patient", "Coverage", "ExplanationOfBenefit"}


@pytest.mark.control
def test_everything_refused_is_a_403_with_the_reason(roster: Scene) -> None:
    """contract-v1 8 and 10.4."""
    script(roster.customer, build_mbi(1), "no_relationship")
    path = f"/Patient/{roster.patients[0]}/$everything"
    answer = roster.customer.send("GET", path, provenance=roster.provenance)
    assert (answer.status_code, read_text(answer)) == (403, NO_RELATIONSHIP)


def test_everything_on_request_is_a_job(roster: Scene) -> None:
    """contract-v1 8: Prefer: respond-async."""
    answer = roster.customer.send(
        "GET",
        f"/Patient/{roster.patients[0]}/$everything",
        provenance=roster.provenance,
        headers={"Prefer": "respond-async"},
    )
    found = read_all(roster.customer, finish(roster.customer, answer))
    assert len(found["Patient"]) == 1


def test_everything_takes_a_since(roster: Scene) -> None:
    """contract-v1 8."""
    path = f"/Patient/{roster.patients[0]}/$everything?_since="
    assert roster.customer.send("GET", path + "x", provenance=roster.provenance).status_code == 400
    whole = roster.customer.send("GET", path, provenance=roster.provenance).json()
    half = quote((roster.customer.emulator.now() - timedelta(days=365)).isoformat())
    part = roster.customer.send("GET", path + half, provenance=roster.provenance).json()
    assert 0 < part["total"] < whole["total"]


@pytest.mark.control
def test_exports_survive_a_restart(tmp_path: Path) -> None:
    """Jobs, files, outcomes and knobs live in the database."""
    options = EmulatorOptions(data=tmp_path / "dpc.db", clock="frozen")
    with Emulator(options) as emulator:
        emulator.change_settings(export_polls=7, waf_budget=5)
        emulator.set_outcome(build_mbi(1), "opted_out")
    with Emulator(EmulatorOptions(data=tmp_path / "dpc.db")) as again:
        assert (again.state.knobs.export_polls, again.state.knobs.waf_budget) == (7, 5)
        url = f"{again.base_url}/_emulator/outcomes"
        assert requests.get(url, timeout=10).json() == {build_mbi(1): "opted_out"}
