"""The checker must find what it is there to find: each way of doing it wrong is done here, and is caught."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from practice import OPERATOR, Practice, find_faults

from service.storage import intents
from service.storage.intents import Attempt, Outcome
from service.workflows.reconcile import reconcile_organization
from service.workflows.settle import settle

LOST_ADD = {"method": "POST", "path": r"\$add$", "nth": 1, "when": "after", "cut": True}
FAILED_ADD = {"method": "POST", "path": r"\$add$", "nth": 1, "when": "before", "preset": "timeout"}


def open_again(practice: Practice, old: Attempt) -> Attempt:
    """Record another attempt of the same intent, as if the first were known to have failed."""
    now = practice.rt.now()
    with practice.rt.database.begin() as connection:
        outcome = Outcome(state="not-landed", outcome_at=now, settled_by="read-back")
        intents.close_attempt(connection, "lakeside", old.id, outcome)
        again = Attempt(**{name: getattr(old, name) for name in COPIED}, sent_at=now)
        return intents.open_attempt(connection, "lakeside", again)


COPIED = ("intent_id", "npi", "fencing_token", "request_digest", "provenance", "baseline")


def send_add(practice: Practice, attempt: Attempt, provenance: str | None = None) -> None:
    """Send the `$add` of an attempt once more, past every check."""
    with practice.rt.connect_dpc("lakeside") as dpc:
        dpc.read_practitioners()
        (group,) = dpc.find_groups_by_npi(str(attempt.npi))
        members = [m.patient_id for m in group.members if not m.inactive][:1]
        dpc.add_to_group(group.group_id, str(attempt.npi), members, provenance or str(attempt.provenance), attempt.id)


@pytest.fixture
def unanswered(waiting: Any) -> tuple[Practice, Attempt]:
    """The practice with one `$add` that landed without an answer."""
    practice = waiting.practice
    practice.emu.add_fault(LOST_ADD)
    assert practice.apply(waiting.plan_id).ambiguous == 1
    practice.emu.clear_faults()
    return practice, next(a for a in practice.find_attempts() if a.state == "ambiguous")


def test_the_checker_is_silent_about_what_was_done_right(unanswered: tuple[Practice, Attempt]) -> None:
    practice, _ = unanswered
    practice.pass_time()
    reconcile_organization(practice.rt, "lakeside", actor=OPERATOR)
    assert find_faults(practice) == []


def test_a_blind_retry_is_found_as_a_second_attestation(unanswered: tuple[Practice, Attempt]) -> None:
    practice, lost = unanswered
    send_add(practice, open_again(practice, lost))
    found = find_faults(practice)
    assert any("although its intent had landed" in fault for fault in found)


def test_sending_the_same_attempt_twice_is_found(unanswered: tuple[Practice, Attempt]) -> None:
    practice, lost = unanswered
    send_add(practice, lost)
    assert any("was sent 2 times" in fault for fault in find_faults(practice))


def test_a_call_that_nobody_recorded_is_found(unanswered: tuple[Practice, Attempt]) -> None:
    practice, lost = unanswered
    unrecorded = replace(lost, id="00000000-0000-4000-8000-000000000000")
    send_add(practice, unrecorded)
    assert any("without a recorded attempt" in fault for fault in find_faults(practice))


def test_other_words_than_were_recorded_are_found(unanswered: tuple[Practice, Attempt]) -> None:
    practice, lost = unanswered
    again = open_again(practice, lost)
    send_add(practice, again, str(again.provenance).replace('"recorded":"20', '"recorded":"19'))
    assert any("other words" in fault for fault in find_faults(practice))


def test_an_outcome_nobody_knows_of_is_found(waiting: Any) -> None:
    """A call that lands after the quiet time is beyond what any client can prevent; it must at least be seen."""
    practice = waiting.practice
    practice.emu.add_fault(FAILED_ADD)
    practice.apply(waiting.plan_id)
    practice.emu.clear_faults()
    failed = next(a for a in practice.find_attempts() if a.state == "ambiguous")
    practice.pass_time()
    assert settle(practice.rt, "lakeside").not_landed == 1
    send_add(practice, failed)  # what the server's backend would do on its own
    assert any("recorded as not-landed but took effect" in fault for fault in find_faults(practice))


def test_a_tampered_ledger_is_found(unanswered: tuple[Practice, Attempt]) -> None:
    practice, lost = unanswered
    open_again(practice, lost)  # an attempt without its ledger entry
    assert any("ledger does not verify" in fault for fault in find_faults(practice))
