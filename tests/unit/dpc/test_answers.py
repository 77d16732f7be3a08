"""Each text of DPC, in each of its shapes, becomes the class that says what may be done next."""

from __future__ import annotations

import orjson
import pytest

from service.dpc import errors
from service.dpc.answers import Answer, build_failure, build_refusal, find_problem_text, read_retry_after


def build_outcome(**issue: object) -> bytes:
    return orjson.dumps({"resourceType": "OperationOutcome", "issue": [{"severity": "error", **issue}]})


def build_answer(status: int, body: bytes, **headers: str) -> Answer:
    return Answer(status, headers, body)


TEXTS = [
    (400, "Roster limit reached", errors.RosterLimitReached, "roster_limit"),
    (
        403,
        "Could not create a roster for this provider as they already have one.  Try updating it instead, or first "
        "deleting it.",
        errors.GroupExists,
        "group_exists",
    ),
    (
        400,
        "All patients in group must exist. Cannot find 3 patient(s).",
        errors.UnknownPatients,
        "unknown_patients",
    ),
    (400, "Cannot find attribution relationship.", errors.NotAttributed, "not_attributed"),
    (404, "Unable to find attributable provider", errors.NotFoundAtDpc, "practitioner_unknown"),
    (404, "Group not found", errors.NotFoundAtDpc, "not_found"),
    (
        422,
        "Could not find provider defined in provenance header",
        errors.DpcRefused,
        "practitioner_unknown",
    ),
    (
        422,
        "Provenance header's provider does not match group provider",
        errors.DpcRefused,
        "npi_mismatch",
    ),
    (400, "Must have X-Provenance header", errors.DpcRefused, "provenance"),
    (415, "`Accept:` header must specify valid FHIR content type", errors.DpcRefused, "media_type"),
    (422, "Invalid Patient resource", errors.DpcRefused, "profile"),
    (400, "something nobody has seen", errors.DpcRefused, "refused"),
]


@pytest.mark.parametrize(("status", "text", "expected", "kind"), TEXTS)
def test_a_known_text_becomes_its_class_and_kind(
    status: int, text: str, expected: type[errors.DpcRefused], kind: str
) -> None:
    refusal = build_refusal(build_answer(status, build_outcome(details={"text": text})))
    assert type(refusal) is expected
    assert refusal.kind == kind
    assert refusal.status == status
    assert refusal.next_action


def test_the_number_of_unknown_patients_is_read_from_the_text() -> None:
    text = "All patients in group must exist. Cannot find 12 patient(s)."
    refusal = build_refusal(build_answer(400, build_outcome(details={"text": text})))
    assert isinstance(refusal, errors.UnknownPatients)
    assert refusal.count == 12


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (build_outcome(details={"text": "in the details"}), "in the details"),
        (build_outcome(diagnostics="in the diagnostics"), "in the diagnostics"),
        (build_outcome(details={"coding": [{"code": "IN_THE_CODE"}]}), "IN_THE_CODE"),
        (build_outcome(details={"text": " "}, diagnostics="second place"), "second place"),
        (orjson.dumps({"code": 400, "message": "plain JSON"}), "plain JSON"),
        (orjson.dumps({"id": "0", "errors": ["first", "second"]}), "first; second"),
        (b"Credentials are required to access this resource.", "Credentials are required to access this resource."),
        (build_outcome(details=None, diagnostics="beside null"), "beside null"),
        (
            build_outcome(expression=["Group.member"], details={"coding": None, "text": "with more fields"}),
            "with more fields",
        ),
        (build_outcome(), ""),
        (b"<html>Forbidden</html>", None),
        (b"", None),
        (b"[1]", None),
        (b'{"message":"Forbidden"}', None),
        (b'{"resourceType":"OperationOutcome","issue":"no list"}', ""),
    ],
)
def test_the_text_is_found_wherever_dpc_puts_it(body: bytes, text: str | None) -> None:
    assert find_problem_text(build_answer(400, body)) == text


@pytest.mark.parametrize(
    "body",
    [
        b"Credentials are required to access this resource.",
        build_outcome(details={"coding": [{"code": "MSG_AUTH_REQUIRED"}], "text": "HTTP 401 Unauthorized"}),
        orjson.dumps({"code": 401, "message": "Invalid JWT"}),
        b"",
    ],
)
def test_every_shape_of_401_is_a_lack_of_authority(body: bytes) -> None:
    assert type(build_refusal(build_answer(401, body))) is errors.NotAuthorized


def test_the_opaque_400_is_recognised_by_its_diagnostics() -> None:
    refusal = build_refusal(build_answer(400, build_outcome(diagnostics="HTTP 400 Bad Request")))
    assert refusal.kind == "opaque"


@pytest.mark.parametrize("status", [400, 403, 404, 405])
def test_a_refusal_in_no_shape_of_dpc_comes_from_the_edge(status: int) -> None:
    refusal = build_refusal(build_answer(status, b"<html>Forbidden</html>"))
    assert type(refusal) is errors.EdgeRefused
    assert refusal.text == ""


def test_429_comes_from_the_edge_and_brings_its_waiting_time() -> None:
    headers = {"retry-after": "Fri, 02 Jan 2026 00:01:30 GMT", "date": "Fri, 02 Jan 2026 00:00:00 GMT"}
    refusal = build_refusal(Answer(429, headers, b"{}"))
    assert isinstance(refusal, errors.EdgeRefused)
    assert refusal.retry_after == 90.0
    assert read_retry_after({"retry-after": "30"}) == 30.0
    assert read_retry_after({"retry-after": "soon"}) is None


@pytest.mark.parametrize("status", [100, 204 + 98, 402, 408, 409, 418, 499, 500, 501, 502, 503, 504, 599])
def test_a_write_is_only_refused_by_a_status_that_says_so(status: int) -> None:
    answer = build_answer(status, build_outcome(diagnostics="HAPI-1361: Failed to parse response"))
    assert type(build_failure(answer, is_write=True)) is errors.OutcomeUnknown


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (302, errors.DpcProtocolError),
        (409, errors.DpcRefused),
        (500, errors.DpcUnavailable),
        (503, errors.DpcUnavailable),
    ],
)
def test_a_failing_read_is_never_an_open_question(status: int, expected: type[errors.DpcError]) -> None:
    assert type(build_failure(build_answer(status, b""), is_write=False)) is expected
