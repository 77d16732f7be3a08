"""Drawing a plan: what would be sent, what is held, what is left out and why."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from practice import ADA, BRUNO, CORA, FRED, OPERATOR, RUTH, VERA, Practice, build_mbi, write_roster

from service.domain.errors import InvalidInput, NotAllowed, NotFound, Refusal
from service.workflows.onboard import add_organization, set_organization
from service.workflows.plan import draw_plan
from service.workflows.plans import find_plans, load_plan_view

READS = ["POST /Token/auth", "GET /Practitioner", "GET /Patient", "GET /Group"]


def list_left_out(practice: Practice) -> Counter[str]:
    """The rules of the present plan that left somebody out."""
    return Counter(row.rule for row in practice.draw_some().left_out)


def test_a_first_plan_registers_and_creates(delivered: Practice) -> None:
    plan = delivered.draw_some()
    counts = {kind: n for kind, n in plan.head.counts.items() if n}
    assert counts == {"register": 20, "create": 2, "add": 18}
    assert (plan.head.state, plan.head.number, plan.head.drawn_by) == ("drafted", 1, "operator")


def test_drawing_costs_one_token_and_three_reads(loaded: Practice) -> None:
    before = loaded.count_log()
    assert loaded.draw() is None
    assert loaded.find_calls(before) == READS


def test_drawing_changes_nothing_at_dpc(delivered: Practice) -> None:
    delivered.draw()
    assert delivered.find_writes() == []
    assert delivered.read_active() == {}


def test_every_row_shows_where_it_comes_from_and_masks_the_patient(delivered: Practice) -> None:
    plan = delivered.draw_some()
    row = next(diff for diff in plan.practitioners if diff.npi == BRUNO).rows[0]
    assert (row.feed_id, row.delivery_number, row.line) == ("ehr", 2, 14)
    assert build_mbi(20) not in repr(plan)


def test_the_same_state_keeps_the_same_plan(delivered: Practice) -> None:
    first = delivered.draw_some()
    delivered.pass_time("PT1H")
    again = delivered.draw_some(actor=RUTH)
    assert (again.head.id, again.head.fingerprint) == (first.head.id, first.head.fingerprint)
    assert len(find_plans(delivered.rt, "lakeside")) == 1


def test_a_newer_roster_makes_the_plan_stale(delivered: Practice) -> None:
    first = delivered.draw_some()
    delivered.send_roster({ADA: range(1, 14), BRUNO: range(20, 26)})
    second = delivered.draw_some()
    assert second.head.id != first.head.id
    assert delivered.load_plan_state(first.head.id) == "stale"


def test_a_signed_plan_goes_stale_in_the_same_way(delivered: Practice) -> None:
    signed = delivered.draw_signed()
    delivered.send_roster({ADA: range(1, 14), BRUNO: range(20, 26)})
    delivered.draw()
    assert delivered.load_plan_state(signed) == "stale"


def test_a_plan_for_one_practitioner_holds_nobody_else(delivered: Practice) -> None:
    plan = delivered.draw_some(npi=BRUNO)
    assert {diff.npi for diff in plan.practitioners} <= {BRUNO, None}
    assert plan.head.counts["add"] == 6


def test_those_without_demographics_are_left_out_by_name_of_rule(practice: Practice) -> None:
    practice.name_practitioners()
    pairs = b"MBI,NPI\r\n" + b"".join(f"{build_mbi(n)},{ADA}\r\n".encode() for n in range(3))
    practice.deliver(pairs)
    practice.deliver(write_roster({ADA: [0]}))
    plan = practice.draw_some()
    assert plan.head.counts["add"] == 1
    assert {row.rule for row in plan.left_out} == {"demographics_missing"}


def test_a_practitioner_without_a_name_is_left_out(practice: Practice) -> None:
    practice.deliver(write_roster({ADA: range(3)}))
    assert practice.draw() is None


def test_evidence_that_is_too_old_attests_nobody(delivered: Practice) -> None:
    delivered.pass_time("P36D")
    assert delivered.draw() is None


def test_what_does_not_fit_under_the_limit_is_named(delivered: Practice) -> None:
    set_organization(delivered.rt, "lakeside", {"patient_limit": 10}, OPERATOR)
    assert list_left_out(delivered) == {"over_limit": 2}
    plan = delivered.draw_some()
    assert plan.head.counts["add"] == 16
    assert any("10" in warning for warning in plan.warnings)


def test_a_group_that_is_nearly_full_is_warned_of(delivered: Practice) -> None:
    set_organization(delivered.rt, "lakeside", {"patient_limit": 13}, OPERATOR)
    assert any("92 %" in warning for warning in delivered.draw_some().warnings)


def test_two_groups_of_one_practitioner_are_left_to_a_person(loaded: Practice) -> None:
    dpc_id = next(e["organization_id"] for e in loaded.emu.log() if e["organization_id"])
    loaded.emu.add_group(dpc_id, BRUNO)
    loaded.send_roster({ADA: range(1, 14), BRUNO: range(20, 28)})
    plan = loaded.draw_some()
    assert [row.rule for row in plan.left_out if row.npi == BRUNO] == ["two_groups"]
    assert {diff.npi for diff in plan.practitioners} <= {ADA, None}


def test_patients_of_others_in_the_group_are_reported_and_not_touched(loaded: Practice) -> None:
    loaded.send_roster({ADA: range(1, 14), BRUNO: range(20, 26)})
    loaded.apply_all()
    loaded.attest_elsewhere(BRUNO, [1])
    loaded.send_roster({ADA: range(1, 15), BRUNO: range(20, 26)})
    plan = loaded.draw_some()
    assert [(row.npi, row.rule) for row in plan.left_out] == [(BRUNO, "not_on_roster")]
    assert plan.head.counts["remove"] == 0


def test_one_absence_removes_nobody_and_two_do(loaded: Practice) -> None:
    fewer = {ADA: range(1, 11), BRUNO: range(20, 26)}
    loaded.send_roster(fewer)
    assert loaded.draw() is None
    loaded.send_roster(fewer)
    assert loaded.draw_some().head.counts["remove"] == 2


def test_an_unresolved_call_leaves_its_group_alone(loaded: Practice) -> None:
    loaded.send_roster({ADA: range(1, 14), BRUNO: range(20, 27)})
    loaded.emu.add_fault({"method": "POST", "path": r"\$add$", "nth": 1, "when": "before", "preset": "timeout"})
    loaded.apply_all()
    plan = loaded.draw()
    assert plan is None or ADA not in {diff.npi for diff in plan.practitioners}


def test_an_overwrite_needs_a_practitioner_with_a_roster(loaded: Practice) -> None:
    with pytest.raises(InvalidInput):
        loaded.draw(overwrite=True)
    with pytest.raises(InvalidInput):
        loaded.draw(overwrite=True, npi=CORA)


def test_a_feeder_draws_nothing(delivered: Practice) -> None:
    with pytest.raises(NotAllowed):
        delivered.draw(actor=FRED)


def test_an_organisation_without_connection_says_so(practice: Practice) -> None:
    add_organization(practice.rt, organization_id="newcomer", name="New", npi="3990000044", actor=OPERATOR)
    with pytest.raises(Refusal) as refused:
        draw_plan(practice.rt, "newcomer", actor=OPERATOR)
    assert refused.value.code == "not_connected"


def test_a_plan_that_does_not_exist_is_not_found(practice: Practice) -> None:
    with pytest.raises(NotFound):
        load_plan_view(practice.rt, "lakeside", "00000000-0000-4000-8000-000000000000", VERA)


def test_renewals_are_due_from_day_seventy_five(loaded: Practice) -> None:
    loaded.pass_time("P74D")
    loaded.send_roster({ADA: range(1, 13), BRUNO: range(20, 26)})
    assert loaded.draw() is None
    loaded.pass_time(timedelta(days=1, minutes=5))
    assert loaded.draw_some().head.counts["renew"] == 18


def test_an_expired_attribution_is_reinstated(loaded: Practice) -> None:
    loaded.pass_time("P91D")
    loaded.send_roster({ADA: range(1, 13), BRUNO: range(20, 26)})
    plan = loaded.draw_some()
    assert {k: n for k, n in plan.head.counts.items() if n} in ({"reinstate": 18},)
