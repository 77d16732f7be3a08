"""POST /api/v1/feeds/{feed}/deliveries."""

from __future__ import annotations

import base64
import hashlib
import io
import threading
from contextlib import ExitStack

import pytest
from web_stage import FEED, FIRST_ROSTER, OURS, THEIRS, Stage, check_problem, write_roster
from werkzeug.datastructures import Headers

from service.domain.people import Actor
from service.web.api.digests import read_patience
from service.web.app import close_app, create_app
from service.web.background import WORKERS
from service.web.deferred import WAITING_BOUND
from service.web.places import load_parts
from service.web.security import UPLOAD_LIMIT
from service.workflows.deliveries import load_delivery
from service.workflows.receive import Upload, receive

ADDRESS = f"/api/v1/feeds/{FEED}/deliveries"
ROSTER = write_roster(FIRST_ROSTER)


def test_a_posted_file_is_receipted_at_once_and_read_soon(stage: Stage) -> None:
    answer = stage.browse().post(ADDRESS, data=ROSTER, headers=stage.bearer("feeder"))
    assert answer.status_code == 202 and answer.json is not None
    assert answer.json["sha256"] == hashlib.sha256(ROSTER).hexdigest()
    stage.settle()
    followed = stage.browse().get(answer.headers["Location"], headers=stage.bearer("feeder"))
    assert followed.json is not None
    assert (followed.json["state"], followed.json["present_count"]) == ("accepted", 20)


def test_the_headers_say_what_the_file_is(stage: Stage) -> None:
    digest = base64.b64encode(hashlib.sha256(ROSTER).digest()).decode()
    headers = stage.bearer("feeder") | {
        "Content-Type": "text/csv",
        "X-Roster-Mode": "delta",
        "X-Roster-As-Of": "2026-11-20T08:00:00-05:00",
        "X-Roster-Sequence": "41",
        "Content-Digest": f"sha-256=:{digest}:",
    }
    answer = stage.browse().post(ADDRESS, data=ROSTER, headers=headers)
    assert answer.status_code == 202 and answer.json is not None
    assert answer.json["as_of_at"] == "2026-11-20T13:00:00Z"
    assert (answer.json["mode"], answer.json["sequence"]) == ("delta", "41")


