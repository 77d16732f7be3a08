"""The states that things pass through, as tables of allowed moves; there is no other edge."""

from __future__ import annotations

from collections.abc import Mapping

from service.domain.errors import WrongState

Moves = Mapping[str, frozenset[str]]

DELIVERY_MOVES: Moves = {
    "received": frozenset({"accepted", "held", "rejected"}),
    "accepted": frozenset({"superseded"}),
    "held": frozenset({"accepted", "rejected"}),
    "rejected": frozenset(),
    "superseded": frozenset(),
}

PLAN_MOVES: Moves = {
    "drafted": frozenset({"signed", "stale", "withdrawn"}),
    "signed": frozenset({"applying", "stale", "withdrawn"}),
    "applying": frozenset({"applied", "partly-applied", "stale", "withdrawn"}),
    "partly-applied": frozenset(),
    "applied": frozenset(),
    "stale": frozenset(),
    "withdrawn": frozenset(),
}

INTENT_MOVES: Moves = {
    "planned": frozenset({"approved"}),
    "approved": frozenset({"sent"}),
    "sent": frozenset({"landed", "refused", "ambiguous"}),
    "ambiguous": frozenset({"landed", "not-landed"}),
    "not-landed": frozenset({"sent"}),
    "refused": frozenset({"sent"}),
    "landed": frozenset(),
}
"""`not-landed` and `refused` may open another attempt; on start-up every `sent` intent is taken as ambiguous."""

JOB_RUN_MOVES: Moves = {
    "claimed": frozenset({"done", "failed", "claimed"}),
    "missed": frozenset(),
    "done": frozenset(),
    "failed": frozenset({"claimed"}),
}

_TABLES: Mapping[str, Moves] = {
    "delivery": DELIVERY_MOVES,
    "plan": PLAN_MOVES,
    "intent": INTENT_MOVES,
    "job run": JOB_RUN_MOVES,
}


def may_move(kind: str, old: str, new: str) -> bool:
    """Answer whether a delivery, plan, intent or job run may go from `old` to `new`."""
    return new in _TABLES[kind].get(old, frozenset())


def check_move(kind: str, old: str, new: str) -> None:
    """Raise WrongState unless the move is in the table."""
    if not may_move(kind, old, new):
        raise WrongState(
            f"A {kind} that is {old} cannot become {new}.",
            next_action=f"Look at the {kind} again; it may have moved on since you last read it.",
        )
