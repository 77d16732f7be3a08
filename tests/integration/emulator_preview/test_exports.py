"""Export, jobs and files."""

from __future__ import annotations

import json
from typing import Any

import pytest
from preview_customer import Customer, build_group, build_mbi


def start(customer: Customer, group_id: str, query: str = "", prefer: str | None = "respond-async") -> Any:
    return customer.send("GET", f"/Group/{group_id}/$export{query}", headers={"Prefer": prefer})


def finish(customer: Customer, address: str) -> dict[str, Any]:
    for _ in range(5):
        answer = customer.send("GET", address.removeprefix(customer.emulator.preview_url), headers={"Accept": None})
        if answer.status_code == 200:
            manifest: dict[str, Any] = answer.json()
            return manifest
        assert (answer.status_code, answer.headers["X-Progress"]) == (202, "In Progress")
    raise AssertionError("the job does not end")


def fetch(customer: Customer, url: str) -> list[dict[str, Any]]:
    answer = customer.send("GET", url.removeprefix(customer.emulator.preview_url), headers={"Accept": "*/*"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/ndjson")
    return [json.loads(line) for line in answer.text.splitlines()]


@pytest.fixture
def group_id(customer: Customer, patients: list[str]) -> str:
    return str(customer.send("POST", "/Group", build_group(patients[:2])).json()["id"])


def test_the_documented_journey(customer: Customer, group_id: str) -> None:
    """Preview documentation, Exporting data: lower-case jobs and data, the job's id in the files' addresses."""
    answer = start(customer, group_id)
    address = answer.headers["Content-Location"]
    assert (answer.status_code, answer.content) == (202, b"")
    base, _, job_id = address.rpartition("/")
    assert base == f"{customer.emulator.preview_url}/jobs"
    manifest = finish(customer, address)
    assert set(manifest) == {"transactionTime", "request", "requiresAccessToken", "output", "error"}
    assert manifest["request"].endswith(f"/fhir/v1/Group/{group_id}/$export")
    kinds = {}
    for entry in manifest["output"]:
        assert set(entry) == {"type", "url"}
        assert entry["url"].startswith(f"{customer.emulator.preview_url}/data/{job_id}/")
        kinds[entry["type"]] = fetch(customer, entry["url"])
    assert {kind: len(lines) for kind, lines in kinds.items() if kind != "ExplanationOfBenefit"} == {
        "Patient": 2,
        "Coverage": 6,
    }
    claim = kinds["ExplanationOfBenefit"][0]
    assert isinstance(claim["insurance"], dict) and "use" not in claim


def test_errors_have_files_of_their_own(customer: Customer, group_id: str) -> None:
    """Preview documentation: `-error.ndjson`."""
    customer.control("POST", "/outcomes", {"mbi": build_mbi(1), "outcome": "opted_out"})
    manifest = finish(customer, start(customer, group_id).headers["Content-Location"])
    (error,) = manifest["error"]
    assert error["type"] == "OperationOutcome" and error["url"].endswith("-error.ndjson")
    assert fetch(customer, error["url"])[0]["resourceType"] == "OperationOutcome"


def test_types_narrow_it_and_since_is_not_supported(customer: Customer, group_id: str) -> None:
    """Preview documentation, Bulk Data: `_since` and type filters are not supported."""
    answer = start(customer, group_id, "?_type=Patient&_since=2099-01-01T00:00:00Z&_typeFilter=x")
    assert [entry["type"] for entry in finish(customer, answer.headers["Content-Location"])["output"]] == ["Patient"]
    assert start(customer, group_id, "?_type=Claim").status_code == 400


@pytest.mark.parametrize("prefer", [None, "x", "respond-sync"])
def test_the_export_is_asynchronous(customer: Customer, group_id: str, prefer: str | None) -> None:
    """Preview documentation: Prefer is required."""
    assert start(customer, group_id, prefer=prefer).status_code == 400
    assert customer.emulator.log()[-1]["effect"] is False


def test_a_group_that_has_run_out_cannot_be_exported(customer: Customer, group_id: str) -> None:
    """Preview documentation, Attribution: ninety days."""
    customer.emulator.advance("P90D")
    assert start(customer, group_id).status_code == 406


def test_others_have_neither_group_nor_job_nor_file(customer: Customer, stranger: Customer, group_id: str) -> None:
    """One organisation's token opens its own things only."""
    address = start(customer, group_id).headers["Content-Location"]
    url = finish(customer, address)["output"][0]["url"]
    assert start(stranger, group_id).status_code == 404
    for other in (address, url):
        assert stranger.send("GET", other.removeprefix(customer.emulator.preview_url)).status_code == 404
    assert customer.send("GET", "/data/42/x.ndjson").status_code == 404


def test_a_job_completes_when_the_clock_moves(customer: Customer, group_id: str) -> None:
    """Nobody has to poll for it to be done."""
    address = start(customer, group_id).headers["Content-Location"]
    customer.emulator.advance("PT5M")
    assert customer.send("GET", address.removeprefix(customer.emulator.preview_url)).status_code == 200
