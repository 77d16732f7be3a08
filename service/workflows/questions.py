"""What a delivery asks a person: bound to its doubts and to exactly whom it lets go, asked anew when they differ."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from service.domain.departing import doubt_change
from service.domain.errors import WrongState
from service.domain.guards import Level
from service.domain.intake import REMOVAL_RULES, Doubt, Verdict, tell_effect
from service.runtime import Runtime
from service.storage import deliveries, plans
from service.storage.connection import Connection
from service.storage.deliveries import Departures
from service.storage.plans import Hold
from service.workflows.departures import find_basis, fingerprint_departures
from service.workflows.judge import Weighed, weigh_delivery
from service.workflows.reading import Reading, open_delivery
from service.workflows.taking import TakenFeed
from service.workflows.waiting import find_cost_of_silence

_BY_NOW = " By now: "
_NO_LONGER = " An earlier decision no longer counts."


@dataclass(frozen=True, slots=True)
class Again:
    """A delivery that was read again for a release: its feed is ours, and `basis` is what whom it lets go rests on.

    Of a file that is held whole, `shown` is the fingerprint of who was shown, and `doubts` are those of now.
    """

    opened: Reading
    taken: TakenFeed
    basis: str | None = None
    shown: str | None = None
    doubts: tuple[str, ...] = ()


def look_up_cost(
    rt: Runtime, connection: Connection, organization_id: str, opened: Reading, weighed: Weighed
) -> Weighed:
    """Answer the same with what it costs while people are asked, as far as claims and Groups tell by now.

    Another feed may tell more a moment later: it is a hint, for which nobody else need wait.
    """
    costs_from = find_cost_of_silence(connection, opened.keys, organization_id, opened.feed.id, rt.now())
    return replace(weighed, costs_from=costs_from)


def open_question(
    rt: Runtime, connection: Connection, organization_id: str, opened: Reading, weighed: Weighed, doubt: Doubt, n: int
) -> Hold:
    """Ask a person about a delivery; whom it would let go is kept sealed beside the question, and bound by it.

    What it costs to wait has been looked up before: that opens every panel of the feed.
    """
    now, delivery = rt.now(), opened.delivery
    doubts = () if doubt.code in REMOVAL_RULES else weighed.judgement.codes
    hold = Hold(
        delivery_id=delivery.id,
        rule=doubt.code,
        level=doubt.level.value,
        fingerprint=fingerprint_departures(opened, doubt.code, weighed.departures, doubts),
        reason=doubt.reason,
        costs_from=weighed.costs_from,
        n=n,
        opened_at=now,
    )
    plans.save_holds(connection, organization_id, [hold])
    deliveries.update_delivery(connection, organization_id, delivery.id, costs_from=weighed.costs_from)
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
        ended_count=total.gone,
    )
    return hold


def close_question(connection: Connection, organization_id: str, hold_id: str, state: str) -> None:
    """Close an open question; whom it was about is forgotten, its fingerprint stays. Raises WrongState."""
    plans.set_hold_state(connection, organization_id, hold_id, "open", state)
    deliveries.remove_departures(connection, organization_id, hold_id)


def close_older_questions(connection: Connection, organization_id: str, opened: Reading) -> None:
    """A newer roster of the feed asks its own question; the older one needs no answer any more.

    That is so where it speaks for every practitioner of the older question. Changes ask nothing about whom an earlier
    file left out, and no roster repeats what an earlier file removed by name.
    """
    if not opened.is_snapshot:
        return
    covered = {one.npi for one in deliveries.find_effects(connection, organization_id, opened.delivery.id)}
    for hold in plans.find_holds(connection, organization_id, state="open"):
        if hold.rule in REMOVAL_RULES and hold.delivery_id and hold.delivery_id != opened.delivery.id:
            older = deliveries.load_delivery(connection, organization_id, hold.delivery_id)
            is_older = older.feed_id == opened.feed.id and older.number < opened.delivery.number
            is_replaced = opened.as_of_at is not None and older.as_of_at == opened.as_of_at
            if not is_older or older.mode != "snapshot" or (older.remove_count and not is_replaced):
                continue
            if _find_asked(connection, organization_id, opened, hold) <= covered:
                close_question(connection, organization_id, hold.id, "moot")
                keep_everybody(connection, organization_id, older.id)


def _find_asked(connection: Connection, organization_id: str, opened: Reading, hold: Hold) -> set[str]:
    """Answer the practitioners about whose patients a hold of the same organisation asks."""
    effects = deliveries.find_effects(connection, organization_id, hold.delivery_id or "")
    shown = _load_shown(connection, organization_id, opened, hold)
    listed = set() if shown is None else {f"{npi:010d}" for npi in np.unique(shown.npi).tolist()}
    return listed | {one.npi for one in effects if one.absent or one.ended}


def keep_everybody(connection: Connection, organization_id: str, delivery_id: str) -> None:
    """Record that an accepted delivery lets nobody go: a person has refused it, or a newer roster asks anew."""
    effects = deliveries.find_effects(connection, organization_id, delivery_id)
    deliveries.replace_effects(connection, organization_id, delivery_id, [replace(one, ended=0) for one in effects])
    deliveries.update_delivery(connection, organization_id, delivery_id, removals_reason=None, ended_count=0)


def find_change(opened: Reading, weighed: Weighed, hold: Hold, shown: str | None) -> Doubt | None:
    """Answer why a released file lets nobody go yet: by now it would let go others than those who were shown.

    It takes at least as many people to answer as before. Where nobody goes at all there is nothing to ask.
    """
    if not weighed.total.ended or fingerprint_departures(opened, hold.rule, weighed.departures) == shown:
        return None
    return doubt_change(weighed.total, find_gravest(weighed, hold))


def find_gravest(weighed: Weighed, hold: Hold) -> Level:
    """Answer the level of a question that follows another one: no lower than that one, or than the file's by now."""
    levels = [Level(hold.level), weighed.judgement.level, weighed.removals.level if weighed.removals else None]
    return max((level for level in levels if level), key=lambda level: level.people_needed)


