"""Read a delivery that has arrived, judge the file, and fold what it says into the practice's claims."""

from __future__ import annotations

from collections.abc import Iterator
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
from service.workflows.judge import Weighed, weigh_delivery
from service.workflows.reading import Reading, digest_settings, open_delivery
from service.workflows.record import record_fact
from service.workflows.waiting import find_cost_of_silence

READING_LASTS = timedelta(minutes=5)
"""A delivery that one process reads is left to it for so long."""
FINDINGS_PER_STATEMENT = 5_000


def digest_delivery(rt: Runtime, organization_id: str, delivery_id: str) -> DeliveryView:
    """Read, judge and, when nothing speaks against it, fold one delivery in the state `received`.

    1. Take the feed for ourselves, so that two processes never fold a delivery twice or in another order.
    2. Unseal the file in memory and read it into columns with findings.
    3. Judge the file by its counts, times, history and effect: accepted, held or rejected; and whether it may let go.
    4. When it is accepted, keep the people it names.
    5. In one transaction: findings, claims (when accepted), holds, state, ledger.

    Raises Busy when somebody else reads it, WrongState when it has been read already.
    """
    with rt.database.read() as connection:
        resource = f"feed:{deliveries.load_delivery(connection, organization_id, delivery_id).feed_id}"
    token = _take(rt, organization_id, resource)
    try:
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
    finally:
        with rt.database.begin() as connection:
            leases.release_lease(connection, organization_id, resource, token)
    return view_delivery(delivery)


def digest_waiting(rt: Runtime) -> int:
    """Digest every delivery that is still in the state `received`, in order of arrival; answer how many."""
    with rt.database.read() as connection:
        found = [
            (organization.id, delivery.id)
            for organization in organizations.find_organizations(connection)
            for delivery in reversed(
                deliveries.find_deliveries(connection, organization.id, state="received", limit=500)
            )
        ]
    done = 0
    for organization_id, delivery_id in found:
        try:
            digest_delivery(rt, organization_id, delivery_id)
            done += 1
        except (Busy, WrongState):
            continue
    return done


def read_again(rt: Runtime, organization_id: str, delivery_id: str) -> Reading:
    """Read a held delivery once more and keep the people it names, before a person's release lets it count."""
    opened = open_delivery(rt, organization_id, delivery_id)
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
    _fold(rt, connection, organization_id, again, removals_count=weighed.removals is None)
    if weighed.removals:
        _open_removal_hold(rt, connection, organization_id, again, weighed)


def fold_removals(rt: Runtime, connection: Connection, organization_id: str, again: Reading) -> None:
    """Let count whom an accepted delivery leaves out, in the transaction of the decision that releases it."""
    fold_claims(connection, organization_id, again, removals_count=True, now=rt.now())


def _take(rt: Runtime, organization_id: str, resource: str) -> int:
    with rt.database.begin() as connection:
        token = leases.acquire_lease(connection, organization_id, resource, new_id(), now=rt.now(), ttl=READING_LASTS)
    if token is None:
        raise Busy("This feed is being read by another process.", next_action="Wait a moment and look again.")
    return token


def _settle_delivery(
    rt: Runtime, connection: Connection, organization_id: str, opened: Reading, weighed: Weighed
) -> Delivery:
    now, delivery, reading, judgement = rt.now(), opened.delivery, opened.reading, weighed.judgement
    errors = count_errors(reading.findings)
    held = judgement.level is not None or weighed.removals is not None
    costs_from = find_cost_of_silence(connection, opened.keys, organization_id, opened.feed.id, now) if held else None
    for batch in in_batches(_number_findings(opened), FINDINGS_PER_STATEMENT):
        deliveries.add_findings(connection, organization_id, delivery.id, batch)
    sequence = None if judgement.code == "sequence_repeats" else opened.sequence  # the number belongs to another one
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
        _fold(rt, connection, organization_id, opened, removals_count=weighed.removals is None)
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


def _fold(rt: Runtime, connection: Connection, organization_id: str, opened: Reading, *, removals_count: bool) -> None:
    """Let an accepted delivery count: changed MBIs, claims, their effect, and the sketch by which it is known again."""
    now, keys, feed = rt.now(), opened.keys, opened.feed
    record_renames(connection, keys, organization_id, opened.delivery, opened.reading.mbi_changes, now=now)
    effects = fold_claims(connection, organization_id, opened, removals_count=removals_count, now=now)
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
    reason = weighed.removals.reason
    deliveries.update_delivery(connection, organization_id, opened.delivery.id, removals_reason=reason)


def _close_removal_holds(connection: Connection, organization_id: str, opened: Reading) -> None:
    """A newer roster of the feed asks its own question; the older one needs no answer any more."""
    for hold in plans.find_holds(connection, organization_id, state="open"):
        if hold.rule in REMOVAL_RULES and hold.delivery_id and hold.delivery_id != opened.delivery.id:
            older = deliveries.load_delivery(connection, organization_id, hold.delivery_id)
            if older.feed_id == opened.feed.id and older.number < opened.delivery.number:
                plans.set_hold_state(connection, organization_id, hold.id, "open", "moot")
                deliveries.update_delivery(connection, organization_id, older.id, removals_reason=None)


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
