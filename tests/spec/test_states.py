"""The states that deliveries, plans, intents and job runs pass through."""

from __future__ import annotations

import pytest

from service.domain.errors import WrongState
from service.domain.states import DELIVERY_MOVES, INTENT_MOVES, JOB_RUN_MOVES, PLAN_MOVES, Moves, check_move, may_move
from tests.spec.tables import read_table

MOVES = read_table("""
    kind     | from           | may become
    delivery | received       | accepted, held, rejected
    delivery | accepted       | superseded
    delivery | held           | accepted, rejected
    delivery | rejected       |
    delivery | superseded     |
    plan     | drafted        | signed, stale, withdrawn
    plan     | signed         | applying, stale, withdrawn
    plan     | applying       | applied, partly-applied, stale, withdrawn
    plan     | applied        |
    plan     | partly-applied |
    plan     | stale          |
    plan     | withdrawn      |
    intent   | planned        | approved
    intent   | approved       | sent
    intent   | sent           | landed, refused, ambiguous
    intent   | ambiguous      | landed, not-landed
    intent   | not-landed     | sent
    intent   | refused        | sent
    intent   | landed         |
    job run  | claimed        | done, failed, claimed
    job run  | failed         | claimed
    job run  | done           |
    job run  | missed         |
""")

TABLES: dict[str, Moves] = {
    "delivery": DELIVERY_MOVES,
    "plan": PLAN_MOVES,
    "intent": INTENT_MOVES,
    "job run": JOB_RUN_MOVES,
}
ALLOWED = {(row["kind"], row["from"]): {word for word in row["may become"].split(", ") if word} for row in MOVES}
EVERY_MOVE = [(kind, old, new) for kind, table in TABLES.items() for old in table for new in table]


@pytest.mark.parametrize(("kind", "old", "new"), EVERY_MOVE)
def test_a_thing_moves_only_as_the_table_says(kind: str, old: str, new: str) -> None:
    allowed = new in ALLOWED[kind, old]
    assert may_move(kind, old, new) is allowed
    if allowed:
        check_move(kind, old, new)
    else:
        with pytest.raises(WrongState, match=f"A {kind} that is {old} cannot become {new}"):
            check_move(kind, old, new)


def test_the_table_names_every_state_and_no_move_leads_out_of_it() -> None:
    assert set(ALLOWED) == {(kind, old) for kind, table in TABLES.items() for old in table}
    for kind, table in TABLES.items():
        assert set().union(*table.values()) <= set(table), kind


def test_a_state_that_does_not_exist_leads_nowhere() -> None:
    assert not may_move("plan", "approved", "applied")
    assert not may_move("plan", "drafted", "signed off")
    assert not may_move("plan", "drafted", "applied")
