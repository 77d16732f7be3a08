"""What a delivery asks a person: bound to exactly whom it would let go, and asked anew when that is somebody else."""

from __future__ import annotations

from dataclasses import dataclass, replace

from service.domain.errors import WrongState
from service.domain.guards import Level
from service.domain.intake import REMOVAL_RULES, Doubt, doubt_change, tell_effect
from service.runtime import Runtime
from service.storage import deliveries, plans
from service.storage.connection import Connection
from service.storage.plans import Hold
from service.workflows.departures import find_basis, fingerprint_departures
from service.workflows.judge import Weighed, weigh_delivery
from service.workflows.reading import Reading, open_delivery
from service.workflows.taking import TakenFeed
from service.workflows.waiting import find_cost_of_silence

_BY_NOW = " By now: "


@dataclass(frozen=True, slots=True)
class Again:
    """A delivery that was read again for a release: its feed is ours, and `basis` is what whom it lets go rests on."""

    opened: Reading
    taken: TakenFeed
    basis: str | None = None


def open_question(
    rt: Runtime, connection: Connection, organization_id: str, opened: Reading, weighed: Weighed, doubt: Doubt, n: int
) -> Hold:
    """Ask a person about a delivery; whom it would let go is kept sealed beside the question, and bound by it."""
    now, delivery = rt.now(), opened.delivery
    costs_from = find_cost_of_silence(connection, opened.keys, organization_id, opened.feed.id, now)
    hold = Hold(
        delivery_id=delivery.id,
        rule=doubt.code,
        level=doubt.level.value,
        fingerprint=fingerprint_departures(opened, doubt.code, weighed.departures),
        reason=doubt.reason,
        costs_from=costs_from,
        n=n,
        opened_at=now,
    )
    plans.save_holds(connection, organization_id, [hold])
    deliveries.update_delivery(connection, organization_id, delivery.id, costs_from=costs_from)
    basis = find_basis(connection, organization_id, opened.feed.id)
    deliveries.replace_departures(connection, opened.keys, organization_id, hold.id, weighed.departures, basis)
    return hold


def open_removal_question(
    rt: Runtime, connection: Connection, organization_id: str, opened: Reading, weighed: Weighed, doubt: Doubt
) -> Hold:
    """Ask a person about whom an accepted delivery would let go; adds and renewals go on without the answer."""
    total = weighed.total
    hold = open_question(rt, connection, organization_id, opened, weighed, doubt, n=max(total.absent, total.ended))
    deliveries.update_delivery(
        connection,
        organization_id,
        opened.delivery.id,
        removals_reason=doubt.reason,
        absent_count=total.absent,
        ended_count=total.ended,
    )
    return hold


def close_question(connection: Connection, organization_id: str, hold_id: str, state: str) -> None:
    """Close an open question; whom it was about is forgotten, its fingerprint stays. Raises WrongState."""
    plans.set_hold_state(connection, organization_id, hold_id, "open", state)
    deliveries.remove_departures(connection, organization_id, hold_id)


def close_older_questions(connection: Connection, organization_id: str, opened: Reading) -> None:
    """A newer roster of the feed asks its own question; the older one needs no answer any more.

    Changes ask nothing about whom an earlier file left out, and no roster repeats what an earlier file removed by name.
    """
    if not opened.is_snapshot:
        return
    for hold in plans.find_holds(connection, organization_id, state="open"):
        if hold.rule in REMOVAL_RULES and hold.delivery_id and hold.delivery_id != opened.delivery.id:
            older = deliveries.load_delivery(connection, organization_id, hold.delivery_id)
            is_older = older.feed_id == opened.feed.id and older.number < opened.delivery.number
            is_replaced = opened.as_of_at is not None and older.as_of_at == opened.as_of_at
            if is_older and older.mode == "snapshot" and (is_replaced or not older.remove_count):
                close_question(connection, organization_id, hold.id, "moot")
                keep_everybody(connection, organization_id, older.id)


