"""Asking for an export and following its job (contract-v1 10.1 and 10.2)."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import pytest
from emulator_customer import FHIR, Customer, Scene, build_mbi, build_parameters, build_patient, read_text
from emulator_exports import ask, fetch, find_extension, finish, poll, read_all

ACCEPT = "`Accept:` header must specify valid FHIR content type"
FORMAT = "'_outputFormat' query parameter must be 'application/fhir+ndjson', 'application/ndjson', or 'ndjson' "


def test_an_export_of_a_group_is_accepted(roster: Scene) -> None:
    """contract-v1 10.1: 202, empty, Content-Location; no X-Provenance."""
    answer = ask(roster.customer, f"/Group/{roster.group_id}")
    base = roster.customer.emulator.v1_url
    assert (answer.status_code, answer.content) == (202, b"")
    assert re.fullmatch(re.escape(base) + r"/Jobs/[0-9a-f-]{36}", answer.headers["Content-Location"])


def test_two_exports_are_two_jobs(roster: Scene) -> None:
    """contract-v1 10.1: no limit, no de-duplication."""
    answers = [ask(roster.customer, f"/Group/{roster.group_id}") for _ in range(2)]
    assert len({answer.headers["Content-Location"] for answer in answers}) == 2


@pytest.mark.parametrize("accept", ["*/*", None, "application/json", f"{FHIR}, */*;q=0.1"])
def test_a_wildcard_accept_is_a_415(roster: Scene, accept: str | None) -> None:
    """contract-v1 1.3 and 10.1."""
    answer = ask(roster.customer, f"/Group/{roster.group_id}", headers={"Accept": accept})
    assert (answer.status_code, read_text(answer)) == (415, ACCEPT)


@pytest.mark.parametrize("asked", ["application%2Ffhir%2Bndjson", "APPLICATION/NDJSON", "ndjson", "Ndjson"])
def test_three_output_formats_in_any_case(roster: Scene, asked: str) -> None:
    """contract-v1 10.1."""
    assert ask(roster.customer, f"/Group/{roster.group_id}", f"?_outputFormat={asked}").status_code == 202


@pytest.mark.parametrize("asked", ["application/fhir+ndjson", "json", ""])
def test_another_output_format_is_a_400(roster: Scene, asked: str) -> None:
    """contract-v1 10.1: a bare plus is a space; the text ends with a space."""
    answer = ask(roster.customer, f"/Group/{roster.group_id}", f"?_outputFormat={asked}")
    assert (answer.status_code, read_text(answer)) == (400, FORMAT)


@pytest.mark.parametrize("prefer", [None, "Respond-Async", "respond-async; wait=5", ""])
def test_prefer_must_be_exact(roster: Scene, prefer: str | None) -> None:
    """contract-v1 10.1."""
    answer = ask(roster.customer, f"/Group/{roster.group_id}", headers={"Prefer": prefer})
    assert (answer.status_code, read_text(answer)) == (400, "The 'Prefer' header must be 'respond-async'")


def test_a_group_without_members_is_a_406(scene: Scene) -> None:
    """contract-v1 10.1: a business answer."""
    group_id = scene.customer.create_group(scene.practitioner, [])["id"]
    answer = ask(scene.customer, f"/Group/{group_id}", "?_type=Nothing")
    assert (answer.status_code, read_text(answer)) == (406, "Cannot perform export with no beneficiaries")


def test_a_group_of_inactive_members_is_a_406(roster: Scene) -> None:
    """contract-v1 10.1."""
    assert roster.remove(roster.patients[:2]).status_code == 200
    answer = ask(roster.customer, f"/Group/{roster.group_id}")
    assert (answer.status_code, read_text(answer)) == (406, "No active attributed patients found for the group")


def test_types_are_checked_by_name(roster: Scene) -> None:
    """contract-v1 10.1: any case, the unknown one is named."""
    path = f"/Group/{roster.group_id}"
    answer = ask(roster.customer, path, "?_type=patient,Claim")
    text = "Unsupported resource name in the '_type' query parameter: Claim"
    assert (answer.status_code, read_text(answer)) == (400, text)
    found = read_all(roster.customer, finish(roster.customer, ask(roster.customer, path, "?_type=patient,COVERAGE")))
    assert set(found) == {"Patient", "Coverage"}


@pytest.mark.parametrize(
    ("since", "index"),
    [
        ("yesterday", 0),
        ("2020-01-01", 10),
        ("2020-01-01T00:00:00", 19),
        ("2020-01-01T00:00:00+05:00", 19),
        ("2020-13-01T00:00:00Z", 5),
    ],
)
def test_an_unreadable_since_names_the_index(roster: Scene, since: str, index: int) -> None:
    """contract-v1 10.1: single backticks; a bare plus is a space."""
    answer = ask(roster.customer, f"/Group/{roster.group_id}", f"?_since={since}")
    text = f"_since parameter `{since.replace('+', ' ')}` could not be parsed at index {index}"
    assert (answer.status_code, read_text(answer)) == (400, text)


def test_a_future_since_is_a_400(roster: Scene) -> None:
    """contract-v1 10.1."""
    since = (roster.customer.emulator.now() + timedelta(days=1)).isoformat()
    answer = ask(roster.customer, f"/Group/{roster.group_id}", f"?_since={quote(since)}")
    assert (answer.status_code, read_text(answer)) == (400, "'_since' query parameter cannot be a future date")


def test_html_in_an_argument_is_a_400(roster: Scene) -> None:
    """contract-v1 1.4."""
    answer = ask(roster.customer, f"/Group/{roster.group_id}", "?_type=%3Cb%3E")
    assert answer.status_code == 400
    assert "Cannot contain HTML" in read_text(answer)


def test_the_checks_come_in_order(roster: Scene) -> None:
    """contract-v1 10.1: each complaint hides those behind it."""
    customer, headers = roster.customer, {"Accept": "*/*", "Prefer": None}
    bad = "?_outputFormat=x&_type=x&_since=x"
    unknown = ask(customer, f"/Group/{uuid.uuid4()}", bad, headers=headers)
    assert (unknown.status_code, read_text(unknown)) == (404, "Group not found")
    own = f"/Group/{roster.group_id}"
    assert ask(customer, own, bad, headers=headers).status_code == 415
    assert read_text(ask(customer, own, bad, headers={"Prefer": None})) == FORMAT
    assert "Prefer" in read_text(ask(customer, own, "?_type=x&_since=x", headers={"Prefer": None}))
    assert "_type" in read_text(ask(customer, own, "?_type=x&_since=x"))
    assert "_since" in read_text(ask(customer, own, "?_since=x"))


@pytest.mark.control
def test_a_group_of_another_organisation_is_a_404(roster: Scene, stranger: Customer) -> None:
    """contract-v1 3.1."""
    answer = ask(stranger, f"/Group/{roster.group_id}")
    assert (answer.status_code, read_text(answer)) == (404, "Group not found")


def test_a_patients_export_needs_provenance_format_and_prefer(roster: Scene) -> None:
    """contract-v1 8 and 14.34: no default format here."""
    customer, path = roster.customer, f"/Patient/{roster.patients[0]}"
    answer = ask(customer, path, "?_outputFormat=ndjson")
    assert (answer.status_code, read_text(answer)) == (400, "Must have X-Provenance header")
    answer = ask(customer, path, "?_outputFormat=ndjson", provenance={**roster.provenance, "recorded": None})
    assert answer.status_code == 422
    assert read_text(ask(customer, path, provenance=roster.provenance)) == FORMAT
    answer = ask(customer, path, "?_outputFormat=ndjson", provenance=roster.provenance, headers={"Prefer": None})
    assert "Prefer" in read_text(answer)
    found = read_all(
        customer, finish(customer, ask(customer, path, "?_outputFormat=ndjson", provenance=roster.provenance))
    )
    assert len(found["Patient"]) == 1


@pytest.mark.control
def test_a_job_is_queued_runs_and_is_done(roster: Scene) -> None:
    """contract-v1 10.2: X-Progress, no body, no Retry-After."""
    customer = roster.customer
    customer.emulator.change_settings(export_polls=3)
    location = ask(customer, f"/Group/{roster.group_id}").headers["Content-Location"]
    answers = [poll(customer, location) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 200]
    assert [answer.headers.get("X-Progress") for answer in answers] == ["QUEUED: 0.00%", "RUNNING: 50.00%", None]
    assert [answer.content for answer in answers[:2]] == [b"", b""]
    assert "Retry-After" not in answers[0].headers


@pytest.mark.control
def test_a_job_ends_with_the_clock_too(roster: Scene) -> None:
    """Control surface: a minute is enough, however few the polls."""
    customer = roster.customer
    customer.emulator.change_settings(export_polls=100)
    location = ask(customer, f"/Group/{roster.group_id}").headers["Content-Location"]
    assert poll(customer, location).status_code == 202
    customer.emulator.advance("PT1M")
    assert poll(customer, location).status_code == 200


def test_the_completion_names_every_file(roster: Scene) -> None:
    """contract-v1 10.2."""
    customer, asked_at = roster.customer, roster.customer.emulator.now()
    asked = ask(customer, f"/Group/{roster.group_id}", "?_type=Patient")
    completed = finish(customer, asked)
    assert list(completed) == [
        "transactionTime", "request", "requiresAccessToken", "output", "error", "extension",
    ]  # fmt: skip
    assert completed["request"].endswith(f"/Group/{roster.group_id}/$export_type=Patient")
    assert completed["requiresAccessToken"] is True
    (patient,) = completed["output"]
    base = re.escape(customer.emulator.v1_url)
    assert re.fullmatch(base + r"/Data/[0-9a-f-]{36}-0\.patient\.ndjson", patient["url"])
    assert (patient["type"], patient["count"], completed["error"]) == ("Patient", 2, [])
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", find_extension(patient, "checksum"))
    assert find_extension(patient, "file_length") > 0
    for name in ("submit_time", "complete_time"):
        at = find_extension(completed, name)
        assert at.endswith("+00:00") and datetime.fromisoformat(at) >= asked_at - timedelta(minutes=1)


@pytest.mark.control
def test_a_job_expires_a_day_after_its_completion(roster: Scene) -> None:
    """contract-v1 10.2: Expires, then 410 without a body."""
    customer, emulator = roster.customer, roster.customer.emulator
    location = ask(customer, f"/Group/{roster.group_id}").headers["Content-Location"]
    poll(customer, location)
    answer = poll(customer, location)
    expires_at = parsedate_to_datetime(answer.headers["Expires"])
    assert timedelta() <= emulator.now() + timedelta(hours=24) - expires_at < timedelta(seconds=1)
    url = answer.json()["output"][0]["url"]
    emulator.advance("PT24H")
    customer.log_in()
    assert poll(customer, location).status_code == 200
    emulator.advance("PT1S")
    answer = poll(customer, location)
    assert (answer.status_code, answer.content) == (410, b"")
    assert (fetch(customer, url).status_code, fetch(customer, url).content) == (410, b"")
    assert fetch(customer, url, "HEAD").status_code == 200


@pytest.mark.control
def test_a_failed_batch_fails_the_job_for_good(customer: Customer) -> None:
    """contract-v1 10.2: 500, permanent; patients are worked on in batches of a hundred."""
    emulator = customer.emulator
    patients = [build_patient(build_mbi(number)) for number in range(101)]
    entries = customer.send("POST", "/Patient/$submit", build_parameters(patients)).json()["entry"]
    ids = [entry["resource"]["id"] for entry in entries]
    practitioner = customer.create_practitioner()
    group_id = customer.create_group(practitioner, ids)["id"]
    emulator.change_settings(export_polls=1, failing_batch=3)
    whole = finish(customer, ask(customer, f"/Group/{group_id}", "?_type=Patient"))
    assert [one["count"] for one in whole["output"]] == [100, 1]
    emulator.change_settings(failing_batch=2)
    location = ask(customer, f"/Group/{group_id}").headers["Content-Location"]
    first = poll(customer, location)
    emulator.change_settings(failing_batch=0)
    second = poll(customer, location)
    assert [first.status_code, second.status_code] == [500, 500]
    assert first.json()["message"].startswith("There was an error processing your request. It has been logged (ID ")


def test_unknown_jobs_are_bare_words_that_call_themselves_json(customer: Customer) -> None:
    """contract-v1 10.2."""
    answer = poll(customer, str(uuid.uuid4()))
    assert (answer.status_code, answer.text) == (404, "Could not find job")
    assert answer.headers["Content-Type"] == "application/json"
    answer = poll(customer, "42")
    assert (answer.status_code, answer.json()["code"]) == (500, 500)


@pytest.mark.control
def test_another_organisations_job_is_a_401_in_bare_words(roster: Scene, stranger: Customer) -> None:
    """contract-v1 10.2: not a token problem."""
    answer = poll(stranger, ask(roster.customer, f"/Group/{roster.group_id}").headers["Content-Location"])
    assert (answer.status_code, answer.text) == (401, "Invalid organization for job")


def test_jobs_negotiate_json(customer: Customer) -> None:
    """contract-v1 1.3: a FHIR Accept is a 406."""
    assert customer.send("GET", f"/Jobs/{uuid.uuid4()}").status_code == 406


@pytest.mark.control
def test_a_since_at_the_transaction_ends_at_once_without_output(roster: Scene) -> None:
    """contract-v1 10.2."""
    customer = roster.customer
    since = quote(customer.emulator.now().astimezone(UTC).isoformat())
    asked = ask(customer, f"/Group/{roster.group_id}", f"?_since={since}")
    answer = poll(customer, asked.headers["Content-Location"])
    assert (answer.status_code, answer.json()["output"], answer.json()["error"]) == (200, [], [])


@pytest.mark.control
def test_members_past_their_end_are_exported_until_the_job_flags_them(roster: Scene) -> None:
    """contract-v1 9.6: export looks only at the flag."""
    customer, emulator = roster.customer, roster.customer.emulator
    now = emulator.now().replace(minute=30, second=0, microsecond=0)
    emulator.set_clock(now)
    customer.log_in()
    assert roster.replace(roster.patients[:1]).status_code == 200
    emulator.advance("P90DT10M")
    customer.log_in()
    assert ask(customer, f"/Group/{roster.group_id}").status_code == 202
    emulator.advance("PT20M")
    customer.log_in()
    assert ask(customer, f"/Group/{roster.group_id}").status_code == 406