def check_doubts(rt: Runtime, organization_id: str, again: Again, hold: Hold) -> Again:
    """Answer a file that is held whole with what its release rests on: who was shown, and the doubts of now.

    Raises WrongState when the file is doubted otherwise by now than the open hold tells, or when it takes more people;
    a new hold tells of it. Where nothing is doubted any more, whoever has released the file need not do so again.
    """
    with rt.database.begin() as connection:
        again.taken.check(connection)
        weighed = weigh_delivery(connection, organization_id, again.opened)
        if _is_doubted_alike(connection, organization_id, again.opened, weighed, hold):
            shown = _find_shown(connection, organization_id, again.opened, hold)
            return replace(again, shown=shown, doubts=weighed.judgement.codes)
        weighed = look_up_cost(rt, connection, organization_id, again.opened, weighed)
        _replace_question(rt, connection, organization_id, again.opened, weighed, hold)
    raise WrongState(
        "By now there are other doubts about this file than those that were shown.",
        next_action="Look at the delivery again, and decide anew.",
    )


def ask_again(rt: Runtime, organization_id: str, again: Again, hold: Hold) -> str:
    """Answer the basis on which an accepted delivery lets go exactly whom the open hold tells of.

    Raises WrongState when it would let go others; a new hold tells of them, and whoever answers it can know them.
    """
    with rt.database.begin() as connection:
        again.taken.check(connection)
        weighed = weigh_delivery(connection, organization_id, again.opened)
        if find_change(again.opened, weighed, hold, hold.fingerprint) is None:
            return find_basis(connection, organization_id, again.opened.feed.id)
        weighed = look_up_cost(rt, connection, organization_id, again.opened, weighed)
        _replace_question(rt, connection, organization_id, again.opened, weighed, hold)
    raise WrongState(
        "By now the patients whom this file lets go are not exactly those who were shown.",
        next_action="Look at the delivery again, and at whom it lets go, and decide anew.",
    )


