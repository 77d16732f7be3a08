"""POST /api/v1/plans/{id}/holds/{hold}/decisions."""

from __future__ import annotations

import pytest
from web_stage import ATTESTER, OURS, Stage, check_problem

from service.workflows.holds import find_holds
from service.workflows.plans import find_plans


@pytest.fixture
def address(planned: Stage) -> str:
    (hold,) = find_holds(planned.runtime, OURS)
    return f"/api/v1/plans/{hold.plan_id}/holds/{hold.id}/decisions"


def test_one_person_of_two_releases_and_the_hold_stays_open(planned: Stage, address: str) -> None:
    wish = {"verdict": "release", "reason": "they moved away"}
    answer = planned.browse().post(address, json=wish, headers=planned.bearer("signer"))
    assert answer.status_code == 201 and answer.json is not None
    assert (answer.json["state"], answer.json["people_needed"]) == ("open", 2)
    assert [decision["person"] for decision in answer.json["decisions"]] == [ATTESTER]


def test_without_a_token_nobody_decides(planned: Stage, address: str) -> None:
    check_problem(planned.browse().post(address, json={}), 401, "not_authenticated")


def test_a_client_that_stands_for_nobody_does_not_decide(planned: Stage, address: str) -> None:
    wish = {"verdict": "release", "reason": "they moved away"}
    check_problem(planned.browse().post(address, json=wish, headers=planned.bearer("reader")), 403, "not_allowed")


@pytest.mark.parametrize("wish", [{}, {"verdict": "force", "reason": "because"}, {"verdict": "release", "reason": ""}])
def test_a_body_that_is_no_decision_is_refused(planned: Stage, address: str, wish: dict[str, str]) -> None:
    answer = planned.browse().post(address, json=wish, headers=planned.bearer("signer"))
    check_problem(answer, 422, "unprocessable_entity")


def test_a_hold_of_another_plan_is_not_found(planned: Stage, address: str) -> None:
    wish = {"verdict": "release", "reason": "they moved away"}
    other = find_plans(planned.runtime, OURS)[1].id
    hold = address.split("/holds/")[1]
    for wrong in (f"/api/v1/plans/{other}/holds/{hold}", address.replace(hold, "none/decisions")):
        answer = planned.browse().post(wrong, json=wish, headers=planned.bearer("signer"))
        check_problem(answer, 404, "not_found")


def test_a_hold_that_was_refused_cannot_be_released(planned: Stage, address: str) -> None:
    headers = planned.bearer("signer")
    refused = planned.browse().post(address, json={"verdict": "refuse", "reason": "wrong file"}, headers=headers)
    assert refused.json is not None and refused.json["state"] == "refused"
    again = planned.browse().post(address, json={"verdict": "release", "reason": "or not"}, headers=headers)
    check_problem(again, 409, "wrong_state")


def test_the_same_person_does_not_count_twice(planned: Stage, address: str) -> None:
    wish = {"verdict": "release", "reason": "they moved away"}
    headers = planned.bearer("signer")
    assert planned.browse().post(address, json=wish, headers=headers).status_code == 201
    check_problem(planned.browse().post(address, json=wish, headers=headers), 403, "not_allowed")
