"""A call whose answer is lost is settled by reading after the quiet time, never by saying it again."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import pytest
from practice import ADA, BRUNO, CORA, OPERATOR, QUIET, READ_TIMEOUT, Practice, check_settled, find_faults

from service.workflows.reconcile import reconcile_organization
from service.workflows.settle import SettleReport, settle
from service.workflows.sweep import sweep

WANTED = {ADA: [*range(1, 11), 30], BRUNO: range(20, 26), CORA: [40, 41]}
PLACES = {
    "create": ("/Group$", 1),
    "remove": (r"\$remove$", 1),
    "add": (r"\$add$", 1),
    "renew": (r"\$add$", 2),
}
"""Where the emulator meets each kind of call of the waiting plan: path, and which of those."""
NAMED = {"create": CORA, "remove": ADA, "add": ADA, "renew": ADA}
LANDED: dict[str, dict[str, Any]] = {
    "cut after the effect": {"when": "after", "cut": True},
    "500 after the effect": {"when": "after", "preset": "timeout"},
    "503 after the effect": {"when": "after", "status": 503},
    "half an answer": {"truncate": True},
    "200 with another body": {"when": "after", "status": 200, "body": "{}"},
    "202 without a body": {"when": "after", "status": 202},
}
NOT_LANDED: dict[str, dict[str, Any]] = {
    "cut before the effect": {"when": "before", "cut": True},
    "500 without effect": {"when": "before", "preset": "timeout"},
    "200 without effect": {"when": "before", "status": 200, "body": "{}"},
}
kinds = pytest.mark.parametrize("kind", PLACES)


def spoil(practice: Practice, kind: str, fault: Mapping[str, Any]) -> None:
    """Spoil the answer to the one call of this kind."""
    path, nth = PLACES[kind]
    practice.emu.add_fault({"method": "POST", "path": path, "nth": nth, **fault})


def lose_answer(waiting: Any, kind: str, fault: Mapping[str, Any]) -> Practice:
    """Apply the waiting plan while the answer to one call is spoiled."""
    practice: Practice = waiting.practice
    spoil(practice, kind, fault)
    report = practice.apply(waiting.plan_id)
    practice.emu.clear_faults()
    assert (report.state, report.ambiguous, report.refused) == ("applying", 1, 0)
    assert [a.npi for a in practice.find_attempts() if a.state == "ambiguous"] == [NAMED[kind]]
    assert find_faults(practice) == []
    return practice


def carry_on(practice: Practice) -> None:
    """Reconcile and check how it ended."""
    assert reconcile_organization(practice.rt, "lakeside", actor=OPERATOR).outcome in ("applied", "nothing")
    check_settled(practice, WANTED)


@kinds
@pytest.mark.parametrize("fault", LANDED)
def test_a_call_that_took_effect_is_found_landed_and_not_sent_again(waiting: Any, kind: str, fault: str) -> None:
    practice = lose_answer(waiting, kind, LANDED[fault])
    practice.pass_time()
    assert settle(practice.rt, "lakeside") == SettleReport(landed=1)
    assert [a.n for a in practice.find_attempts() if a.settled_by == "read-back"] == [1]
    carry_on(practice)
    assert {a.n for a in practice.find_attempts()} == {1}


@kinds
@pytest.mark.parametrize("fault", NOT_LANDED)
def test_a_call_without_effect_is_found_not_landed_and_sent_once_more(waiting: Any, kind: str, fault: str) -> None:
    practice = lose_answer(waiting, kind, NOT_LANDED[fault])
    practice.pass_time()
    assert settle(practice.rt, "lakeside") == SettleReport(not_landed=1)
    carry_on(practice)
    assert [a.n for a in practice.find_attempts() if a.n > 1] == [2]


@kinds
def test_a_repetition_says_byte_for_byte_the_same(waiting: Any, kind: str) -> None:
    practice = lose_answer(waiting, kind, NOT_LANDED["500 without effect"])
    practice.pass_time("PT1H")
    carry_on(practice)
    twice = next(a.intent_id for a in practice.find_attempts() if a.n == 2)
    said = [a for a in practice.find_attempts() if a.intent_id == twice]
    assert len({a.provenance for a in said}) == 1
    assert len({a.request_digest for a in said}) == 1
    seen = {e["request_id"]: e["provenance_text"] for e in practice.find_writes()}
    assert len({seen[a.id] for a in said}) == 1


@kinds
def test_nothing_is_read_back_before_the_quiet_time_is_over(waiting: Any, kind: str) -> None:
    practice = lose_answer(waiting, kind, LANDED["cut after the effect"])
    before = practice.count_log()
    assert settle(practice.rt, "lakeside") == SettleReport(still_open=1)
    assert practice.find_calls(before) == []
    practice.pass_time()
    assert settle(practice.rt, "lakeside") == SettleReport(landed=1)


@kinds
def test_drawing_or_sweeping_during_the_quiet_time_does_not_spoil_the_reading_back(waiting: Any, kind: str) -> None:
    practice = lose_answer(waiting, kind, LANDED["cut after the effect"])
    practice.draw()
    sweep(practice.rt, "lakeside")
    practice.pass_time()
    assert settle(practice.rt, "lakeside") == SettleReport(landed=1)
    carry_on(practice)


@kinds
def test_other_groups_go_on_while_one_is_open(waiting: Any, kind: str) -> None:
    practice = lose_answer(waiting, kind, LANDED["cut after the effect"])
    others = {ADA, BRUNO, CORA} - {NAMED[kind]}
    landed = {a.npi for a in practice.find_attempts() if a.state == "landed"}
    assert others <= landed
    after = [a.npi for a in practice.find_attempts()]
    assert after[-1] != NAMED[kind] or kind == "create"


@kinds
def test_a_group_with_an_open_call_is_left_out_of_the_next_plan(waiting: Any, kind: str) -> None:
    practice = lose_answer(waiting, kind, NOT_LANDED["500 without effect"])
    plan = practice.draw()
    touched = {p.npi for p in plan.practitioners} if plan else set()
    assert NAMED[kind] not in touched


def test_waiting_settles_at_once(waiting: Any) -> None:
    practice = lose_answer(waiting, "add", LANDED["cut after the effect"])
    began = practice.emu.now()
    assert settle(practice.rt, "lakeside", wait=True) == SettleReport(landed=1)
    assert practice.emu.now() - began < QUIET


def test_a_call_that_lands_after_we_gave_up_is_found_landed(waiting: Any) -> None:
    """The server goes on working on a call whose client has left."""
    practice = waiting.practice
    spoil(practice, "add", {"when": "before", "latency": READ_TIMEOUT + 0.5})
    assert practice.apply(waiting.plan_id).ambiguous == 1
    practice.emu.clear_faults()
    wait_for_landing(practice)
    practice.pass_time()
    assert settle(practice.rt, "lakeside") == SettleReport(landed=1)
    carry_on(practice)


def wait_for_landing(practice: Practice) -> None:
    """Wait until the emulator has carried out every write it was sent."""
    deadline = time.monotonic() + 20
    while not all(e["effect"] for e in practice.find_writes()):
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)


def test_a_plan_whose_signature_runs_out_while_a_call_is_open_is_given_up_after_settling(waiting: Any) -> None:
    practice = lose_answer(waiting, "create", LANDED["cut after the effect"])
    practice.pass_time("P1DT1M")
    reconcile_organization(practice.rt, "lakeside", actor=OPERATOR)
    assert practice.load_plan_state(waiting.plan_id) == "stale"
    check_settled(practice, WANTED)


@pytest.mark.parametrize("path", [r"Practitioner/\$submit$", r"Patient/\$submit$"])
@pytest.mark.parametrize("fault", ["cut after the effect", "cut before the effect"])
def test_a_registration_without_answer_is_settled_by_reading(waiting: Any, path: str, fault: str) -> None:
    practice = waiting.practice
    practice.emu.add_fault({"method": "POST", "path": path, "nth": 1, **(LANDED | NOT_LANDED)[fault]})
    assert practice.apply(waiting.plan_id).ambiguous == 1
    practice.pass_time()
    carry_on(practice)