def test_a_file_of_unknown_length_is_taken_in_pieces(stage: Stage) -> None:
    answer = stage.browse().post(
        ADDRESS,
        input_stream=io.BytesIO(ROSTER),
        headers=stage.bearer("feeder") | {"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )
    assert answer.status_code == 202 and answer.json is not None
    assert answer.json["size"] == len(ROSTER)


def test_without_a_token_nothing_is_kept(stage: Stage) -> None:
    check_problem(stage.browse().post(ADDRESS, data=ROSTER), 401, "not_authenticated")
    listed = stage.browse().get("/api/v1/deliveries", headers=stage.bearer("feeder"))
    assert listed.json is not None and listed.json["items"] == []


def test_a_token_without_the_scope_may_not_send(stage: Stage) -> None:
    check_problem(stage.browse().post(ADDRESS, data=ROSTER, headers=stage.bearer("monitor")), 403, "not_allowed")


@pytest.mark.parametrize(
    "header",
    [
        {"X-Roster-Mode": "guess"},
        {"X-Roster-As-Of": "yesterday"},
        {"X-Roster-As-Of": "2026-11-20T08:00:00"},
        {"X-Roster-As-Of": "0001-01-01T00:00:00+14:00"},
        {"X-Roster-As-Of": "9999-12-31T23:59:59-14:00"},
        {"Content-Digest": "sha-256=:AAAA:"},
        {"Digest": "sha-256=" + base64.b64encode(bytes(32)).decode()},
    ],
    ids=lambda header: next(iter(header)) + "=" + next(iter(header.values()))[:12],
)
def test_a_header_that_is_wrong_refuses_the_file(stage: Stage, header: dict[str, str]) -> None:
    answer = stage.browse().post(ADDRESS, data=ROSTER, headers=stage.bearer("feeder") | header)
    check_problem(answer, 422, "invalid_input")
    assert answer.json is not None and "end the file again" in answer.json["next_action"]


def test_an_empty_file_is_refused(stage: Stage) -> None:
    assert stage.browse().post(ADDRESS, data=b"", headers=stage.bearer("feeder")).status_code == 422


@pytest.mark.parametrize("is_declared", [True, False])
def test_a_file_beyond_64_mib_is_refused_whether_or_not_it_says_so(stage: Stage, is_declared: bool) -> None:
    body = bytes(UPLOAD_LIMIT + 1)
    if is_declared:
        answer = stage.browse().post(ADDRESS, data=body, headers=stage.bearer("feeder"))
    else:
        answer = stage.browse().post(
            ADDRESS,
            input_stream=io.BytesIO(body),
            headers=stage.bearer("feeder"),
            environ_overrides={"wsgi.input_terminated": True},
        )
    check_problem(answer, 413, "request_entity_too_large")
    assert not list((stage.runtime.settings.uploads_dir).rglob("*.*"))


def test_a_feed_that_does_not_exist_is_not_found(stage: Stage) -> None:
    answer = stage.browse().post("/api/v1/feeds/nowhere/deliveries", data=ROSTER, headers=stage.bearer("feeder"))
    check_problem(answer, 404, "not_found")


def test_a_queue_that_is_full_asks_the_sender_to_come_back(stage: Stage) -> None:
    for n in range(WAITING_BOUND + 1):
        receive(stage.runtime, OURS, FEED, io.BytesIO(b"MBI,NPI\n%d" % n), Upload(), Actor.operator())
    answer = stage.browse().post(ADDRESS, data=ROSTER, headers=stage.bearer("feeder"))
    check_problem(answer, 503, "service_unavailable")
    assert answer.headers["Retry-After"] == "30"


def test_files_that_arrive_count_as_waiting_for_their_own_organisation(stage: Stage) -> None:
    arrivals, statuses = load_parts(stage.app).arrivals, []
    for organization_id in (OURS, THEIRS):
        with ExitStack() as stack:
            for _ in range(WAITING_BOUND + 1):
                stack.enter_context(arrivals.count_in(organization_id))
            answer = stage.browse().post(ADDRESS, data=ROSTER, headers=stage.bearer("feeder"))
            statuses.append(answer.status_code)
    assert statuses == [503, 202]


def test_the_same_bytes_again_answer_with_the_first_receipt(stage: Stage) -> None:
    first = stage.browse().post(ADDRESS, data=ROSTER, headers=stage.bearer("feeder"))
    again = stage.browse().post(ADDRESS, data=ROSTER, headers=stage.bearer("feeder"))
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json is not None and again.json is not None
    assert first.json["id"] == again.json["id"]
    assert first.headers["Location"] == again.headers["Location"]


def test_an_idempotency_key_with_other_bytes_is_a_conflict(stage: Stage) -> None:
    headers = stage.bearer("feeder") | {"Idempotency-Key": "monday"}
    assert stage.browse().post(ADDRESS, data=ROSTER, headers=headers).status_code == 202
    check_problem(stage.browse().post(ADDRESS, data=ROSTER + b"\n", headers=headers), 409, "conflict")


def test_what_an_earlier_process_received_is_read_at_the_next_start(stage: Stage) -> None:
    stage.settle()  # the application of the stage looks for waiting files at its own start
    waiting = receive(stage.runtime, OURS, FEED, io.BytesIO(ROSTER), Upload(), Actor.operator()).delivery
    assert waiting.state == "received"
    app = create_app(stage.runtime)
    load_parts(app).pool.wait()
    close_app(app)
    assert load_delivery(stage.runtime, OURS, waiting.id).state == "accepted"


UNUSABLE = b"<?xml version='1.0'?><roster/>"


def test_a_file_that_cannot_be_used_is_refused_at_once_and_kept(stage: Stage) -> None:
    headers = stage.bearer("feeder") | {"Prefer": "wait=30"}
    for _ in range(2):  # the same bytes again are as little of use
        answer = stage.browse().post(ADDRESS, data=UNUSABLE, headers=headers)
        check_problem(answer, 422, "unsupported_format_xml")
        assert answer.json is not None and answer.json["type"] == "/api/docs#problem-unreadable_file"
        assert "send FHIR as JSON, or CSV" in answer.json["detail"] and "delivery 1" in answer.json["next_action"]
        kept = stage.browse().get(answer.headers["Location"], headers=stage.bearer("feeder")).json
        assert kept is not None and (kept["number"], kept["state"]) == (1, "rejected")


def test_a_sender_that_will_not_wait_follows_the_address(stage: Stage) -> None:
    headers = stage.bearer("feeder") | {"Prefer": "respond-async"}
    pool, go = load_parts(stage.app).pool, threading.Event()
    for n in range(WORKERS):
        pool.submit(n, lambda: go.wait(30))  # nothing can be read before these end
    answer = stage.browse().post(ADDRESS, data=UNUSABLE, headers=headers)
    go.set()
    assert answer.status_code == 202 and answer.json is not None and answer.json["state"] == "received"
    stage.settle()
    followed = stage.browse().get(answer.headers["Location"], headers=stage.bearer("feeder"))
    assert followed.json is not None and followed.json["state"] == "rejected"


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ([], 5),
        (["respond-async"], 0),
        (["respond-async, wait=10"], 10),
        (["respond-async", "wait=10"], 10),
        (["Wait=7; foo=bar"], 7),
        (['wait="0"'], 0),
        (["wait=99999999999999999999"], 30),
        (["wait=-1"], 5),
        (["wait=\u0663"], 5),
        (["return=minimal"], 5),
    ],
)
def test_how_long_an_answer_may_take_is_the_senders_wish(prefer: list[str], seconds: int) -> None:
    assert read_patience(Headers([("Prefer", wish) for wish in prefer])) == seconds
