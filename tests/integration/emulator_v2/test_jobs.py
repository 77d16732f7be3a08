"""Jobs and what they deliver."""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from v2_customer import JSON, Customer, build_group, build_mbi, build_member, fault, missing, read_issue


def poll(customer: Customer, job_id: str) -> tuple[int, str | None, bytes]:
    answer = customer.send("GET", f"/Jobs/{job_id}")
    assert answer.headers["Content-Type"] == JSON
    return answer.status_code, answer.headers.get("X-Progress"), answer.content


def read_patients(customer: Customer, manifest: dict[str, list[dict[str, str]]]) -> set[str]:
    """The MBIs for whom the job delivered a Patient."""
    found = [one for entry in manifest["output"] if entry["type"] == "Patient" for one in customer.fetch_lines(entry)]
    return {
        identifier["value"] for one in found for identifier in one["identifier"] if "us-mbi" in identifier["system"]
    }


def test_a_job_is_queued_then_running_then_done(customer: Customer) -> None:
    """contract-v2 7.2: the share is of the length of the MBIs' text, 35 for three patients."""
    customer.control("POST", "/settings", {"export_polls": 4})
    job_id = customer.start_job(customer.create_group([1, 2, 3]))
    assert [poll(customer, job_id) for _ in range(3)] == [
        (202, "QUEUED: 0.00%", b""),
        (202, "RUNNING: 2.86%", b""),
        (202, "RUNNING: 5.71%", b""),
    ]
    assert poll(customer, job_id)[0] == 200


def test_the_manifest_lists_files_with_bare_checksums(customer: Customer) -> None:
    """contract-v2 7.2."""
    customer.emulator.set_clock(datetime(2026, 5, 6, 7, 8, 9, 120000, UTC))
    customer.log_in()
    group_id = customer.create_group([1, 2])
    job_id = customer.start_job(group_id, "?_type=Patient,Coverage")
    manifest = customer.finish_job(job_id)
    assert manifest["transactionTime"] == "2026-05-06T07:08:09.12Z"
    assert manifest["request"] == f"{customer.emulator.v2_url}/Group/{group_id}/$export?_type=Patient,Coverage"
    assert manifest["requiresAccessToken"] is True
    assert manifest["error"] == []
    assert [one["url"] for one in manifest["extension"]] == [
        "https://dpc.cms.gov/submit_time",
        "https://dpc.cms.gov/complete_time",
    ]
    counts = {entry["type"]: entry["count"] for entry in manifest["output"]}
    assert counts == {"Patient": 2, "Coverage": 6}
    for entry in manifest["output"]:
        assert entry["url"].startswith(f"{customer.emulator.v2_url}/Data/")
        assert entry["url"].endswith(f"-0.{entry['type'].lower()}.ndjson")
        body = customer.fetch(entry).content
        assert [one["url"] for one in entry["extension"]] == [
            "https://dpc.cms.gov/checksum",
            "https://dpc.cms.gov/file_length",
        ]
        assert entry["extension"][0]["valueString"] == hashlib.sha256(body).hexdigest()
        assert entry["extension"][1]["valueDecimal"] == len(body)


def test_a_finished_job_expires_after_a_day(customer: Customer) -> None:
    """contract-v2 7.2: the zone of Expires is UTC, then 410 without a body."""
    customer.emulator.set_clock(datetime(2026, 5, 6, 7, 8, 9, tzinfo=UTC))
    customer.log_in()
    job_id = customer.start_job(customer.create_group([1]))
    customer.finish_job(job_id)
    answer = customer.send("GET", f"/Jobs/{job_id}")
    assert answer.headers["Expires"] == "Thu, 07 May 2026 07:08:09 UTC"
    customer.emulator.advance("P1D")
    customer.log_in()
    assert poll(customer, job_id)[0] == 200
    customer.emulator.advance("PT1S")
    assert poll(customer, job_id) == (410, None, b"")


def test_a_job_completes_when_the_clock_moves(customer: Customer) -> None:
    """contract-v2 7.2: nobody has to poll for it to be done."""
    job_id = customer.start_job(customer.create_group([1]))
    customer.emulator.advance("PT10M")
    assert poll(customer, job_id)[0] == 200


def test_an_unknown_foreign_or_empty_job_is_202_for_ever(customer: Customer, stranger: Customer) -> None:
    """contract-v2 7.2 and T2: no body, no X-Progress."""
    foreign = stranger.start_job(stranger.create_group([1]))
    empty = customer.start_job(customer.create_group([]))
    for job_id in (str(uuid.uuid4()), foreign, empty):
        assert [poll(customer, job_id) for _ in range(5)] == [(202, None, b"")] * 5
    customer.emulator.advance("P30D")
    customer.log_in()
    assert poll(customer, empty) == (202, None, b"")


def test_an_id_that_is_no_uuid_is_404(customer: Customer) -> None:
    """contract-v2 7.2."""
    answer = customer.send("GET", "/Jobs/42")
    assert answer.headers["Content-Type"] == JSON
    assert read_issue(answer) == missing("Failed to get job status")


