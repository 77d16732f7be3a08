"""Whatever files, decisions, plans and days follow one another: nothing is attested without evidence that was accepted
and is fresh, nothing is removed that is not ours, and nothing goes that waits for a decision.
"""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from tests.properties.practice_model import Practice

MET = {
    "attested",
    "attested under a new number",
    "removed",
    "removed by a decision",
    "removed a former number",
    "removed a mistaken number",
    "file accepted",
    "file held",
    "file released",
    "file replaced",
    "plan with held removals",
    "left because it is not ours",
}
"""What a run must have met, or else it proves nothing."""


def run(examples: int, steps: int) -> None:
    Practice.reached.clear()
    chosen = settings(derandomize=True, max_examples=examples, stateful_step_count=steps, deadline=None, database=None)
    run_state_machine_as_test(Practice, settings=chosen)
    assert {what for what, n in Practice.reached.items() if n} >= MET


def test_evidence_ownership_and_decisions_hold_through_any_sequence() -> None:
    run(examples=300, steps=40)


@pytest.mark.nightly
@pytest.mark.timeout(1_800)
def test_they_hold_through_five_thousand_sequences() -> None:
    run(examples=5_000, steps=50)
