"""What people type holds no number of a patient: refused by the API, the pages and the terminal's workflows alike."""

from __future__ import annotations

import pytest
from web_stage import ATTESTER, OURS, REVIEWER, WELLS, Stage, check_problem, write_roster

from service.domain.errors import InvalidInput
from service.domain.people import Actor
from service.storage.plans import find_hold_decisions, find_sign_offs
from service.workflows.authorize import authorize
from service.workflows.feeds import add_feed, find_feeds
from service.workflows.holds import find_holds
from service.workflows.people import find_person_actor
from service.workflows.prove import find_ledger_entries

NUMBERS = {"an MBI": "1S00E00AA12", "an old number": "987654329A", "nine digits": "987-65-4329"}
WITHOUT = "Say it without the patient"


@pytest.fixture(params=list(NUMBERS.values()), ids=list(NUMBERS))
def number(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def check_nothing_is_kept(stage: Stage, number: str, entries: int) -> None:
    """Nobody has decided or signed, and the ledger has not grown."""
    with stage.runtime.database.read() as connection:
        for hold in find_holds(stage.runtime, OURS, state=None):
            decided = find_hold_decisions(connection, OURS, hold.id)
            assert not any(number in decision.reason for decision in decided)
    assert len(find_ledger_entries(stage.runtime, OURS)) == entries


def test_a_decision_on_a_delivery_is_refused(begun: Stage, number: str) -> None:
    held = begun.send(write_roster({WELLS: range(3)}))
    entries = len(find_ledger_entries(begun.runtime, OURS))
    for verdict in ("accept", "reject"):
        wish = {"verdict": verdict, "reason": f"Ask about {number} please."}
        answer = begun.browse().post(f"/api/v1/deliveries/{held}/decisions", json=wish, headers=begun.bearer("signer"))
        check_problem(answer, 422, "invalid_input")
        assert WITHOUT in answer.text and number not in answer.text
    browser = begun.log_in(REVIEWER)
    begun.post_form(browser, f"/deliveries/{held}", f"/deliveries/{held}/decision", wish)
    page = browser.get(f"/deliveries/{held}").text
    assert WITHOUT in page and number not in page
    check_nothing_is_kept(begun, number, entries)


def test_a_decision_on_held_changes_and_a_signature_are_refused(planned: Stage, number: str) -> None:
    (hold,) = find_holds(planned.runtime, OURS)
    plan_id, reason = hold.plan_id or "", f"about {number}"
    headers = planned.bearer("signer")
    wish = {"verdict": "release", "reason": reason}
    read = planned.browse().get(f"/api/v1/plans/{plan_id}", headers=headers).json
    assert read is not None
    entries = len(find_ledger_entries(planned.runtime, OURS))
    decided = planned.browse().post(f"/api/v1/plans/{plan_id}/holds/{hold.id}/decisions", json=wish, headers=headers)
    sign = {"fingerprint": read["head"]["fingerprint"], "reason": reason}
    signed = planned.browse().post(f"/api/v1/plans/{plan_id}/sign-offs", json=sign, headers=headers)
    for answer in (decided, signed):
        check_problem(answer, 422, "invalid_input")
        assert WITHOUT in answer.text and number not in answer.text
    browser = planned.log_in(ATTESTER)
    planned.post_form(browser, "/holds", f"/holds/{hold.id}/decision", wish)
    assert WITHOUT in browser.get("/holds").text
    form = sign | {"confirm": "yes"}
    planned.post_form(browser, f"/plans/{plan_id}", f"/plans/{plan_id}/sign", form)
    assert WITHOUT in browser.get(f"/plans/{plan_id}").text
    with planned.runtime.database.read() as connection:
        assert find_sign_offs(connection, OURS, plan_id) == []
    check_nothing_is_kept(planned, number, entries)


def test_a_standing_authorisation_is_refused(stage: Stage, number: str) -> None:
    entries = len(find_ledger_entries(stage.runtime, OURS))
    with pytest.raises(InvalidInput) as refused:
        authorize(stage.runtime, OURS, days=10, reason=number, actor=find_person_actor(stage.runtime, OURS, ATTESTER))
    assert WITHOUT in refused.value.next_action and number not in refused.value.message
    check_nothing_is_kept(stage, number, entries)


def test_a_feed_is_not_named_after_a_patient(stage: Stage) -> None:
    for feed_id in ("1s00e00aa12", "987-65-4329"):
        with pytest.raises(InvalidInput) as refused:
            add_feed(stage.runtime, OURS, feed_id=feed_id, actor=Actor.operator())
        assert WITHOUT in refused.value.next_action and feed_id not in refused.value.message
    assert len(find_feeds(stage.runtime, OURS)) == 1
