"""Read a delivery that has arrived, judge the file, and fold what it says into the practice's claims."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from service.domain.canonical import digest_json, write_time
from service.domain.errors import Busy, WrongState
from service.domain.intake import REMOVAL_RULES, Doubt, Verdict
from service.rosters.findings import count_errors, insert_findings
from service.runtime import Runtime
from service.storage import deliveries, leases, organizations, plans
from service.storage.connection import Connection
from service.storage.deliveries import Delivery
from service.storage.rows import in_batches, new_id
from service.storage.sketches import mark_patients, save_sketch
from service.workflows.conflicts import close_conflicts
from service.workflows.deliveries import DeliveryView, view_delivery
from service.workflows.fold import fold_claims
from service.workflows.identities import record_renames, save_people
from service.workflows.judge import Weighed, is_sequence_taken, weigh_delivery
from service.workflows.reading import Reading, digest_settings, open_delivery
from service.workflows.record import record_fact
from service.workflows.waiting import find_cost_of_silence

READING_LASTS = timedelta(minutes=5)
"""A delivery that one process reads is left to it for so long."""
FINDINGS_PER_STATEMENT = 5_000
_PAGE = 500


def digest_delivery(rt: Runtime, organization_id: str, delivery_id: str) -> DeliveryView:
    """Read, judge and, when nothing speaks against it, fold one delivery in the state `received`.

    1. Take the feed for ourselves, so that two processes never fold a delivery twice or in another order.
    2. Unseal the file in memory and read it into columns with findings.
    3. Judge the file by its counts, times, history and effect: accepted, held or rejected; and whether it may let go.
    4. When it is accepted, keep the people it names.
    5. In one transaction: findings, claims (when accepted), holds, state, ledger.

    Raises Busy when somebody else reads it, WrongState when it has been read already.
    """
    with take_feed(rt, organization_id, delivery_id):
        opened = open_delivery(rt, organization_id, delivery_id)
        if opened.delivery.state != "received":
            raise WrongState(f"The delivery is {opened.delivery.state} already.")
        with rt.database.read() as connection:
            weighed = weigh_delivery(connection, organization_id, opened)
        if weighed.judgement.verdict is Verdict.ACCEPTED:
            conflicts = save_people(rt, opened.keys, organization_id, opened.delivery, opened.reading)
            findings = insert_findings(opened.reading.findings, conflicts)
            opened = replace(opened, reading=replace(opened.reading, findings=findings))
        with rt.database.begin() as connection:
            delivery = _settle_delivery(rt, connection, organization_id, opened, weighed)
    return view_delivery(delivery)


def digest_waiting(rt: Runtime) -> int:
    """Digest every delivery that is still in the state `received`, in order of arrival; answer how many.

    One that fails keeps nobody else waiting: it stays `received`, and what went wrong first is raised at the end.
    """
    with rt.database.read() as connection:
        found = [
            (organization.id, delivery_id)
            for organization in organizations.find_organizations(connection)
            for delivery_id in _find_waiting(connection, organization.id)
        ]
    done, failures = 0, []
    for organization_id, delivery_id in found:
        try:
            digest_delivery(rt, organization_id, delivery_id)
            done += 1
        except (Busy, WrongState):
            continue
        except Exception as failure:
            failures.append(failure)
    if failures:
        raise failures[0]
    return done


def _find_waiting(connection: Connection, organization_id: str) -> list[str]:
    """Answer all that waits to be read, the first that came first."""
    found: list[Delivery] = []
    while page := deliveries.find_deliveries(
        connection, organization_id, state="received", after=found[-1].number if found else None, limit=_PAGE
    ):
        found += page
    return [delivery.id for delivery in reversed(found)]


def keep_people(rt: Runtime, organization_id: str, opened: Reading) -> Reading:
    """Keep the people that a held delivery names, before a person's release lets it count."""
    conflicts = save_people(rt, opened.keys, organization_id, opened.delivery, opened.reading)
    return replace(opened, conflicts=conflicts)


def fold_released(rt: Runtime, connection: Connection, organization_id: str, again: Reading) -> None:
    """Fold a delivery that people have released, in the transaction of their decision.

    A doubt about whom it leaves out is another question, and waits for another decision. What its people contradict was
    not known when its findings were kept, and comes after them.
    """
    delivery = again.delivery
    if again.conflicts:
        n = delivery.error_count + delivery.warning_count
        late = [deliveries.Finding(n + k, c.position, c.code, c.severity) for k, c in enumerate(again.conflicts)]
        deliveries.add_findings(connection, organization_id, delivery.id, late)
        warnings = delivery.warning_count + len(late)
        deliveries.update_delivery(connection, organization_id, delivery.id, warning_count=warnings)
    weighed = weigh_delivery(connection, organization_id, again)
    weighed = replace(weighed, removals=weighed.removals or weighed.growth)
    _fold(rt, connection, organization_id, again, weighed)
    if weighed.removals:
        _open_removal_hold(rt, connection, organization_id, again, weighed)


