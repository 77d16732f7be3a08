"""Starting an export."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from v2_customer import (
    FHIR,
    Customer,
    build_group,
    build_mbi,
    build_member,
    fault,
    missing,
    read_issue,
    rule,
)

FORMAT = "'_outputFormat' query parameter must be 'application/fhir+ndjson', 'application/ndjson', or 'ndjson'"
NO_PREFER = "The 'Prefer' header is required and must be 'respond-async'"
PREFER = "The 'Prefer' header must be 'respond-async'"


def read_outcomes(raw: bytes) -> list[dict[str, Any]]:
    """The objects of a body that holds several back to back."""
    decoder, text, position, found = json.JSONDecoder(), raw.decode(), 0, []
    while position < len(text):
        one, position = decoder.raw_decode(text, position)
        found.append(one)
    return found


@pytest.fixture
def group_id(customer: Customer) -> str:
    return customer.create_group([1, 2, 3])


def test_an_export_is_accepted_with_the_jobs_address(customer: Customer, group_id: str) -> None:
    """contract-v2 1 row 7: neither Accept nor X-Provenance is needed."""
    answer = customer.export(group_id)
    assert (answer.status_code, answer.content) == (202, b"")
    base, _, job_id = answer.headers["Content-Location"].rpartition("/")
    assert base == f"{customer.emulator.v2_url}/Jobs"
    assert len(job_id) == 36
    assert customer.emulator.log()[-1]["effect"] is True


def test_the_address_may_lack_its_scheme(customer: Customer, group_id: str) -> None:
    """contract-v2 7.1 and T14: the default configuration."""
    customer.control("POST", "/settings", {"v2_bare_addresses": 1})
    address = customer.export(group_id).headers["Content-Location"]
    assert address.startswith(customer.emulator.v2_url.removeprefix("http://") + "/Jobs/")


@pytest.mark.parametrize(
    ("query", "prefer", "texts"),
    [
        ("", None, [NO_PREFER]),
        ("", "respond-async; wait=5", [PREFER]),
        ("", "Respond-Async", [PREFER]),
        ("?_outputFormat=csv", "respond-async", [FORMAT]),
        ("?_outputFormat=application/fhir+ndjson", "respond-async", [FORMAT]),
        ("?_outputFormat=csv", None, [FORMAT, NO_PREFER]),
        ("?_outputFormat=csv", "x", [FORMAT, PREFER]),
    ],
)
def test_a_400_starts_the_job_all_the_same(
    customer: Customer, group_id: str, query: str, prefer: str | None, texts: list[str]
) -> None:
    """contract-v2 T1 and 2.1: one or two OperationOutcomes back to back, and a job whose id is lost."""
    answer = customer.export(group_id, query, prefer)
    assert (answer.status_code, answer.headers["Content-Type"]) == (400, FHIR)
    assert "Content-Location" not in answer.headers
    outcomes = read_outcomes(answer.content)
    assert [one["issue"][0]["details"]["text"] for one in outcomes] == texts
    assert {one["issue"][0]["severity"] for one in outcomes} == {"warning"}
    assert customer.count_jobs() == 1
    assert customer.emulator.log()[-1]["effect"] is True


@pytest.mark.parametrize(
    "written", ["application/fhir%2Bndjson", "application/ndjson", "ndjson", "NDJSON", "Application/FHIR%2Bndjson", ""]
)
def test_three_formats_in_any_case(customer: Customer, group_id: str, written: str) -> None:
    """contract-v2 7.1."""
    assert customer.export(group_id, f"?_outputFormat={written}").status_code == 202


@pytest.mark.parametrize(
    "written", ["patient", "Patient,", "Patient, Coverage", "Claim", ",", "Patient,coverage", "Claim&_type=Patient"]
)
def test_an_unknown_type_stops_the_export(customer: Customer, group_id: str, written: str) -> None:
    """contract-v2 7.1: case-sensitive, no spaces, no trailing comma."""
    assert read_issue(customer.export(group_id, f"?_type={written}")) == rule("Invalid resource type")
    assert customer.count_jobs() == 0


@pytest.mark.parametrize("written", ["", "Patient", "Patient,Coverage,Patient", "Patient&_type=Claim"])
def test_types_may_be_none_or_repeated(customer: Customer, group_id: str, written: str) -> None:
    """contract-v2 7.1: of a repeated parameter only the first counts."""
    assert customer.export(group_id, f"?_type={written}").status_code == 202


@pytest.mark.parametrize(
    "written",
    ["2020-01-01", "2020-01-01T00:00:00Z", "2020-01-01T00:00:00", "2020-01-01T00:00:00+00:00", "2020-01-01T00:00-05:00",
     "2020-02-30T00:00:00-05:00", "0001-01-01T00:00:00%2B23:59", "x"],
)  # fmt: skip
def test_since_needs_a_numeric_offset(customer: Customer, group_id: str, written: str) -> None:
    """contract-v2 7.1 and T4: Z is refused, and an unescaped plus is a space."""
    assert read_issue(customer.export(group_id, f"?_since={written}")) == rule("Could not parse _since")


@pytest.mark.parametrize(
    "written", ["2020-01-01T00:00:00%2B00:00", "2020-01-01T00:00:00-05:00", "2020-01-01T00:00:00.000-05:00", ""]
)
def test_since_is_taken(customer: Customer, group_id: str, written: str) -> None:
    """contract-v2 7.1."""
    assert customer.export(group_id, f"?_since={written}").status_code == 202


def test_since_does_not_lie_in_the_future(customer: Customer, group_id: str) -> None:
    """contract-v2 7.1."""
    tomorrow = quote((customer.emulator.now() + timedelta(seconds=1)).isoformat())
    answer = customer.export(group_id, f"?_since={tomorrow}")
    assert read_issue(answer) == rule("_since cannot be a future date")


def test_an_unknown_or_foreign_group_is_404(customer: Customer, stranger: Customer, group_id: str) -> None:
    """contract-v2 1 row 7; the contract does not quote the text."""
    for unknown in ("x", "00000000-0000-0000-0000-000000000000"):
        assert read_issue(customer.export(unknown)) == missing("Failed to find group")
    assert read_issue(stranger.export(group_id)) == missing("Failed to find group")


def test_the_checks_come_in_order(customer: Customer) -> None:
    """contract-v2 1: _type, _since, group, and then what is not fatal."""
    answers = [
        customer.export("x", "?_type=x&_since=x&_outputFormat=x", None),
        customer.export("x", "?_since=x&_outputFormat=x", None),
        customer.export("x", "?_outputFormat=x", None),
    ]
    assert [read_issue(one)[3] for one in answers] == [
        "Invalid resource type",
        "Could not parse _since",
        "Failed to find group",
    ]


def test_five_members_are_too_many_for_the_queue(customer: Customer) -> None:
    """contract-v2 T5: created with 200, exported with 500, because the joined NPIs do not fit."""
    four, five = customer.create_group([1, 2, 3, 4]), customer.create_group([1, 2, 3, 4, 5])
    assert customer.export(four).status_code == 202
    assert read_issue(customer.export(five)) == fault(500, "Internal Server Error")
    assert customer.count_jobs() == 1
    customer.control("POST", "/settings", {"v2_npi_column": -1})
    assert customer.export(five).status_code == 202


def test_a_refused_export_that_fails_says_both(customer: Customer) -> None:
    """contract-v2 1 and T1: the 400 is out before the job fails."""
    answer = customer.export(customer.create_group([1, 2, 3, 4, 5]), "", None)
    texts = [one["issue"][0]["details"]["text"] for one in read_outcomes(answer.content)]
    assert (answer.status_code, texts) == (400, [NO_PREFER, "Internal Server Error"])


@pytest.mark.parametrize("part", ["entity", "extension"])
def test_an_identifier_without_a_system_drops_the_connection(customer: Customer, part: str) -> None:
    """contract-v2 7.1 and T3: the Group was created, its export crashes."""
    member = build_member(build_mbi(1))
    holder = member["entity"] if part == "entity" else member["extension"][0]["valueReference"]
    del holder["identifier"]["system"]
    answer = customer.post_group(build_group([], member=[member]))
    path = f"/Group/{answer.json()['id']}/$export"
    assert customer.is_dropped("GET", path, headers={"Prefer": "respond-async"})
    assert customer.is_dropped("GET", path)
    assert customer.count_jobs() == 0


def test_an_export_is_only_asked_for_by_get(customer: Customer, group_id: str) -> None:
    """contract-v2 1."""
    answer = customer.send("POST", f"/Group/{group_id}/$export", headers={"Prefer": "respond-async"})
    assert (answer.status_code, answer.content) == (405, b"")


def test_other_parameters_and_accept_are_ignored(customer: Customer, group_id: str) -> None:
    """contract-v2 7.1 and 1."""
    headers: dict[str, str | None] = {"Prefer": "respond-async", "Accept": "image/png", "Content-Type": "x"}
    answer = customer.send("GET", f"/Group/{group_id}/$export?_typeFilter=x&patient=1", headers=headers)
    assert answer.status_code == 202
