"""GET /api/v1/attestations, /api/v1/attestations/{id} and /api/v1/ledger/checkpoints."""

from __future__ import annotations

import json

from web_stage import OURS, RIVERS, WELLS, Stage, check_problem

from service.workflows.prove import make_checkpoint


def test_attestations_are_listed_in_pages_and_read_one_by_one(begun: Stage) -> None:
    headers = begun.bearer("reader")
    seen, address = [], "/api/v1/attestations?limit=1"
    while address:
        answer = begun.browse().get(address, headers=headers)
        assert answer.status_code == 200 and answer.json is not None
        seen += answer.json["items"]
        link = answer.headers.get("Link", "<>")
        address = link[1 : link.index(">")]
    assert {item["npi"] for item in seen} == {WELLS, RIVERS}
    assert all(item["state"] == "landed" for item in seen)
    one = begun.browse().get(f"/api/v1/attestations/{seen[0]['attempt_id']}", headers=headers)
    assert one.json == seen[0]
    assert json.loads(seen[0]["provenance"])["resourceType"] == "Provenance"


def test_checkpoints_are_listed(begun: Stage) -> None:
    made = make_checkpoint(begun.runtime, OURS)
    answer = begun.browse().get("/api/v1/ledger/checkpoints", headers=begun.bearer("monitor"))
    assert made is not None and answer.json is not None
    assert answer.json["items"][0]["note"] == made.note


def test_without_a_token_nothing_is_proved(stage: Stage) -> None:
    for address in ("/api/v1/attestations", "/api/v1/attestations/x", "/api/v1/ledger/checkpoints"):
        check_problem(stage.browse().get(address), 401, "not_authenticated")


def test_a_cursor_that_no_list_gave_out_is_refused(begun: Stage) -> None:
    for cursor in ("x", "2026-01-01~", "2026-01-01T00:00:00~x"):
        answer = begun.browse().get(f"/api/v1/attestations?cursor={cursor}", headers=begun.bearer("reader"))
        check_problem(answer, 422, "invalid_input")


def test_an_attestation_that_does_not_exist_is_not_found(begun: Stage) -> None:
    answer = begun.browse().get("/api/v1/attestations/none", headers=begun.bearer("reader"))
    check_problem(answer, 404, "not_found")
