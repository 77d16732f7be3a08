"""Applying: only what is signed, only while it is true, one call after another."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from practice import ADA, BRUNO, FRED, OPERATOR, Practice, build_mbi, check_settled, write_roster

from service.domain.errors import AppliesSwitchedOff, NotAllowed, NotFound, StalePlan, Unsigned, WrongState
from service.workflows.apply import ApplyReport, ApplyStep, apply_plan
from service.workflows.feeds import add_feed
from service.workflows.onboard import set_organization
from service.workflows.prove import find_attestations

PANELS = {ADA: range(1, 13), BRUNO: range(20, 26)}
REFUSED = {
    "status": 422,
    "headers": {"Content-Type": "application/fhir+json"},
    "body": {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "details": {"text": "No."}}]},
}
LARGER = {ADA: range(1, 14), BRUNO: range(20, 28)}


def switch_off(practice: Practice) -> None:
    """Switch off sending for the organisation."""
    set_organization(practice.rt, "lakeside", {"applies": False}, OPERATOR)


def test_a_signed_plan_is_applied_and_dpc_holds_what_is_wanted(delivered: Practice) -> None:
    report = delivered.apply(delivered.draw_signed())
    assert (report.state, report.landed, report.attestations, report.refusals) == ("applied", 4, 2, ())
    check_settled(delivered, PANELS)


def test_each_call_is_shown_while_it_is_made(delivered: Practice) -> None:
    steps: list[ApplyStep] = []
    delivered.apply(delivered.draw_signed(), progress=steps.append)
    assert [(s.ordinal, s.total, s.state) for s in steps[:2]] == [(1, 4, "sending"), (1, 4, "landed")]
    assert [s.kind for s in steps[1::2]] == ["register", "register", "create", "create"]


def test_the_exact_words_are_kept(delivered: Practice) -> None:
    delivered.apply(delivered.draw_signed())
    spoken = {e["request_id"]: e["provenance_text"] for e in delivered.find_writes()}
    assert {a.attempt_id: a.provenance for a in find_attestations(delivered.rt, "lakeside")} == spoken


def test_an_unsigned_plan_sends_nothing(delivered: Practice) -> None:
    plan = delivered.draw_some()
    with pytest.raises(Unsigned):
        delivered.apply(plan.head.id)
    assert delivered.find_writes() == []


def test_a_signature_older_than_a_day_covers_nothing(delivered: Practice) -> None:
    plan_id = delivered.draw_signed()
    delivered.pass_time(timedelta(hours=24, seconds=1))
    with pytest.raises(Unsigned):
        delivered.apply(plan_id)
    assert delivered.load_plan_state(plan_id) == "stale"
    assert delivered.find_writes() == []


def test_a_signature_of_almost_a_day_still_covers(delivered: Practice) -> None:
    plan_id = delivered.draw_signed()
    delivered.pass_time(timedelta(hours=23, minutes=50))
    assert delivered.apply(plan_id).state == "applied"


def test_a_plan_is_applied_once(delivered: Practice) -> None:
    plan_id = delivered.draw_signed()
    delivered.apply(plan_id)
    before = delivered.count_log()
    with pytest.raises(WrongState):
        delivered.apply(plan_id)
    assert delivered.count_log() == before


def test_a_plan_that_does_not_exist_is_not_found(delivered: Practice) -> None:
    with pytest.raises(NotFound):
        delivered.apply("0")


def test_a_feeder_applies_nothing(delivered: Practice) -> None:
    with pytest.raises(NotAllowed):
        delivered.apply(delivered.draw_signed(), FRED)


def test_another_baseline_makes_the_plan_stale_and_nothing_is_sent(loaded: Practice) -> None:
    loaded.pass_time("P2D")
    loaded.send_roster(LARGER)
    plan_id = loaded.draw_signed()
    loaded.attest_elsewhere(BRUNO, range(20, 26))
    before = len(loaded.find_writes())
    with pytest.raises(StalePlan):
        loaded.apply(plan_id)
    assert len(loaded.find_writes()) == before
    assert loaded.load_plan_state(plan_id) == "stale"


def test_a_patient_who_left_the_roster_after_the_signature_is_not_attested(practice: Practice) -> None:
    practice.name_practitioners()
    practice.send_roster(PANELS)
    plan_id = practice.draw_signed()
    fewer = {ADA: range(1, 12), BRUNO: range(20, 26)}
    practice.send_roster(fewer)
    practice.send_roster(fewer)
    with pytest.raises(StalePlan):
        practice.apply(plan_id)
    assert practice.find_writes() == []
    assert practice.load_plan_state(plan_id) == "stale"


def test_a_patient_who_came_back_after_the_signature_is_not_removed(loaded: Practice) -> None:
    fewer = {ADA: range(1, 12), BRUNO: range(20, 26)}
    loaded.send_roster(fewer)
    loaded.send_roster(fewer)
    plan_id = loaded.draw_signed()
    loaded.send_roster(PANELS)
    with pytest.raises(StalePlan):
        loaded.apply(plan_id)
    check_settled(loaded, PANELS)


def test_evidence_that_grew_too_old_after_the_drawing_attests_nobody(delivered: Practice) -> None:
    plan = delivered.draw_some()
    delivered.pass_time("P36D")
    delivered.sign(plan)
    with pytest.raises(StalePlan):
        delivered.apply(plan.head.id)
    assert delivered.find_writes() == []


def test_a_roster_that_still_supports_the_plan_leaves_it_valid(delivered: Practice) -> None:
    plan_id = delivered.draw_signed()
    delivered.send_roster(LARGER)
    assert delivered.apply(plan_id).state == "applied"


def test_a_refusal_parks_only_its_own_group(loaded: Practice) -> None:
    loaded.send_roster(LARGER)
    loaded.emu.set_limits(patient_limit=12)
    report = loaded.apply_all()
    assert (report.state, report.refused, report.landed) == ("partly-applied", 1, 2)
    (refusal,) = report.refusals
    assert refusal.npi == ADA
    assert refusal.next_action
    assert build_mbi(13) not in repr(report)
    assert loaded.read_active()[BRUNO] == {build_mbi(n) for n in range(20, 28)}


def test_a_refused_attestation_was_spoken_and_is_on_record(loaded: Practice) -> None:
    loaded.send_roster(LARGER)
    loaded.emu.set_limits(patient_limit=12)
    assert loaded.apply_all().attestations == 2
    refused = [a for a in find_attestations(loaded.rt, "lakeside") if a.state == "refused"]
    assert [a.npi for a in refused] == [ADA]


def test_a_refused_call_is_not_said_again_by_the_same_plan(loaded: Practice) -> None:
    loaded.send_roster(LARGER)
    loaded.emu.set_limits(patient_limit=12)
    plan_id = loaded.draw_signed()
    loaded.apply(plan_id)
    before = loaded.count_log()
    with pytest.raises(WrongState):
        loaded.apply(plan_id)
    assert loaded.count_log() == before


@pytest.mark.parametrize("preset", ["waf", "waf-429"])
def test_a_refusal_by_the_edge_ends_the_run(loaded: Practice, preset: str) -> None:
    loaded.send_roster(LARGER)
    plan_id = loaded.draw_signed()
    loaded.emu.add_fault({"method": "POST", "path": r"\$add$", "preset": preset})
    before = len(loaded.find_writes())
    report = loaded.apply(plan_id)
    assert (report.state, report.refused, report.parked) == ("partly-applied", 1, 1)
    assert len(loaded.find_writes()) == before + 1


def test_credentials_that_are_refused_end_the_run(loaded: Practice) -> None:
    loaded.send_roster(LARGER)
    plan_id = loaded.draw_signed()
    loaded.emu.add_fault({"method": "POST", "path": r"\$add$", "preset": "expired-token"})
    report = loaded.apply(plan_id)
    assert (report.refused, report.parked) == (1, 1)


def test_switching_applies_off_stops_before_anything(delivered: Practice) -> None:
    plan_id = delivered.draw_signed()
    switch_off(delivered)
    with pytest.raises(AppliesSwitchedOff):
        delivered.apply(plan_id)
    assert delivered.find_writes() == []


def test_switching_applies_off_in_the_middle_lets_no_further_call_out(delivered: Practice) -> None:
    def switch(step: ApplyStep) -> None:
        if step.kind == "create" and step.state == "landed":
            switch_off(delivered)

    report = delivered.apply(delivered.draw_signed(), progress=switch)
    assert (report.state, report.landed, report.parked) == ("partly-applied", 3, 1)
    assert len(delivered.find_writes()) == 1
    assert set(delivered.read_active()) == {ADA}


def apply_with_skew(practice: Practice, skew: timedelta) -> ApplyReport:
    """Apply on a machine whose clock is wrong by `skew`."""
    plan_id = practice.draw_signed()
    wrong = replace(practice.rt, clock=lambda: practice.emu.now() + skew)
    return apply_plan(wrong, "lakeside", plan_id, OPERATOR)


@pytest.mark.parametrize("seconds", [35, -35])
def test_nothing_is_attested_by_a_wrong_clock(loaded: Practice, seconds: int) -> None:
    loaded.send_roster(LARGER)
    before = len(loaded.find_writes())
    report = apply_with_skew(loaded, timedelta(seconds=seconds))
    assert report.landed == 0
    assert len(loaded.find_writes()) == before
    assert "clock" in report.refusals[0].text


def test_a_clock_that_is_nearly_right_is_good_enough(loaded: Practice) -> None:
    loaded.send_roster(LARGER)
    assert apply_with_skew(loaded, timedelta(seconds=20)).state == "applied"


def test_a_server_that_is_away_leaves_everything_for_later(loaded: Practice) -> None:
    loaded.send_roster(LARGER)
    plan_id = loaded.draw_signed()
    loaded.emu.add_fault({"method": "GET", "path": "/Group", "status": 503})
    with pytest.raises(Exception, match="DPC"):
        loaded.apply(plan_id)
    assert loaded.load_plan_state(plan_id) == "signed"
    loaded.emu.clear_faults()
    assert loaded.apply(plan_id).state == "applied"


def test_patients_who_could_not_be_registered_park_their_group_with_a_reason(practice: Practice) -> None:
    practice.name_practitioners()
    practice.send_roster(PANELS)
    practice.emu.add_fault({"method": "POST", "path": r"Patient/\$submit", **REFUSED})
    report = practice.apply_all()
    assert report.state == "partly-applied"
    assert practice.find_writes() == []
    assert {r.npi for r in report.refusals} == {None, ADA, BRUNO}


def test_what_was_left_comes_up_in_the_next_plan(loaded: Practice) -> None:
    loaded.send_roster(LARGER)
    loaded.emu.set_limits(patient_limit=12)
    loaded.apply_all()
    loaded.emu.set_limits(patient_limit=-1)
    loaded.apply_all()
    check_settled(loaded, LARGER)


def test_a_patient_listed_by_two_feeds_stays_while_one_lists_them(loaded: Practice) -> None:
    add_feed(loaded.rt, "lakeside", feed_id="second", mode="snapshot", actor=OPERATOR)
    loaded.deliver(write_roster({ADA: [12]}), feed="second")
    for _ in range(2):
        loaded.send_roster({ADA: range(1, 12), BRUNO: range(20, 26)})
    assert loaded.draw() is None