def renew_question(rt: Runtime, organization_id: str, hold: Hold) -> Hold:
    """Answer the hold that asks about whom a delivery would let go now: the same, or a new one that stands for it.

    Its file is read again, against what is known now. What somebody has decided stands while people and doubts are the
    same; otherwise the new hold says that it no longer counts. Raises WrongState when it was answered meanwhile.
    """
    opened = open_delivery(rt, organization_id, hold.delivery_id or "")
    with rt.database.read() as connection:
        basis = find_basis(connection, organization_id, opened.feed.id)
        weighed = weigh_delivery(connection, organization_id, opened)
        weighed = look_up_cost(rt, connection, organization_id, opened, weighed)
    with rt.database.begin() as connection:
        hold = plans.lock_hold(connection, organization_id, hold.id)
        if hold.state != "open":
            raise WrongState(f"The hold is {hold.state} already.", next_action="Look at the delivery again.")
        if not _is_bound(connection, organization_id, opened, weighed, hold):
            hold = _replace_question(rt, connection, organization_id, opened, weighed, hold)
        deliveries.replace_departures(connection, opened.keys, organization_id, hold.id, weighed.departures, basis)
    return hold


def _replace_question(
    rt: Runtime, connection: Connection, organization_id: str, opened: Reading, weighed: Weighed, hold: Hold
) -> Hold:
    """Ask anew, with the doubts of now where they differ; it takes at least as many people to answer as before."""
    level, judged = find_gravest(weighed, hold), weighed.judgement
    void = _tell_void(rt, connection, organization_id, hold)
    if hold.rule in REMOVAL_RULES:
        close_question(connection, organization_id, hold.id, "moot")
        change = doubt_change(weighed.total, level)
        change = replace(change, reason=change.reason + void)
        return open_removal_question(rt, connection, organization_id, opened, weighed, change)
    doubt = Doubt(judged.code or "file", level, f"{judged.reason}{void}")
    if _is_doubted_alike(connection, organization_id, opened, weighed, hold):
        reason = hold.reason.partition(_BY_NOW)[0] + _BY_NOW + tell_effect(weighed.total) + void
        doubt = Doubt(hold.rule, level, reason)
    close_question(connection, organization_id, hold.id, "moot")
    deliveries.replace_effects(connection, organization_id, opened.delivery.id, weighed.effects)
    deliveries.update_delivery(
        connection,
        organization_id,
        opened.delivery.id,
        hold_code=doubt.code,
        hold_reason=doubt.reason,
        absent_count=weighed.total.absent,
        ended_count=weighed.total.gone,
    )
    return open_question(rt, connection, organization_id, opened, weighed, doubt, n=hold.n)


def _tell_void(rt: Runtime, connection: Connection, organization_id: str, hold: Hold) -> str:
    """Say of an earlier decision that it no longer counts; whoever made it may believe that it does."""
    decisions = plans.find_hold_decisions(connection, organization_id, hold.id)
    stood = any(decision.expires_at > rt.now() for decision in decisions)
    return _NO_LONGER if stood or hold.reason.endswith(_NO_LONGER) else ""


def _is_bound(connection: Connection, organization_id: str, opened: Reading, weighed: Weighed, hold: Hold) -> bool:
    """Answer whether a question still asks about exactly the same people, and for the same doubts."""
    now = fingerprint_departures(opened, hold.rule, weighed.departures)
    if hold.rule in REMOVAL_RULES:
        return now == hold.fingerprint
    return now == _find_shown(connection, organization_id, opened, hold) and _is_doubted_alike(
        connection, organization_id, opened, weighed, hold
    )


def _is_doubted_alike(
    connection: Connection, organization_id: str, opened: Reading, weighed: Weighed, hold: Hold
) -> bool:
    """Answer whether a file that is held whole is doubted as its hold tells, or not at all, and takes no more people.

    Which doubts a hold tells of is known by its fingerprint alone, and by who was shown.
    """
    judged = weighed.judgement
    if judged.verdict is Verdict.ACCEPTED:
        return True
    shown = _load_shown(connection, organization_id, opened, hold)
    if shown is None or find_gravest(weighed, hold) is not Level(hold.level):
        return False
    return fingerprint_departures(opened, hold.rule, shown, judged.codes) == hold.fingerprint


def _find_shown(connection: Connection, organization_id: str, opened: Reading, hold: Hold) -> str | None:
    shown = _load_shown(connection, organization_id, opened, hold)
    return None if shown is None else fingerprint_departures(opened, hold.rule, shown)


def _load_shown(connection: Connection, organization_id: str, opened: Reading, hold: Hold) -> Departures | None:
    kept = deliveries.find_kept_departures(connection, organization_id, hold.id)
    if kept is None:
        return None
    return deliveries.load_departures(connection, opened.keys, organization_id, hold.id, 0, kept.n)
