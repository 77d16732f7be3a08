"""/plans, /plans/{id}, and signing and applying there."""

from __future__ import annotations

import pytest
from web_stage import (
    ATTESTER,
    LATER_ROSTER,
    OURS,
    REVIEWER,
    RIVERS,
    WELLS,
    Stage,
    write_mbi,
    write_practitioners,
    write_roster,
)

from service.domain.authorisation import STATEMENT
from service.workflows.plans import PlanHead, find_plans, view_plan


@pytest.fixture
def plan(planned: Stage) -> PlanHead:
    return find_plans(planned.runtime, OURS)[0]


def test_an_attester_reads_signs_and_applies(planned: Stage, plan: PlanHead) -> None:
    browser, address = planned.log_in(ATTESTER), f"/plans/{plan.id}"
    page = browser.get(address).text
    assert STATEMENT.split(",")[0] in page and plan.fingerprint in page
    form = {"fingerprint": plan.fingerprint, "reason": "read with the charts", "confirm": "yes"}
    signed = planned.post_form(browser, address, f"{address}/sign", form)
    assert signed.status_code == 303
    assert "The plan is signed" in browser.get(address).text
    assert planned.post_form(browser, address, f"{address}/apply", {}).status_code == 303
    planned.settle()
    assert find_plans(planned.runtime, OURS)[0].state == "applied"
    assert "applied" in browser.get(address).text


def test_the_difference_shows_kind_evidence_and_what_is_not_covered(planned: Stage, plan: PlanHead) -> None:
    page = planned.log_in(REVIEWER).get(f"/plans/{plan.id}").text
    assert "14 renew" in page and "5 add" in page
    assert "ehr-daily, delivery 3</a>, line" in page
    assert "Held for a person" in page and "It takes 2 different people" in page
    assert not any(write_mbi(n) in page for n in range(25))


def test_a_long_panel_is_cut_and_can_be_shown_whole(stage: Stage) -> None:
    stage.send(write_practitioners())
    stage.send(write_roster({WELLS: range(130), RIVERS: range(300, 303)}))
    plan = stage.draw().head
    browser = stage.log_in(REVIEWER)
    short = browser.get(f"/plans/{plan.id}").text
    assert "Show all 130 rows" in short
    whole = browser.get(f"/plans/{plan.id}?npi={WELLS}").text
    assert whole.count('<tr class="k-create">') == short.count('<tr class="k-create">') + 30


def test_a_reviewer_reads_but_finds_no_form_to_sign(planned: Stage, plan: PlanHead) -> None:
    browser = planned.log_in(REVIEWER)
    page = browser.get(f"/plans/{plan.id}").text
    assert "Signing needs the role of an attester" in page and "/sign" not in page
    form = {"fingerprint": plan.fingerprint, "reason": "me too", "confirm": "yes"}
    assert planned.post_form(browser, "/", f"/plans/{plan.id}/sign", form).status_code == 403
    assert find_plans(planned.runtime, OURS)[0].state == "drafted"


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("confirm", "", "The statement was not confirmed."),
        ("reason", "  ", "A sign-off needs a reason."),
        ("fingerprint", "0" * 64, "The fingerprint is not that of this plan"),
        ("fingerprint", "é" * 64, "The fingerprint is not that of this plan"),
    ],
)
def test_a_sign_off_that_lacks_something_is_refused_with_the_next_step(
    planned: Stage, plan: PlanHead, field: str, value: str, told: str
) -> None:
    browser, address = planned.log_in(ATTESTER), f"/plans/{plan.id}"
    form = {"fingerprint": plan.fingerprint, "reason": "read it", "confirm": "yes"} | {field: value}
    planned.post_form(browser, address, f"{address}/sign", form)
    page = browser.get(address).text
    assert told in page and 'class="message refused"' in page
    assert find_plans(planned.runtime, OURS)[0].state == "drafted"


def test_a_plan_that_nobody_signed_is_not_applied(planned: Stage, plan: PlanHead) -> None:
    browser, address = planned.log_in(REVIEWER), f"/plans/{plan.id}"
    planned.post_form(browser, address, f"{address}/apply", {})
    assert "Nobody has signed this plan yet." in browser.get(address).text


def test_when_the_background_fails_the_page_says_why(planned: Stage, plan: PlanHead) -> None:
    planned.sign(view_plan(planned.runtime, OURS, plan.id))
    planned.emulator.stop()
    browser, address = planned.log_in(REVIEWER), f"/plans/{plan.id}"
    planned.post_form(browser, address, f"{address}/apply", {})
    planned.settle()
    page = browser.get(address).text
    assert 'class="message refused" role="alert"' in page
    assert find_plans(planned.runtime, OURS)[0].state == "signed"


def test_plans_are_listed_and_one_can_be_drawn_now(begun: Stage) -> None:
    begun.advance(76)
    begun.accept(begun.send(write_roster(LATER_ROSTER), as_of_at=begun.runtime.now()))
    browser = begun.log_in(REVIEWER)
    assert begun.post_form(browser, "/plans", "/plans", {}).status_code == 303
    begun.settle()
    assert "Plan 2" in browser.get("/plans").text


def test_without_a_plan_the_list_names_the_next_step(stage: Stage) -> None:
    assert "No plan has been drawn yet" in stage.log_in(REVIEWER).get("/plans").text


def test_a_plan_that_does_not_exist_is_not_found(stage: Stage) -> None:
    assert stage.log_in(REVIEWER).get("/plans/none").status_code == 404
