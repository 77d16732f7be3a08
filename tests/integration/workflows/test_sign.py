"""Signing: an attester answers for exactly what was shown, once."""

from __future__ import annotations

import pytest
from practice import ADAM, FRED, OPERATOR, RUTH, VERA, WILMA, Practice, build_person

from service.domain.errors import InvalidInput, NotAllowed, NotFound, StalePlan, WrongState
from service.domain.people import Actor, Role
from service.workflows.prove import find_ledger_entries
from service.workflows.sign import sign_plan

STRANGER = build_person("olga", Role.ATTESTER, organization_id="hillside")


def test_an_attester_signs_what_was_shown(delivered: Practice) -> None:
    plan = delivered.draw_some()
    delivered.sign(plan)
    assert delivered.load_plan_state(plan.head.id) == "signed"
    entry = find_ledger_entries(delivered.rt, "lakeside", newest_first=True, limit=1)[0]
    assert (entry.kind, entry.actor, entry.body["fingerprint"]) == ("plan-signed", VERA.name, plan.head.fingerprint)


@pytest.mark.parametrize("actor", [RUTH, FRED, ADAM, OPERATOR, Actor.job("nightly"), STRANGER], ids=lambda a: a.name)
def test_nobody_but_an_attester_of_this_organisation_signs(delivered: Practice, actor: Actor) -> None:
    with pytest.raises(NotAllowed):
        delivered.sign(delivered.draw_some(), actor)


def test_another_fingerprint_signs_nothing(delivered: Practice) -> None:
    plan = delivered.draw_some()
    with pytest.raises(StalePlan):
        sign_plan(delivered.rt, "lakeside", plan.head.id, fingerprint="0" * 64, reason="x", actor=VERA)
    assert delivered.load_plan_state(plan.head.id) == "drafted"


def test_a_signature_needs_a_reason(delivered: Practice) -> None:
    plan = delivered.draw_some()
    with pytest.raises(InvalidInput):
        sign_plan(delivered.rt, "lakeside", plan.head.id, fingerprint=plan.head.fingerprint, reason=" ", actor=VERA)


def test_a_plan_that_does_not_exist_is_not_found(delivered: Practice) -> None:
    with pytest.raises(NotFound):
        sign_plan(delivered.rt, "lakeside", "0", fingerprint="0" * 64, reason="x", actor=VERA)


def test_a_stale_plan_cannot_be_signed(delivered: Practice) -> None:
    plan = delivered.draw_some()
    delivered.send_odd_roster({"3990000002": range(1, 3)} | {"3990000010": range(20, 36)})
    delivered.draw()
    with pytest.raises(WrongState):
        delivered.sign(plan)


def test_a_plan_is_signed_once(delivered: Practice) -> None:
    plan = delivered.draw_some()
    delivered.sign(plan)
    with pytest.raises(WrongState):
        delivered.sign(plan, WILMA)
