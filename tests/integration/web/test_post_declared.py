"""What the sender declares beside a posted file: its kind, its name, its number, its date."""

from __future__ import annotations

import json
from typing import Any

import pytest
from web_stage import FEED, FIRST_ROSTER, OURS, RIVERS, WELLS, Stage, check_problem, write_mbi, write_roster
from werkzeug.test import TestResponse

from service.domain.people import Actor
from service.web.api.digests import read_file_name
from service.workflows.feeds import set_feed

ADDRESS = f"/api/v1/feeds/{FEED}/deliveries"
ROSTER = write_roster(FIRST_ROSTER)
SHRUNK = write_roster({WELLS: range(11), RIVERS: range(12, 20)})
PAIRS = [{"mbi": write_mbi(n), "npi": WELLS} for n in range(9)]


def post(stage: Stage, body: bytes, content_type: str | None = "text/csv", **headers: str) -> TestResponse:
    """Post a file as a machine does that waits for the reading."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = stage.bearer("feeder") | {"Prefer": "wait=30"} | named
    return stage.browse().post(ADDRESS, data=body, headers=sent, content_type=content_type)


def list_kept(stage: Stage) -> list[dict[str, Any]]:
    """All deliveries, newest first."""
    listed = stage.browse().get("/api/v1/deliveries", headers=stage.bearer("feeder")).json
    assert listed is not None
    found: list[dict[str, Any]] = listed["items"]
    return found


def test_bytes_that_came_under_a_wrong_type_come_anew_under_the_right_one(stage: Stage) -> None:
    body = json.dumps(PAIRS).encode()
    names = {"X_Roster_Sequence": "7", "Idempotency_Key": "monday"}
    check_problem(post(stage, body, "text/csv", **names), 422, "unsupported_format_mismatch")
    check_problem(post(stage, body, "Text/CSV; charset=utf-8", **names), 422, "unsupported_format_mismatch")
    first = post(stage, body, "application/json", **names)
    assert first.status_code == 202 and first.json is not None
    assert (first.json["number"], first.json["state"], first.json["sequence"]) == (2, "accepted", "7")
    for content_type in ("application/json", "application/fhir+json", "text/csv"):  # it counts by now
        again = post(stage, body, content_type, **names)
        assert again.status_code == 200 and again.json is not None and again.json["number"] == 2
        assert post(stage, body, content_type).status_code == 200
    assert [one["state"] for one in list_kept(stage)] == ["accepted", "rejected"]


NAMES: list[dict[str, str]] = [{"Idempotency_Key": "2026-11-20"}, {"X_Roster_Sequence": "7"}, {}]


@pytest.mark.parametrize("names", NAMES, ids=["by its key", "by its number", "by nothing"])
def test_a_file_is_sent_again_as_it_is_once_its_columns_are_named(stage: Stage, names: dict[str, str]) -> None:
    body = ROSTER.replace(b"MBI,", b"Member Number,", 1)
    for _ in range(2):
        check_problem(post(stage, body, **names), 422, "header_unrecognised")
    set_feed(stage.runtime, OURS, FEED, {"column_mapping": {"mbi": "Member Number"}}, Actor.operator())
    assert [post(stage, body, **names).status_code for _ in range(3)] == [202, 200, 200]
    assert [one["state"] for one in list_kept(stage)] == ["accepted", "rejected"]


@pytest.mark.parametrize("date", [{"X_Roster_As_Of": "2026-11-20T00:00:00Z"}, {}], ids=["right", "none"])
@pytest.mark.parametrize("names", NAMES, ids=["by its key", "by its number", "by nothing"])
def test_a_file_of_the_future_is_sent_again_with_another_date(
    stage: Stage, names: dict[str, str], date: dict[str, str]
) -> None:
    for _ in range(2):
        check_problem(post(stage, ROSTER, X_Roster_As_Of="2026-12-24T00:00:00Z", **names), 422, "future_input")
    again = names | date
    assert [post(stage, ROSTER, **again).status_code for _ in range(3)] == [202, 200, 200]
    assert [one["state"] for one in list_kept(stage)] == ["accepted", "rejected"]


def test_another_type_is_no_news_of_a_file_that_counts(stage: Stage) -> None:
    assert post(stage, ROSTER, "text/csv").status_code == 202
    assert post(stage, ROSTER, "application/octet-stream").status_code == 200
    assert post(stage, ROSTER, "application/pdf").status_code == 200


@pytest.mark.parametrize("content_type", ["application/pdf", "image/png", "application/zip", "application/fhir+xml"])
def test_a_roster_that_is_called_something_else_is_refused(stage: Stage, content_type: str) -> None:
    check_problem(post(stage, ROSTER, content_type), 422, "unsupported_format_mismatch")


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/octet-stream", "application/x-unknown"])
def test_a_roster_without_a_telling_type_is_taken(stage: Stage, content_type: str | None) -> None:
    assert post(stage, ROSTER, content_type).status_code == 202


@pytest.mark.parametrize("content_type", ["multipart/form-data; boundary=x", "application/x-www-form-urlencoded"])
def test_a_form_is_refused_and_the_sender_told_how_to_send_the_file(stage: Stage, content_type: str) -> None:
    refused = post(stage, b"--x\r\n" + ROSTER, content_type)
    check_problem(refused, 415, "unsupported_media_type")
    assert refused.json is not None and "--data-binary @FILE" in refused.json["next_action"]
    assert list_kept(stage) == []


@pytest.mark.parametrize(
    ("disposition", "signal", "ended"),
    [
        (None, "none", 1),
        ('attachment; filename="roster.csv"', "none", 1),
        ('attachment; filename="turnover_changes.csv"', "delta", 0),
        ("attachment; filename=roster.csv; filename*=UTF-8''DELTA%20of%20today.csv", "delta", 0),
    ],
)
def test_a_file_name_weakens_the_feed_and_is_not_kept(
    stage: Stage, disposition: str | None, signal: str, ended: int
) -> None:
    assert post(stage, ROSTER).status_code == 202
    named = {"Content_Disposition": disposition} if disposition else {}
    answer = post(stage, SHRUNK, **named)
    assert answer.json is not None
    assert (answer.status_code, answer.json["mode_signal"]) == (202, signal)
    assert (answer.json["ended_count"], answer.json["removals_reason"] is None) == (1, ended == 1)
    assert "csv" not in {value for value in answer.json.values() if isinstance(value, str)} - {answer.json["format"]}


@pytest.mark.parametrize(
    ("disposition", "name"),
    [
        (None, None),
        ("attachment", None),
        ('attachment; filename="a;b.csv"', "a;b.csv"),
        ("attachment; FileName = delta.csv", "delta.csv"),
        ("attachment; filename*=UTF-8''turn%6Fver.csv; filename=a.csv", "UTF-8''turnover.csv a.csv"),
    ],
)
def test_every_file_name_of_the_header_is_read(disposition: str | None, name: str | None) -> None:
    assert read_file_name(disposition) == name


@pytest.mark.parametrize("header", ["X_Roster_Sequence", "Idempotency_Key"])
@pytest.mark.parametrize("value", ["1S00E00AA12", "1s00-e00-aa12", "987654329A", "WA987654329", "of 987-65-4329"])
def test_a_number_or_key_that_holds_a_patients_number_is_refused_unkept(stage: Stage, header: str, value: str) -> None:
    refused = post(stage, ROSTER, **{header: value})
    check_problem(refused, 422, "invalid_input")
    assert refused.json is not None and "a patient's number" in refused.json["detail"]
    assert value not in refused.text
    assert list_kept(stage) == []
    assert not [path for path in stage.runtime.settings.uploads_dir.rglob("*") if path.is_file()]


def test_a_key_of_nine_digits_is_refused_and_a_number_of_nine_is_taken(stage: Stage) -> None:
    check_problem(post(stage, ROSTER, Idempotency_Key="987654329"), 422, "invalid_input")
    assert post(stage, ROSTER, X_Roster_Sequence="987654329").status_code == 202


@pytest.mark.parametrize(
    "key", ["2026-11-20", "20261120T100000Z", "d2f1c1de-3b1c-4c53-a123-123456789abc", "1763683200"]
)
def test_usual_keys_are_taken(stage: Stage, key: str) -> None:
    assert post(stage, ROSTER, Idempotency_Key=key).status_code == 202


def test_a_file_of_the_future_is_refused_while_its_sender_waits(stage: Stage) -> None:
    for _ in range(2):
        refused = post(stage, ROSTER, X_Roster_As_Of="2026-12-24T00:00:00Z")
        check_problem(refused, 422, "future_input")
        assert refused.json is not None and "in the future" in refused.json["detail"]
        assert "delivery 1" in refused.json["next_action"]
    assert post(stage, ROSTER, X_Roster_As_Of="2026-11-20T00:00:00Z").status_code == 202


def test_a_file_with_the_number_of_another_is_in_conflict_by_its_envelope_too(stage: Stage) -> None:
    first, other = ({"sequence": "7", "pairs": PAIRS[:n]} for n in (9, 8))
    assert post(stage, json.dumps(first).encode(), "application/json").status_code == 202
    for _ in range(2):
        refused = post(stage, json.dumps(other).encode(), "application/json")
        check_problem(refused, 409, "sequence_repeats")
        assert refused.json is not None and "delivery 2" in refused.json["next_action"]
    assert [one["state"] for one in list_kept(stage)] == ["held", "accepted"]
