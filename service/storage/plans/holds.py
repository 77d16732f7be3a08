"""Holds and the decisions about them: changes or deliveries that wait for a person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, select, update

from service.domain.errors import WrongState
from service.storage.rows import find_values, load_value, new_id, write_value, write_values
from service.storage.tables.plans import hold as holds
from service.storage.tables.plans import hold_decision as decisions


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """What a guard made wait: a delivery, or `n` changes of a plan; `costs_from` is when waiting begins to cost.

    `level` is `hold` (one person decides) or `hard-stop` (two do).
    """

    id: str = field(default_factory=new_id)
    plan_id: str | None = None
    delivery_id: str | None = None
    rule: str
    level: str = "hold"
    npi: str | None = None
    fingerprint: str
    reason: str
    costs_from: datetime | None = None
    n: int
    state: str = "open"
    opened_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldDecision:
    """One person's word on one hold: `release` or `refuse`, bound to one fingerprint, until `expires_at`."""

    id: str = field(default_factory=new_id)
    hold_id: str
    person: str
    verdict: str
    reason: str
    fingerprint: str
    decided_at: datetime
    expires_at: datetime


def save_holds(connection: Connection, organization_id: str, opened: Iterable[Hold]) -> int:
    """Record holds and answer how many."""
    return write_values(connection, holds, opened, organization_id=organization_id)


def find_holds(
    connection: Connection,
    organization_id: str,
    *,
    state: str | None = None,
    plan_id: str | None = None,
    delivery_id: str | None = None,
) -> list[Hold]:
    """Answer holds, newest first."""
    where = [holds.c.organization_id == organization_id]
    for column, wanted in ((holds.c.state, state), (holds.c.plan_id, plan_id), (holds.c.delivery_id, delivery_id)):
        if wanted is not None:
            where.append(column == wanted)
    return find_values(connection, holds, Hold, *where, order_by=[holds.c.opened_at.desc(), holds.c.id])


def load_hold(connection: Connection, organization_id: str, hold_id: str) -> Hold:
    """Answer one hold; raises NotFound."""
    return load_value(connection, holds, Hold, holds.c.organization_id == organization_id, holds.c.id == hold_id)


def lock_hold(connection: Connection, organization_id: str, hold_id: str) -> Hold:
    """Answer one hold that is about to be decided; who decides next waits for this transaction. Raises NotFound.

    Of two people who decide at the same moment one must see the other's decision, or neither would let anything go.
    """
    named = (holds.c.organization_id == organization_id, holds.c.id == hold_id)
    connection.execute(select(holds.c.id).where(*named).with_for_update())
    return load_hold(connection, organization_id, hold_id)


def set_hold_state(connection: Connection, organization_id: str, hold_id: str, old: str, new: str) -> None:
    """Move a hold; raises WrongState when it is not in `old` any more."""
    statement = update(holds).where(
        holds.c.organization_id == organization_id, holds.c.id == hold_id, holds.c.state == old
    )
    if connection.execute(statement.values(state=new)).rowcount != 1:
        raise WrongState(f"The hold is not {old} (any more).", next_action="Look at the hold again.")


def add_hold_decision(connection: Connection, organization_id: str, decision: HoldDecision) -> None:
    """Record a decision; it can be neither changed nor removed. Raises RecordRefused for a foreign hold."""
    write_value(connection, decisions, decision, organization_id=organization_id)


def find_hold_decisions(connection: Connection, organization_id: str, hold_id: str) -> list[HoldDecision]:
    """Answer the decisions about a hold, oldest first."""
    return find_values(
        connection,
        decisions,
        HoldDecision,
        decisions.c.organization_id == organization_id,
        decisions.c.hold_id == hold_id,
        order_by=[decisions.c.decided_at, decisions.c.id],
    )


def find_released_fingerprints(
    connection: Connection, organization_id: str, now: datetime
) -> dict[str, frozenset[str]]:
    """Answer who has released each fingerprint with a decision that still holds at `now`.

    A fingerprint that anybody refuses by a decision that still holds is not in the answer.
    """
    statement = select(decisions.c.fingerprint, decisions.c.person, decisions.c.verdict).where(
        decisions.c.organization_id == organization_id, decisions.c.expires_at > now
    )
    released: dict[str, set[str]] = {}
    refused: set[str] = set()
    for fingerprint, person, verdict in connection.execute(statement):
        if verdict == "release":
            released.setdefault(fingerprint, set()).add(person)
        else:
            refused.add(fingerprint)
    return {fingerprint: frozenset(people) for fingerprint, people in released.items() if fingerprint not in refused}
