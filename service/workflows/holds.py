"""What is held, and a person's decision about it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime

from service.domain.authorisation import DECISION_LASTS
from service.domain.canonical import write_time
from service.domain.errors import Busy, InvalidInput, NotAllowed, WrongState
from service.domain.guards import Level
from service.domain.intake import REMOVAL_RULES
from service.domain.ledger import digest_bytes
from service.domain.people import Action, Actor, check_may
from service.domain.typed_words import read_reason
from service.runtime import Runtime
from service.storage import deliveries, plans
from service.storage.connection import Connection
from service.storage.plans import Hold, HoldDecision
from service.workflows.deliveries import view_delivery
from service.workflows.digest import fold_released, fold_removals, keep_people
from service.workflows.questions import Again, ask_again, check_doubts, close_question, keep_everybody
from service.workflows.reading import digest_settings, open_delivery
from service.workflows.record import record_fact
from service.workflows.taking import take_changes, take_feed
from service.workflows.voices import find_agreed


@dataclass(frozen=True, slots=True)
class DecisionView:
    """One person's word on a hold."""

    person: str
    verdict: str
    reason: str
    decided_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class HoldView:
    """What waits, why in one sentence, from when waiting costs, and how many people it takes and took to let it go."""

    id: str
    rule: str
    level: str
    npi: str | None
    reason: str
    n: int
    state: str
    fingerprint: str
    costs_from_at: datetime | None
    opened_at: datetime
    plan_id: str | None
    delivery_id: str | None
    decisions: tuple[DecisionView, ...]
    people_needed: int
    people_agreed: int


def view_hold(connection: Connection, organization_id: str, hold: Hold, now: datetime) -> HoldView:
    """Answer a stored hold with its decisions as it is shown; those count that still hold at `now`."""
    decisions = plans.find_hold_decisions(connection, organization_id, hold.id)
    return HoldView(
        hold.id,
        hold.rule,
        hold.level,
        hold.npi,
        hold.reason,
        hold.n,
        hold.state,
        hold.fingerprint,
        hold.costs_from,
        hold.opened_at,
        hold.plan_id,
        hold.delivery_id,
        tuple(DecisionView(d.person, d.verdict, d.reason, d.decided_at, d.expires_at) for d in decisions),
        Level(hold.level).people_needed,
        len(find_agreed(decisions, now)),
    )


def find_holds(rt: Runtime, organization_id: str, state: str | None = "open") -> list[HoldView]:
    """Answer holds of one state, or all, newest first."""
    with rt.database.read() as connection:
        found = plans.find_holds(connection, organization_id, state=state)
        return [view_hold(connection, organization_id, hold, rt.now()) for hold in found]


def decide_hold(rt: Runtime, organization_id: str, hold_id: str, verdict: str, reason: str, actor: Actor) -> HoldView:
    """Record a person's decision: `release` lets exactly these changes go, `refuse` does not.

    A hold needs one person, a hard stop two different ones; the second release lets it go. Released changes go with the
    next plan, which is signed like any other; a released delivery is folded at once. Changes that were refused stay out
    of this plan and wait again in the next one that still wants them; the ledger keeps the digest of the reason,
    which may hold no patient's number.
    """
    check_may(actor, Action.DECIDE_HOLD, organization_id)
    if verdict not in ("release", "refuse"):
        raise InvalidInput("A decision is release or refuse.")
    reason = read_reason(reason, "A decision")
    with ExitStack() as kept:
        again = _prepare_release(rt, organization_id, hold_id, actor, kept) if verdict == "release" else None
        return _record_decision(rt, organization_id, hold_id, verdict, reason, actor, again)


def _record_decision(
    rt: Runtime,
    organization_id: str,
    hold_id: str,
    verdict: str,
    reason: str,
    actor: Actor,
    again: Again | None,
) -> HoldView:
    now = rt.now()
    with rt.database.begin() as connection:
        if again:
            again.taken.check(connection)
        hold = plans.lock_hold(connection, organization_id, hold_id)
        if hold.state != "open":
            raise WrongState(f"The hold is {hold.state} already.")
        earlier = plans.find_hold_decisions(connection, organization_id, hold_id)
        if any(d.person == actor.name and d.verdict == verdict for d in earlier if d.expires_at > now):
            raise NotAllowed("You have decided on this already.", next_action="Ask a second person to decide.")
        decision = HoldDecision(
            hold_id=hold_id,
            person=actor.name,
            verdict=verdict,
            reason=reason,
            fingerprint=hold.fingerprint,
            decided_at=now,
            expires_at=now + DECISION_LASTS,
        )
        plans.add_hold_decision(connection, organization_id, decision)
        state = _find_state(hold, [*earlier, decision], now)
        if state == "released" and hold.delivery_id and again is None:
            raise Busy("Somebody else decided on this at the same moment.", next_action="Decide once more.")
        if state != "open":
            close_question(connection, organization_id, hold_id, state)
            if hold.delivery_id:
                _decide_delivery(rt, connection, organization_id, hold, again, reason, actor)
        _record_fact_of(connection, organization_id, hold, decision, state)
        return view_hold(connection, organization_id, plans.load_hold(connection, organization_id, hold_id), now)


