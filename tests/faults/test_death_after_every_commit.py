"""Wherever an apply dies, the next start carries it on: nothing is lost, doubled or unrecorded."""

from __future__ import annotations

from typing import Any

import pytest
from dying import Killed, lend_dying
from practice import ADA, BRUNO, CORA, OPERATOR, Practice, check_settled, find_faults

from service.workflows.reconcile import reconcile_organization

WANTED = {ADA: [*range(1, 11), 30], BRUNO: range(20, 26), CORA: [40, 41]}
CALLS = ("register practitioners", "register patients", "create", "remove", "add", "renew", "renew another Group")
FIRST_COMMITS = ("lease", "keys", "marks", "intents")
CALL_COMMITS = ("switch", "attempt", "outcome")
LAST_COMMITS = ("plan", "release")


def name_commits() -> list[str]:
    """What each commit of the apply is for, in order."""
    of_calls = [f"{step} of {call}" for call in CALLS for step in CALL_COMMITS]
    return [*FIRST_COMMITS, *of_calls, *LAST_COMMITS]


COMMITS = [pytest.param(n, id=name) for n, name in enumerate(name_commits(), start=1)]
AFTER_SOMETHING_OUTSIDE = [
    pytest.param(n, id=name)
    for n, name in enumerate(name_commits(), start=1)
    if name.startswith(("outcome", "intents", "plan"))
]
"""Between these commits and the ones before them DPC was asked or told something."""


def die(practice: Practice, plan_id: str, **when: Any) -> None:
    """Apply until death, and check what is on record at that moment."""
    lend_dying(practice, **when)
    with pytest.raises(Killed):
        practice.apply(plan_id)
    practice.restart()
    assert find_faults(practice) == []


def recover(practice: Practice, plan_id: str) -> None:
    """Reconcile once the dead process's lease and every quiet time are over, and check how it ended."""
    practice.pass_time()
    report = reconcile_organization(practice.rt, "lakeside", actor=OPERATOR)
    assert report.outcome in ("applied", "nothing")
    assert practice.load_plan_state(plan_id) == "applied"
    check_settled(practice, WANTED)


def test_the_table_names_every_commit(waiting: Any) -> None:
    counting = lend_dying(waiting.practice)
    assert waiting.practice.apply(waiting.plan_id).state == "applied"
    assert counting.commits == len(name_commits())


@pytest.mark.parametrize("n", COMMITS)
def test_death_right_after_a_commit_changes_nothing_in_the_end(waiting: Any, n: int) -> None:
    die(waiting.practice, waiting.plan_id, after=n)
    recover(waiting.practice, waiting.plan_id)


@pytest.mark.parametrize("n", COMMITS)
def test_death_right_after_a_commit_changes_nothing_on_postgresql(waiting_on_postgresql: Any, n: int) -> None:
    waiting = waiting_on_postgresql
    die(waiting.practice, waiting.plan_id, after=n)
    recover(waiting.practice, waiting.plan_id)


@pytest.mark.parametrize("n", AFTER_SOMETHING_OUTSIDE)
def test_death_right_before_a_commit_changes_nothing_in_the_end(waiting: Any, n: int) -> None:
    die(waiting.practice, waiting.plan_id, before=n)
    recover(waiting.practice, waiting.plan_id)


@pytest.mark.parametrize("n", [8, 12, 14, 18, 20])
def test_a_second_death_while_recovering_changes_nothing_in_the_end(waiting: Any, n: int) -> None:
    practice = waiting.practice
    die(practice, waiting.plan_id, before=13)  # the creation has landed, its outcome is lost
    practice.pass_time()
    die(practice, waiting.plan_id, after=n)
    recover(practice, waiting.plan_id)


@pytest.mark.parametrize("n", [13, 16, 19, 22])
def test_looking_at_dpc_during_the_quiet_time_does_not_spoil_the_reading_back(waiting: Any, n: int) -> None:
    practice = waiting.practice
    die(practice, waiting.plan_id, before=n)
    practice.draw()  # sees the Group as the lost call left it, and remembers it
    recover(practice, waiting.plan_id)