def keep_everybody(connection: Connection, organization_id: str, delivery_id: str) -> None:
    """Record that an accepted delivery lets nobody go: a person has refused it, or a newer roster asks anew."""
    effects = deliveries.find_effects(connection, organization_id, delivery_id)
    deliveries.replace_effects(connection, organization_id, delivery_id, [replace(one, ended=0) for one in effects])
    deliveries.update_delivery(connection, organization_id, delivery_id, removals_reason=None, ended_count=0)


def find_change(opened: Reading, weighed: Weighed, hold: Hold) -> Doubt | None:
    """Answer why a released file lets nobody go yet: by now it would let go others than the hold told of.

    It takes as many people to answer as before. Where nobody goes at all there is nothing to ask.
    """
    if not weighed.total.ended or _is_bound(opened, weighed, hold):
        return None
    return doubt_change(weighed.total, Level(hold.level))


def ask_again(rt: Runtime, organization_id: str, again: Again, hold: Hold) -> str:
    """Answer the basis on which an accepted delivery lets go exactly whom the open hold tells of.

    Raises WrongState when it would let go others; a new hold tells of them, and whoever answers it can know them.
    """
    with rt.database.begin() as connection:
        again.taken.check(connection)
        weighed = weigh_delivery(connection, organization_id, again.opened)
        change = find_change(again.opened, weighed, hold)
        if change is None:
            return find_basis(connection, organization_id, again.opened.feed.id)
        close_question(connection, organization_id, hold.id, "moot")
        open_removal_question(rt, connection, organization_id, again.opened, weighed, change)
    raise WrongState(
        "By now the patients whom this file lets go are not exactly those who were shown.",
        next_action="Look at the delivery again, and at whom it lets go, and decide anew.",
    )


def renew_question(rt: Runtime, organization_id: str, hold: Hold) -> Hold:
    """Answer the hold that asks about whom a delivery would let go now: the same, or a new one that stands for it.

    Its file is read again, against what is known now. Raises WrongState when it was answered meanwhile.
    """
    opened = open_delivery(rt, organization_id, hold.delivery_id or "")
    with rt.database.read() as connection:
        basis = find_basis(connection, organization_id, opened.feed.id)
        weighed = weigh_delivery(connection, organization_id, opened)
    with rt.database.begin() as connection:
        hold = plans.lock_hold(connection, organization_id, hold.id)
        if hold.state != "open":
            raise WrongState(f"The hold is {hold.state} already.", next_action="Look at the delivery again.")
        if not _is_bound(opened, weighed, hold):
            hold = _replace_question(rt, connection, organization_id, opened, weighed, hold)
        deliveries.replace_departures(connection, opened.keys, organization_id, hold.id, weighed.departures, basis)
    return hold


def _replace_question(
    rt: Runtime, connection: Connection, organization_id: str, opened: Reading, weighed: Weighed, hold: Hold
) -> Hold:
    close_question(connection, organization_id, hold.id, "moot")
    if hold.rule in REMOVAL_RULES:
        change = doubt_change(weighed.total, Level(hold.level))
        return open_removal_question(rt, connection, organization_id, opened, weighed, change)
    reason = hold.reason.partition(_BY_NOW)[0] + _BY_NOW + tell_effect(weighed.total)
    doubt = Doubt(hold.rule, Level(hold.level), reason)
    deliveries.replace_effects(connection, organization_id, opened.delivery.id, weighed.effects)
    deliveries.update_delivery(
        connection,
        organization_id,
        opened.delivery.id,
        hold_reason=reason,
        absent_count=weighed.total.absent,
        ended_count=weighed.total.ended,
    )
    return open_question(rt, connection, organization_id, opened, weighed, doubt, n=hold.n)


def _is_bound(opened: Reading, weighed: Weighed, hold: Hold) -> bool:
    return fingerprint_departures(opened, hold.rule, weighed.departures) == hold.fingerprint
