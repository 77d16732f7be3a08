"""POST /api/v1/plans/{id}/sign-offs."""

from __future__ import annotations

import pytest
from web_stage import ATTESTER, OURS, Stage, check_problem

from service.workflows.plans import PlanHead, find_plans, view_plan


@pytest.fixture
def plan(planned: Stage) -> PlanHead:
    return find_plans(planned.runtime, OURS)[0]


def test_the_person_behind_the_client_signs_the_fingerprint(planned: Stage, plan: PlanHead) -> None:
    wish = {"fingerprint": plan.fingerprint, "reason": "read it with the charts beside me"}
    answer = planned.browse().post(f"/api/v1/plans/{plan.id}/sign-offs", json=wish, headers=planned.bearer("signer"))
    assert answer.status_code == 201 and answer.json is not None
    assert answer.json["state"] == "signed"
    (sign_off,) = view_plan(planned.runtime, OURS, plan.id).sign_offs
    assert (sign_off.person, sign_off.reason) == (ATTESTER, wish["reason"])


def test_without_a_token_nobody_signs(planned: Stage, plan: PlanHead) -> None:
    check_problem(planned.browse().post(f"/api/v1/plans/{plan.id}/sign-offs", json={}), 401, "not_authenticated")


def test_a_client_that_only_reads_does_not_sign(planned: Stage, plan: PlanHead) -> None:
    wish = {"fingerprint": plan.fingerprint, "reason": "may I"}
    answer = planned.browse().post(f"/api/v1/plans/{plan.id}/sign-offs", json=wish, headers=planned.bearer("reader"))
    check_problem(answer, 403, "not_allowed")


@pytest.mark.parametrize(
    "wish",
    [
        {},
        {"fingerprint": "0" * 64},
        {"fingerprint": "é" * 64, "reason": "right"},
        {"fingerprint": "0" * 64, "reason": "right", "colour": "blue"},
        {"fingerprint": "0" * 64, "reason": ""},
    ],
)
def test_a_body_that_is_no_sign_off_names_its_mistakes(planned: Stage, plan: PlanHead, wish: dict[str, str]) -> None:
    answer = planned.browse().post(f"/api/v1/plans/{plan.id}/sign-offs", json=wish, headers=planned.bearer("signer"))
    check_problem(answer, 422, "unprocessable_entity")
    assert answer.json is not None and answer.json["mistakes"]


def test_a_body_that_is_no_json_is_refused(planned: Stage, plan: PlanHead) -> None:
    headers = planned.bearer("signer") | {"Content-Type": "application/json"}
    answer = planned.browse().post(f"/api/v1/plans/{plan.id}/sign-offs", data="{", headers=headers)
    check_problem(answer, 400, "bad_request")


def test_another_fingerprint_is_not_what_would_be_signed(planned: Stage, plan: PlanHead) -> None:
    wish = {"fingerprint": "0" * 64, "reason": "read it"}
    answer = planned.browse().post(f"/api/v1/plans/{plan.id}/sign-offs", json=wish, headers=planned.bearer("signer"))
    check_problem(answer, 409, "stale_plan")
    assert find_plans(planned.runtime, OURS)[0].state == "drafted"


def test_a_plan_that_does_not_exist_is_not_found(planned: Stage) -> None:
    wish = {"fingerprint": "0" * 64, "reason": "read it"}
    answer = planned.browse().post("/api/v1/plans/none/sign-offs", json=wish, headers=planned.bearer("signer"))
    check_problem(answer, 404, "not_found")


def test_a_plan_is_signed_once(planned: Stage, plan: PlanHead) -> None:
    wish = {"fingerprint": plan.fingerprint, "reason": "read it"}
    address, headers = f"/api/v1/plans/{plan.id}/sign-offs", planned.bearer("signer")
    assert planned.browse().post(address, json=wish, headers=headers).status_code == 201
    check_problem(planned.browse().post(address, json=wish, headers=headers), 409, "wrong_state")
