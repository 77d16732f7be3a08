"""POST /api/v1/plans/{id}/apply."""

from __future__ import annotations

import pytest
from web_stage import OURS, WELLS, Stage, check_problem

from service.workflows.plans import PlanHead, find_plans, view_plan


@pytest.fixture
def plan(planned: Stage) -> PlanHead:
    return find_plans(planned.runtime, OURS)[0]


def test_a_signed_plan_is_sent_in_the_background(planned: Stage, plan: PlanHead) -> None:
    planned.sign(view_plan(planned.runtime, OURS, plan.id))
    answer = planned.browse().post(f"/api/v1/plans/{plan.id}/apply", headers=planned.bearer("signer"))
    assert answer.status_code == 202
    planned.settle()
    followed = planned.browse().get(answer.headers["Location"], headers=planned.bearer("reader"))
    assert followed.json is not None and followed.json["head"]["state"] == "applied"
    shown = planned.browse().get(f"/api/v1/practitioners/{WELLS}/attributions", headers=planned.bearer("reader"))
    assert shown.json is not None
    assert sum(item["bucket"] == "61-90" for item in shown.json["items"]) == 6


def test_without_a_token_nothing_is_sent(planned: Stage, plan: PlanHead) -> None:
    check_problem(planned.browse().post(f"/api/v1/plans/{plan.id}/apply"), 401, "not_authenticated")


def test_a_client_that_only_reads_does_not_apply(planned: Stage, plan: PlanHead) -> None:
    answer = planned.browse().post(f"/api/v1/plans/{plan.id}/apply", headers=planned.bearer("reader"))
    check_problem(answer, 403, "not_allowed")


def test_a_plan_that_does_not_exist_is_not_found(planned: Stage) -> None:
    answer = planned.browse().post("/api/v1/plans/none/apply", headers=planned.bearer("signer"))
    check_problem(answer, 404, "not_found")


def test_a_plan_that_nobody_signed_is_not_sent(planned: Stage, plan: PlanHead) -> None:
    requests = len(planned.emulator.log())
    answer = planned.browse().post(f"/api/v1/plans/{plan.id}/apply", headers=planned.bearer("signer"))
    check_problem(answer, 409, "unsigned")
    planned.settle()
    assert len(planned.emulator.log()) == requests


def test_a_plan_that_was_applied_is_not_sent_again(begun: Stage) -> None:
    applied = find_plans(begun.runtime, OURS)[0]
    answer = begun.browse().post(f"/api/v1/plans/{applied.id}/apply", headers=begun.bearer("signer"))
    check_problem(answer, 409, "wrong_state")