def ask_again(rt: Runtime, organization_id: str, again: Reading, hold_id: str) -> None:
    """Raise WrongState when an accepted delivery would let go more than the open hold tells; a new one tells it.

    Whoever answers the new question knows the number.
    """
    with rt.database.begin() as connection:
        weighed = weigh_delivery(connection, organization_id, again)
        if weighed.growth is None:
            return
        plans.set_hold_state(connection, organization_id, hold_id, "open", "moot")
        _open_removal_hold(rt, connection, organization_id, again, replace(weighed, removals=weighed.growth))
    raise WrongState(
        "By now this file lets go more patients than were shown.",
        next_action="Look at the delivery again, and decide anew.",
    )


def fold_removals(rt: Runtime, connection: Connection, organization_id: str, again: Reading) -> None:
    """Let count whom an accepted delivery leaves out, in the transaction of the decision that releases it.

    Where others were folded since it was accepted, a redelivery may only go back to before this step.
    """
    now, delivery_id = rt.now(), again.delivery.id
    last = deliveries.find_last_folded(connection, organization_id, again.feed.id, n=1)
    kept = {effect.npi: effect for effect in deliveries.find_effects(connection, organization_id, delivery_id)}
    folded = fold_claims(connection, organization_id, again, removals_count=True, now=now)
    if [one.id for one in last] == [delivery_id]:
        return
    kept |= {effect.npi: replace(kept.get(effect.npi, effect), version=effect.version) for effect in folded}
    deliveries.replace_effects(connection, organization_id, delivery_id, kept.values())
    deliveries.update_delivery(connection, organization_id, delivery_id, folded_at=now)


def keep_everybody(connection: Connection, organization_id: str, delivery_id: str) -> None:
    """Record that an accepted delivery lets nobody go: a person has refused it, or a newer roster asks anew."""
    effects = deliveries.find_effects(connection, organization_id, delivery_id)
    deliveries.replace_effects(connection, organization_id, delivery_id, [replace(one, ended=0) for one in effects])
    deliveries.update_delivery(connection, organization_id, delivery_id, removals_reason=None, ended_count=0)


@contextmanager
def take_feed(rt: Runtime, organization_id: str, delivery_id: str) -> Iterator[None]:
    """Keep the feed of a delivery for ourselves while the block runs; raises Busy when somebody else has it."""
    with rt.database.begin() as connection:
        resource = f"feed:{deliveries.load_delivery(connection, organization_id, delivery_id).feed_id}"
        token = leases.acquire_lease(connection, organization_id, resource, new_id(), now=rt.now(), ttl=READING_LASTS)
    if token is None:
        raise Busy("This feed is being read by another process.", next_action="Wait a moment and look again.")
    try:
        yield
    finally:
        with rt.database.begin() as connection:
            leases.release_lease(connection, organization_id, resource, token)


