"""One practice from its first roster over renewal and removal to the proof, on both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest
from practice import ADA, BRUNO, CORA, OPERATOR, Practice, check_settled

from service.dpc.clock import EmulatorClock
from service.workflows.prove import make_checkpoint, verify_ledger
from service.workflows.reconcile import reconcile_organization
from service.workflows.sweep import sweep


def travel(practice: Practice) -> None:
    """Load, renew, add, remove, lose an answer, settle, sweep and prove."""
    clock = EmulatorClock(practice.emu.base_url)
    practice.rt = replace(practice.rt, clock=clock)
    practice.start_with({ADA: range(1, 13), BRUNO: range(20, 26)})
    check_settled(practice, {ADA: range(1, 13), BRUNO: range(20, 26)})
    practice.pass_time("P76D")
    clock.forget()
    later = {ADA: [*range(1, 11), 30], BRUNO: range(20, 26), CORA: [40, 41]}
    practice.send_roster(later)
    practice.send_roster(later)
    practice.emu.add_fault({"method": "POST", "path": r"\$remove$", "nth": 1, "when": "after", "cut": True})
    assert practice.apply_all().ambiguous == 1
    practice.pass_time()
    clock.forget()
    assert reconcile_organization(practice.rt, "lakeside", actor=OPERATOR).outcome == "applied"
    check_settled(practice, later)
    assert sweep(practice.rt, "lakeside").findings == ()
    assert reconcile_organization(practice.rt, "lakeside", actor=OPERATOR).outcome == "nothing"
    assert make_checkpoint(practice.rt, "lakeside") is not None
    assert verify_ledger(practice.rt).ok


@pytest.mark.parametrize("database", ["practice", "practice_on_postgresql"])
def test_the_whole_journey(request: pytest.FixtureRequest, database: str) -> None:
    travel(request.getfixturevalue(database))
