"""Intents move along the drawn edges only, and one practitioner's Group has one unresolved attempt at most."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
from sqlalchemy import text

from service.domain.errors import NotFound, WrongState
from service.domain.states import INTENT_MOVES
from service.storage.database import Database
from service.storage.errors import AlreadyRecorded, RecordRefused
from service.storage.intents import (
    Attempt,
    Intent,
    Outcome,
    close_attempt,
    find_attempts,
    find_intents,
    find_intents_in_state,
    find_open_attempts,
    load_attempt,
    load_intent,
    load_members,
    open_attempt,
    save_intent,
    set_intent_state,
)
from service.storage.plans import Plan, save_plan
from service.storage.sealing import OrganizationKeys

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
NPI = "1234567893"
PLAN = Plan(id="plan-1", fingerprint="f" * 64, baseline="b" * 64, drafted_at=NOW, drafted_by="officer@example.org")
INTENT = Intent(
    id="intent-1",
    plan_id="plan-1",
    ordinal=1,
    npi=NPI,
    kind="add",
    digest="d" * 64,
    n=2,
    created_at=NOW,
    updated_at=NOW,
)
ATTEMPT = Attempt(
    id="attempt-1",
    intent_id="intent-1",
    npi=NPI,
    fencing_token=7,
    sent_at=NOW,
    clock_offset_ms=-120,
    request_digest="r" * 64,
    provenance='{"resourceType":"Provenance"}',
    baseline="b" * 64,
)
PATHS = {
    "planned": ["planned"],
    "approved": ["planned", "approved"],
    "sent": ["planned", "approved", "sent"],
    "landed": ["planned", "approved", "sent", "landed"],
    "refused": ["planned", "approved", "sent", "refused"],
    "ambiguous": ["planned", "approved", "sent", "ambiguous"],
    "not-landed": ["planned", "approved", "sent", "ambiguous", "not-landed"],
}
FORBIDDEN = [(old, new) for old, new in product(PATHS, PATHS) if old != new and new not in INTENT_MOVES[old]]
ALLOWED = [(old, new) for old in PATHS for new in sorted(INTENT_MOVES[old])]


@pytest.fixture
def planned(database: Database, keys: OrganizationKeys) -> Database:
    """One plan of `lakeside` with one intent."""
    with database.begin() as connection:
        save_plan(connection, keys, "lakeside", PLAN, b"body")
        save_intent(connection, keys, "lakeside", INTENT, b"members")
    return database


def _walk(database: Database, state: str) -> None:
    with database.begin() as connection:
        for old, new in zip(PATHS[state], PATHS[state][1:], strict=False):
            set_intent_state(connection, "lakeside", "intent-1", old, new, now=NOW)


def test_an_intent_comes_back_with_its_members(planned: Database, keys: OrganizationKeys) -> None:
    with planned.read() as connection:
        assert load_intent(connection, "lakeside", "intent-1") == INTENT
        assert load_members(connection, keys, "lakeside", "intent-1") == b"members"
        assert find_intents(connection, "lakeside", "plan-1") == [INTENT]
        assert find_intents(connection, "hillside", "plan-1") == []
        with pytest.raises(NotFound):
            load_intent(connection, "hillside", "intent-1")


@pytest.mark.parametrize(("old", "new"), ALLOWED)
def test_an_intent_moves_along_each_drawn_edge(planned: Database, old: str, new: str) -> None:
    _walk(planned, old)
    later = NOW + timedelta(minutes=1)
    with planned.begin() as connection:
        set_intent_state(connection, "lakeside", "intent-1", old, new, now=later)
        moved = load_intent(connection, "lakeside", "intent-1")
        assert (moved.state, moved.updated_at) == (new, later)
        assert find_intents_in_state(connection, "lakeside", new) == [moved]


@pytest.mark.parametrize(("old", "new"), FORBIDDEN)
def test_no_other_edge_exists_for_the_function_or_the_database(planned: Database, old: str, new: str) -> None:
    _walk(planned, old)
    with pytest.raises(WrongState), planned.begin() as connection:
        set_intent_state(connection, "lakeside", "intent-1", old, new, now=NOW)
    with pytest.raises(RecordRefused), planned.begin() as connection:
        connection.execute(text("UPDATE intent SET state = :new"), {"new": new})


def test_an_intent_that_has_moved_on_is_in_the_wrong_state(planned: Database) -> None:
    _walk(planned, "approved")
    with planned.begin() as connection, pytest.raises(WrongState):
        set_intent_state(connection, "lakeside", "intent-1", "planned", "approved", now=NOW)


@pytest.mark.parametrize("state", ["approved", "sent", "landed"])
def test_an_intent_begins_as_planned(planned: Database, keys: OrganizationKeys, state: str) -> None:
    with pytest.raises(RecordRefused), planned.begin() as connection:
        save_intent(connection, keys, "lakeside", replace(INTENT, id="intent-2", ordinal=2, state=state), b"members")


def test_what_an_intent_means_cannot_be_changed_or_removed(planned: Database) -> None:
    for statement in ("UPDATE intent SET digest = 'other'", "UPDATE intent SET npi = NULL", "DELETE FROM intent"):
        with pytest.raises(RecordRefused), planned.begin() as connection:
            connection.execute(text(statement))


def test_an_attempt_comes_back_and_counts_from_one(planned: Database) -> None:
    with planned.begin() as connection:
        opened = open_attempt(connection, "lakeside", ATTEMPT)
        assert opened == replace(ATTEMPT, n=1)
        assert load_attempt(connection, "lakeside", "attempt-1") == opened
        assert find_open_attempts(connection, "lakeside") == [opened]
        assert find_open_attempts(connection, "lakeside", npi="1245319599") == []
        assert find_open_attempts(connection, "hillside") == []


@pytest.mark.parametrize("first", ["open", "ambiguous"])
def test_a_practitioner_has_one_unresolved_attempt(planned: Database, keys: OrganizationKeys, first: str) -> None:
    with planned.begin() as connection:
        save_intent(connection, keys, "lakeside", replace(INTENT, id="intent-2", ordinal=2), b"members")
        open_attempt(connection, "lakeside", ATTEMPT)
        if first == "ambiguous":
            close_attempt(connection, "lakeside", "attempt-1", Outcome(state="ambiguous", outcome_at=NOW))
    for intent_id in ("intent-1", "intent-2"):
        with pytest.raises(AlreadyRecorded), planned.begin() as connection:
            open_attempt(connection, "lakeside", replace(ATTEMPT, id="attempt-2", intent_id=intent_id))
    with planned.begin() as connection:
        open_attempt(connection, "lakeside", replace(ATTEMPT, id="attempt-3", intent_id="intent-2", npi="1245319599"))
        open_attempt(connection, "lakeside", replace(ATTEMPT, id="attempt-4", intent_id="intent-2", npi=None))


def test_the_same_practitioner_in_another_organization_is_not_in_the_way(
    planned: Database, other_keys: OrganizationKeys
) -> None:
    with planned.begin() as connection:
        save_plan(connection, other_keys, "hillside", PLAN, b"body")
        save_intent(connection, other_keys, "hillside", INTENT, b"members")
        open_attempt(connection, "lakeside", ATTEMPT)
        open_attempt(connection, "hillside", ATTEMPT)
        close_attempt(connection, "hillside", "attempt-1", Outcome(state="landed", outcome_at=NOW, status=200))
        assert load_attempt(connection, "lakeside", "attempt-1").state == "open"


def test_after_an_ambiguous_attempt_was_settled_the_next_may_be_opened(planned: Database) -> None:
    later = NOW + timedelta(minutes=3)
    with planned.begin() as connection:
        open_attempt(connection, "lakeside", ATTEMPT)
        close_attempt(
            connection,
            "lakeside",
            "attempt-1",
            Outcome(state="ambiguous", outcome_at=NOW, status=504, answer="timeout"),
        )
        settled = Outcome(state="not-landed", outcome_at=later, settled_by="read-back")
        close_attempt(connection, "lakeside", "attempt-1", settled)
        kept = load_attempt(connection, "lakeside", "attempt-1")
        assert (kept.state, kept.status, kept.answer, kept.settled_by) == ("not-landed", 504, "timeout", "read-back")
        assert open_attempt(connection, "lakeside", replace(ATTEMPT, id="attempt-2", sent_at=later)).n == 2
        assert [a.id for a in find_attempts(connection, "lakeside", limit=1)] == ["attempt-2"]
        assert [a.id for a in find_attempts(connection, "lakeside", after=(later, "attempt-2"))] == ["attempt-1"]


@pytest.mark.parametrize("outcome", ["landed", "refused"])
def test_a_resolved_attempt_is_not_resolved_again(planned: Database, outcome: str) -> None:
    with planned.begin() as connection:
        open_attempt(connection, "lakeside", ATTEMPT)
        close_attempt(connection, "lakeside", "attempt-1", Outcome(state=outcome, outcome_at=NOW, settled_by="answer"))
        for again in ("landed", "refused", "ambiguous", "not-landed"):
            with pytest.raises(WrongState):
                close_attempt(connection, "lakeside", "attempt-1", Outcome(state=again, outcome_at=NOW))


def test_an_open_attempt_cannot_be_called_not_landed_without_a_look(planned: Database) -> None:
    with planned.begin() as connection:
        open_attempt(connection, "lakeside", ATTEMPT)
        with pytest.raises(WrongState):
            close_attempt(connection, "lakeside", "attempt-1", Outcome(state="not-landed", outcome_at=NOW))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE attempt SET provenance = 'other'",
        "UPDATE attempt SET provenance = NULL",
        "UPDATE attempt SET fencing_token = 8",
        "UPDATE attempt SET state = 'not-landed'",
        "DELETE FROM attempt",
    ],
)
def test_what_was_sent_cannot_be_changed_or_removed(planned: Database, statement: str) -> None:
    with planned.begin() as connection:
        open_attempt(connection, "lakeside", ATTEMPT)
    with pytest.raises(RecordRefused), planned.begin() as connection:
        connection.execute(text(statement))