def _settle_delivery(
    rt: Runtime, connection: Connection, organization_id: str, opened: Reading, weighed: Weighed
) -> Delivery:
    now, delivery, reading, judgement = rt.now(), opened.delivery, opened.reading, weighed.judgement
    errors = count_errors(reading.findings)
    held = judgement.level is not None or weighed.removals is not None
    costs_from = find_cost_of_silence(connection, opened.keys, organization_id, opened.feed.id, now) if held else None
    for batch in in_batches(_number_findings(opened), FINDINGS_PER_STATEMENT):
        deliveries.add_findings(connection, organization_id, delivery.id, batch)
    is_taken = is_sequence_taken(connection, organization_id, opened)
    sequence = None if is_taken else opened.sequence  # the number belongs to another one
    deliveries.set_delivery_state(
        connection,
        organization_id,
        delivery.id,
        "received",
        judgement.verdict.value,
        format=reading.format,
        mode="snapshot" if opened.is_snapshot else "delta",
        mode_signal=reading.mode_signal,
        encoding=reading.encoding,
        file_error=reading.file_error,
        header_hash=reading.header_hash,
        as_of_at=opened.as_of_at,
        sequence=delivery.sequence or sequence,
        data_rows=reading.data_rows,
        declared_count=opened.declared_count,
        present_count=len(reading.present),
        remove_count=len(reading.remove),
        error_count=errors,
        warning_count=len(reading.findings) - errors,
        blind_count=reading.blind_errors,
        absent_count=weighed.total.absent,
        ended_count=weighed.total.ended,
        hold_code=judgement.code,
        hold_reason=judgement.reason,
        costs_from=costs_from,
        settings_digest=digest_settings(opened.feed),
    )
    if judgement.verdict is Verdict.ACCEPTED:
        _fold(rt, connection, organization_id, opened, weighed)
        if weighed.removals:
            _open_removal_hold(rt, connection, organization_id, opened, weighed)
    elif judgement.level is not None:
        deliveries.add_effects(connection, organization_id, weighed.effects)
        doubt = Doubt(judgement.code or "file", judgement.level, judgement.reason or "")
        _open_hold(connection, organization_id, delivery, doubt, len(reading.present), costs_from, now)
    record_fact(
        connection,
        organization_id,
        f"delivery-{judgement.verdict.value}",
        at=now,
        actor="rollcall",
        body={
            "delivery": delivery.id,
            "sha256": delivery.sha256,
            "rows": reading.data_rows,
            "present": len(reading.present),
            "removed": len(reading.remove),
            "renamed": len(reading.mbi_changes),
            "errors": errors,
            "code": judgement.code,
            "removals": weighed.removals.code if weighed.removals else None,
            "costs_from": write_time(costs_from) if costs_from else None,
        },
    )
    return deliveries.load_delivery(connection, organization_id, delivery.id)


def _fold(rt: Runtime, connection: Connection, organization_id: str, opened: Reading, weighed: Weighed) -> None:
    """Let an accepted delivery count: changed MBIs, claims, their effect, and the sketch by which it is known again.

    While whom it leaves out waits for a person, its effect is told as that person must know it.
    """
    now, keys, feed = rt.now(), opened.keys, opened.feed
    record_renames(connection, keys, organization_id, opened.delivery, opened.reading.mbi_changes, now=now)
    removals_count = weighed.removals is None
    effects = fold_claims(connection, organization_id, opened, removals_count=removals_count, now=now)
    if not removals_count:
        ended = {effect.npi: effect.ended for effect in weighed.effects}
        effects = [replace(effect, ended=ended.get(effect.npi, 0)) for effect in effects]
    deliveries.replace_effects(connection, organization_id, opened.delivery.id, effects)
    deliveries.update_delivery(connection, organization_id, opened.delivery.id, folded_at=now)
    close_conflicts(connection, organization_id, feed.id, now=now)
    if len(opened.reading.present):
        replaces = opened.is_snapshot and feed.scope == "organization"
        marks = mark_patients(keys, opened.reading.present.mbi)
        save_sketch(connection, organization_id, feed.id, marks, replaces=replaces)
        _close_removal_holds(connection, organization_id, opened)


def _number_findings(opened: Reading) -> Iterator[deliveries.Finding]:
    for n, found in enumerate(opened.reading.findings):
        yield deliveries.Finding(n, str(found.position), found.code, found.severity, found.blind)


def _open_removal_hold(
    rt: Runtime, connection: Connection, organization_id: str, opened: Reading, weighed: Weighed
) -> None:
    """Keep for a person whom an accepted delivery would let go; adds and renewals go on without it."""
    if weighed.removals is None:
        return
    now, n = rt.now(), max(weighed.total.absent, weighed.total.ended)
    costs_from = find_cost_of_silence(connection, opened.keys, organization_id, opened.feed.id, now)
    _open_hold(connection, organization_id, opened.delivery, weighed.removals, n, costs_from, now)
    total = weighed.total
    deliveries.update_delivery(
        connection,
        organization_id,
        opened.delivery.id,
        removals_reason=weighed.removals.reason,
        absent_count=total.absent,
        ended_count=total.ended,
    )


def _close_removal_holds(connection: Connection, organization_id: str, opened: Reading) -> None:
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
                plans.set_hold_state(connection, organization_id, hold.id, "open", "moot")
                keep_everybody(connection, organization_id, older.id)


def _open_hold(
    connection: Connection,
    organization_id: str,
    delivery: Delivery,
    doubt: Doubt,
    n: int,
    costs_from: datetime | None,
    now: datetime,
) -> None:
    hold = plans.Hold(
        delivery_id=delivery.id,
        rule=doubt.code,
        level=doubt.level.value,
        fingerprint=digest_json({"delivery": delivery.sha256, "rule": doubt.code}),
        reason=doubt.reason,
        costs_from=costs_from,
        n=n,
        opened_at=now,
    )
    plans.save_holds(connection, organization_id, [hold])
