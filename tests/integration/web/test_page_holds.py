"""/holds, and deciding there."""

from __future__ import annotations

import pytest
from web_stage import ATTESTER, OURS, REVIEWER, Stage

from service.workflows.holds import HoldView, find_holds


@pytest.fixture
def hold(planned: Stage) -> HoldView:
    (found,) = find_holds(planned.runtime, OURS)
    return found


def test_two_people_release_what_two_people_must(planned: Stage, hold: HoldView) -> None:
    first, second = planned.log_in(REVIEWER), planned.log_in(ATTESTER)
    form = {"verdict": "release", "reason": "they moved away"}
    planned.post_form(first, "/holds", f"/holds/{hold.id}/decision", form)
    assert "It takes another person" in first.get("/holds").text
    planned.post_form(second, "/holds", f"/holds/{hold.id}/decision", form)
    page = second.get("/holds").text
    assert "The changes are released" in page and "Nothing is held" in page
    assert planned.draw().head.counts["remove"] == 6


def test_the_page_says_why_and_leads_to_whom_it_concerns(planned: Stage, hold: HoldView) -> None:
    page = planned.log_in(REVIEWER).get("/holds").text
    assert hold.reason in page and f"/plans/{hold.plan_id}#held" in page


def test_a_decision_on_the_plans_page_comes_back_to_it(planned: Stage, hold: HoldView) -> None:
    browser = planned.log_in(REVIEWER)
    form = {"verdict": "refuse", "reason": "wrong file", "plan": hold.plan_id or ""}
    answer = planned.post_form(browser, "/holds", f"/holds/{hold.id}/decision", form)
    assert answer.headers["Location"] == f"/plans/{hold.plan_id}#held"


def test_a_decision_without_a_reason_is_refused(planned: Stage, hold: HoldView) -> None:
    browser = planned.log_in(REVIEWER)
    planned.post_form(browser, "/holds", f"/holds/{hold.id}/decision", {"verdict": "release", "reason": ""})
    assert "A decision needs a reason." in browser.get("/holds").text


def test_a_hold_that_does_not_exist_is_told_so(planned: Stage) -> None:
    browser = planned.log_in(REVIEWER)
    planned.post_form(browser, "/holds", "/holds/none/decision", {"verdict": "release", "reason": "why not"})
    assert 'class="message refused"' in browser.get("/holds").text