def _record_fact_of(
    connection: Connection, organization_id: str, hold: Hold, decision: HoldDecision, state: str
) -> None:
    record_fact(
        connection,
        organization_id,
        "hold-decided",
        at=decision.decided_at,
        actor=decision.person,
        body={
            "hold": hold.id,
            "rule": hold.rule,
            "fingerprint": hold.fingerprint,
            "verdict": decision.verdict,
            "reason": digest_bytes(decision.reason.encode()),
            "state": state,
            "expires": write_time(decision.expires_at),
        },
    )


def decide_delivery(
    rt: Runtime,
    organization_id: str,
    delivery_id: str,
    verdict: str,
    reason: str,
    actor: Actor,
    hold_id: str | None = None,
) -> HoldView:
    """Decide on a held delivery: `accept` or `reject`; the same rule as for any hold.

    `hold_id` names the question that is answered. Once one about the delivery has been answered it must be named: who
    accepts a file twice, or looks at a page of before, has not said anything about whom it leaves out.
    """
    words = {"accept": "release", "reject": "refuse"}
    if verdict not in words:
        raise InvalidInput("A decision about a delivery is accept or reject.")
    with rt.database.read() as connection:
        deliveries.load_delivery(connection, organization_id, delivery_id)
        asked = plans.find_holds(connection, organization_id, delivery_id=delivery_id)
    found = [hold for hold in asked if hold.state == "open" and hold_id in (None, hold.id)]
    if not found:
        raise WrongState("This delivery is not held.", next_action="Look at the delivery again.")
    if hold_id is None and len(asked) > 1:
        raise WrongState(
            "What waits now is another question about this delivery than the one before.",
            next_action=f"Look at the delivery again, and name the hold that you decide on: {found[0].id}.",
        )
    return decide_hold(rt, organization_id, found[0].id, words[verdict], reason, actor)


def _find_state(hold: Hold, decisions: list[HoldDecision], now: datetime) -> str:
    standing = [d for d in decisions if d.expires_at > now]
    if any(d.verdict == "refuse" for d in standing):
        return "refused"
    return "released" if len(find_agreed(standing, now)) >= Level(hold.level).people_needed else "open"


def _prepare_release(rt: Runtime, organization_id: str, hold_id: str, actor: Actor, kept: ExitStack) -> Again | None:
    """Read a held delivery again when this release will let it go; a large file takes longer than a transaction may.

    Its feed is kept until the decision is recorded, so that no other delivery comes between.
    """
    now = rt.now()
    with rt.database.read() as connection:
        hold = plans.load_hold(connection, organization_id, hold_id)
        if hold.state != "open" or hold.delivery_id is None:
            return None
        delivery = deliveries.load_delivery(connection, organization_id, hold.delivery_id)
        if delivery.received_by == actor.name:
            raise NotAllowed(
                "Nobody releases a file that they sent in themselves.", next_action="Ask somebody else to decide."
            )
        others = find_agreed(plans.find_hold_decisions(connection, organization_id, hold_id), now)
    if never := view_delivery(delivery).never_counts:
        raise WrongState(never, next_action="Reject it and have the whole file sent again.")
    if len(others | {actor.name}) < Level(hold.level).people_needed:
        return None
    taken = kept.enter_context(take_feed(rt, organization_id, delivery.id))
    opened = open_delivery(rt, organization_id, delivery.id)
    again = Again(opened, kept.enter_context(take_changes(taken, opened.reading.mbi_changes)))
    if delivery.settings_digest not in (None, digest_settings(again.opened.feed)):
        raise WrongState(
            "The files of this feed are read otherwise now than when this one was judged.",
            next_action="Reject it and have it sent again, so that it is read and judged anew.",
        )
    if hold.rule in REMOVAL_RULES:
        return replace(again, basis=ask_again(rt, organization_id, again, hold))
    return keep_people(rt, organization_id, check_doubts(rt, organization_id, again, hold))


def _decide_delivery(
    rt: Runtime,
    connection: Connection,
    organization_id: str,
    hold: Hold,
    again: Again | None,
    reason: str,
    actor: Actor,
) -> None:
    """Let a held delivery count or reject it; an accepted one only learns whether its absences count."""
    if hold.delivery_id is None:
        return
    if hold.rule in REMOVAL_RULES:
        if again is None:
            keep_everybody(connection, organization_id, hold.delivery_id)
        else:
            fold_removals(rt, connection, organization_id, again)
        return
    deliveries.set_delivery_state(
        connection,
        organization_id,
        hold.delivery_id,
        "held",
        "accepted" if again else "rejected",
        decided_at=rt.now(),
        decided_by=actor.name,
        decided_reason=reason,
    )
    if again:
        fold_released(rt, connection, organization_id, again, hold)