def test_a_failed_batch_is_a_500_for_good(customer: Customer) -> None:
    """contract-v2 7.2: terminal."""
    customer.control("POST", "/settings", {"failing_batch": 1, "export_polls": 1})
    job_id = customer.start_job(customer.create_group([1]))
    for _ in range(2):
        assert read_issue(customer.send("GET", f"/Jobs/{job_id}")) == fault(500, "Internal Server Error")


def test_members_without_an_mbi_are_silently_left_out(customer: Customer) -> None:
    """contract-v2 7.1."""
    nobody = build_member("")
    del nobody["entity"]["identifier"]["value"]
    members = [build_member(build_mbi(1)), nobody, build_member("")]
    group_id = customer.post_group(build_group([], member=members)).json()["id"]
    manifest = customer.finish_job(customer.start_job(group_id))
    assert read_patients(customer, manifest) == {build_mbi(1)}
    assert manifest["error"] == []


def test_patients_come_in_batches_of_a_hundred(customer: Customer) -> None:
    """contract-v2 7.1: several files per type are normal."""
    customer.control("POST", "/settings", {"v2_npi_column": -1})
    group_id = customer.create_group(list(range(250)))
    manifest = customer.finish_job(customer.start_job(group_id, "?_type=Patient"))
    assert sorted(entry["count"] for entry in manifest["output"]) == [50, 100, 100]
    assert read_patients(customer, manifest) == {build_mbi(number) for number in range(250)}


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (
            "no_claims",
            "DPC couldn't find any claims for this MBI; "
            "unable to demonstrate relationship with provider or organization",
        ),
        ("no_relationship", "DPC couldn't find a claim for this MBI from an NPI in this organization"),
        (
            "too_old",
            "DPC couldn't find a claim within the past 18 months for this MBI from an NPI in this organization",
        ),
        ("opted_out", "Data not available for opted out patient"),
        ("internal_error", "Unable to retrieve patient data due to internal error"),
    ],
)
def test_a_patient_may_give_an_outcome_instead_of_claims(customer: Customer, outcome: str, text: str) -> None:
    """contract-v2 7.1 and contract-v1 10.4: the job succeeds, and an error file says why."""
    customer.control("POST", "/outcomes", {"mbi": build_mbi(1), "outcome": outcome})
    manifest = customer.finish_job(customer.start_job(customer.create_group([1, 2])))
    (error,) = manifest["error"]
    assert set(error) == {"type", "url"}
    assert error["type"] == "OperationOutcome"
    assert error["url"].endswith("-0.operationoutcome.ndjson")
    (line,) = customer.fetch_lines(error)
    assert line["issue"][0]["details"]["text"] == text
    assert line["issue"][0]["location"] == ["Patient", "id", build_mbi(1)]
    assert read_patients(customer, manifest) == {build_mbi(2)}


def test_a_mistyped_mbi_is_exported_as_not_found(customer: Customer) -> None:
    """contract-v2 T13."""
    group_id = customer.post_group(build_group([], member=[build_member("1S00E0")])).json()["id"]
    manifest = customer.finish_job(customer.start_job(group_id))
    assert manifest["output"] == []
    assert "not found" in customer.fetch_lines(manifest["error"][0])[0]["issue"][0]["details"]["text"]


def test_the_transaction_time_works_as_since_when_rewritten(customer: Customer) -> None:
    """contract-v2 7.1 and T4: only what was updated after it comes."""
    group_id = customer.create_group([1])
    first = customer.finish_job(customer.start_job(group_id))
    customer.emulator.advance("P180D")
    customer.log_in()
    since = quote(first["transactionTime"].replace("Z", "+00:00"))
    assert customer.export(group_id, f"?_since={quote(first['transactionTime'])}").status_code == 400
    second = customer.finish_job(customer.start_job(group_id, f"?_since={since}"))
    assert [entry["type"] for entry in second["output"]] == ["ExplanationOfBenefit"]
    fresh = customer.fetch_lines(second["output"][0])
    assert {one["meta"]["lastUpdated"] > first["transactionTime"] for one in fresh} == {True}


def test_since_now_completes_with_nothing(customer: Customer) -> None:
    """contract-v2 7.1: not before the transaction time."""
    since = quote(customer.emulator.now().isoformat())
    manifest = customer.finish_job(customer.start_job(customer.create_group([1]), f"?_since={since}"))
    assert (manifest["output"], manifest["error"]) == ([], [])


def test_claims_are_r4_and_the_same_every_time(customer: Customer) -> None:
    """contract-v2 7.1: synthetic, from the seed."""
    group_id = customer.create_group([1])
    bodies = []
    for _ in range(2):
        manifest = customer.finish_job(customer.start_job(group_id))
        by_type = {entry["type"]: customer.fetch_lines(entry) for entry in manifest["output"]}
        bodies.append(by_type)
    assert bodies[0] == bodies[1]
    assert {len(bodies[0]["Patient"]), len(bodies[0]["Coverage"])} == {1, 3}
    claim = bodies[0]["ExplanationOfBenefit"][0]
    required = {"status", "type", "use", "patient", "created", "insurer", "provider", "outcome", "insurance"}
    assert required <= set(claim)
