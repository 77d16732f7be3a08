"""Read a delivery that has arrived, judge the file, and fold what it says into the practice's claims."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

from service.domain.canonical import write_time
from service.domain.errors import Busy, WrongState
from service.domain.intake import Doubt, Verdict
from service.rosters.findings import Finding, count_errors, insert_findings
from service.runtime import Runtime
from service.storage import deliveries, organizations
from service.storage.connection import Connection
from service.storage.deliveries import Delivery
from service.storage.plans import Hold
from service.storage.rows import in_batches
from service.storage.sketches import save_sketch
from service.workflows.conflicts import close_conflicts
from service.workflows.deliveries import DeliveryView, iter_waiting, load_delivery
from service.workflows.departures import find_basis
from service.workflows.fold import fold_claims
from service.workflows.headers import keep_header
from service.workflows.identities import record_renames, save_people
from service.workflows.judge import Weighed, is_sequence_taken, weigh_delivery
from service.workflows.questions import (
    Again,
    close_older_questions,
    find_change,
    find_gravest,
    look_up_cost,
    open_question,
    open_removal_question,
)
from service.workflows.reading import Reading, digest_settings, open_delivery
from service.workflows.record import record_fact
from service.workflows.taking import take_changes, take_feed

FINDINGS_PER_STATEMENT = 5_000
_MEANWHILE = "Something else was recorded at the same moment."
_LOOK_AGAIN = "Look again, and decide once more."


def digest_delivery(rt: Runtime, organization_id: str, delivery_id: str) -> DeliveryView:
    """Read, judge and, when nothing speaks against it, fold one delivery in the state `received`.

    1. Take the feed for ourselves, so that two processes never fold a delivery twice or in another order; and changed
       MBIs of the organisation when it tells any.
    2. Unseal the file in memory and read it into columns with findings.
    3. Judge the file by its counts, times, history and effect: accepted, held or rejected; and whether it may let go.
    4. When it is accepted, keep the people it names.
    5. In one transaction: findings (of a held file also what a person must look at), claims (when accepted), holds,
       state, ledger.

    Raises Busy when somebody else reads it, WrongState when it has been read already.
    """
    with ExitStack() as kept:
        taken = kept.enter_context(take_feed(rt, organization_id, delivery_id))
        opened = open_delivery(rt, organization_id, delivery_id)
        taken = kept.enter_context(take_changes(taken, opened.reading.mbi_changes))
        taken.keep()
        if opened.delivery.state != "received":
            raise WrongState(f"The delivery is {opened.delivery.state} already.")
        with rt.database.read() as connection:
            weighed = weigh_delivery(connection, organization_id, opened)
            if weighed.judgement.verdict is Verdict.HELD:
                weighed = look_up_cost(rt, connection, organization_id, opened, weighed)
        late: Sequence[Finding] = weighed.joined
        if weighed.judgement.verdict is Verdict.ACCEPTED:
            late = save_people(rt, organization_id, opened, taken)
        findings = insert_findings(opened.reading.findings, late)
        opened = replace(opened, reading=replace(opened.reading, findings=findings))
        with rt.database.begin() as connection:
            taken.check(connection)
            delivery = _settle_delivery(rt, connection, organization_id, opened, weighed)
    return load_delivery(rt, organization_id, delivery.id)


def digest_waiting(rt: Runtime) -> int:
    """Digest every delivery that is still in the state `received`, in order of arrival; answer how many.

    One that fails keeps nobody else waiting: it stays `received`, and what went wrong first is raised at the end.
    """
    with rt.database.read() as connection:
        found = [organization.id for organization in organizations.find_organizations(connection)]
    done, failures = 0, []
    for organization_id, delivery_id in ((one, waiting) for one in found for waiting in iter_waiting(rt, one)):
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


def keep_people(rt: Runtime, organization_id: str, again: Again) -> Again:
    """Keep the people that a held delivery names, before a person's release lets it count."""
    conflicts = save_people(rt, organization_id, again.opened, again.taken)
    return replace(again, opened=replace(again.opened, conflicts=conflicts))


def fold_released(rt: Runtime, connection: Connection, organization_id: str, again: Again, hold: Hold) -> None:
    """Fold a delivery that people have released, in the transaction of their decision.

    A doubt about whom it leaves out is another question, and waits for another decision; so does whom it lets go, when
    that is not exactly who was shown. What its people contradict was not known when its findings were kept, and comes
    after them. Raises Busy when something else is doubted than a moment before.
    """
    opened, delivery = again.opened, again.opened.delivery
    if opened.conflicts:
        n = delivery.error_count + delivery.warning_count
        late = [deliveries.Finding(n + k, c.position, c.code, c.severity) for k, c in enumerate(opened.conflicts)]
        deliveries.add_findings(connection, organization_id, delivery.id, late)
        warnings = delivery.warning_count + len(late)
        deliveries.update_delivery(connection, organization_id, delivery.id, warning_count=warnings)
    weighed = weigh_delivery(connection, organization_id, opened)
    if not set(weighed.judgement.codes) <= set(again.doubts):
        raise Busy(_MEANWHILE, next_action=_LOOK_AGAIN)
    removals = weighed.removals or find_change(opened, weighed, hold, again.shown)
    if removals:
        removals = replace(removals, level=find_gravest(weighed, hold))
    _fold(rt, connection, organization_id, opened, replace(weighed, removals=removals))


def fold_removals(rt: Runtime, connection: Connection, organization_id: str, again: Again) -> None:
    """Let count whom an accepted delivery leaves out, in the transaction of the decision that releases it.

    Where others were folded since it was accepted, a redelivery may only go back to before this step. Raises Busy when
    it may be somebody else by now than when it was compared with who was shown.
    """
    opened, now, delivery_id = again.opened, rt.now(), again.opened.delivery.id
    if again.basis != find_basis(connection, organization_id, opened.feed.id):
        raise Busy(_MEANWHILE, next_action=_LOOK_AGAIN)
    deliveries.update_delivery(connection, organization_id, delivery_id, removals_reason=None)
    last = deliveries.find_last_folded(connection, organization_id, opened.feed.id, n=1)
    kept = {effect.npi: effect for effect in deliveries.find_effects(connection, organization_id, delivery_id)}
    folded = fold_claims(connection, organization_id, opened, removals_count=True, now=now)
    if [one.id for one in last] == [delivery_id]:
        return
    kept |= {effect.npi: replace(kept.get(effect.npi, effect), version=effect.version) for effect in folded}
    deliveries.replace_effects(connection, organization_id, delivery_id, kept.values())
    deliveries.update_delivery(connection, organization_id, delivery_id, folded_at=now)


def _settle_delivery(
    rt: Runtime, connection: Connection, organization_id: str, opened: Reading, weighed: Weighed
) -> Delivery:
    now, delivery, reading, judgement = rt.now(), opened.delivery, opened.reading, weighed.judgement
    errors = count_errors(reading.findings)
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
        ended_count=weighed.total.gone,
        hold_code=judgement.code,
        hold_reason=judgement.reason,
        settings_digest=digest_settings(opened.feed),
    )
    if judgement.verdict is Verdict.ACCEPTED:
        _fold(rt, connection, organization_id, opened, weighed)
    elif judgement.level is not None:
        deliveries.add_effects(connection, organization_id, weighed.effects)
        doubt = Doubt(judgement.code or "file", judgement.level, judgement.reason or "")
        open_question(rt, connection, organization_id, opened, weighed, doubt, len(reading.present))
    settled = deliveries.load_delivery(connection, organization_id, delivery.id)
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
            "costs_from": write_time(settled.costs_from) if settled.costs_from else None,
        },
    )
    return settled


def _fold(rt: Runtime, connection: Connection, organization_id: str, opened: Reading, weighed: Weighed) -> None:
    """Let an accepted delivery count: changed MBIs, claims, their effect, and by what the next one is known again.

    While whom it leaves out waits for a person, its effect is told as that person must know it; and who stays, because
    another feed lists them too, is known from weighing it.
    """
    now, keys, feed = rt.now(), opened.keys, opened.feed
    keep_header(rt, connection, organization_id, opened)
    record_renames(connection, keys, organization_id, opened.delivery, opened.reading.mbi_changes, now=now)
    removals_count = weighed.removals is None
    effects = fold_claims(connection, organization_id, opened, removals_count=removals_count, now=now)
    ended = {effect.npi: effect.ended for effect in weighed.effects}
    effects = [replace(effect, ended=ended.get(effect.npi, 0)) for effect in effects]
    deliveries.replace_effects(connection, organization_id, opened.delivery.id, effects)
    deliveries.update_delivery(connection, organization_id, opened.delivery.id, folded_at=now)
    close_conflicts(connection, organization_id, feed.id, now=now)
    if len(opened.reading.present):
        replaces = opened.is_snapshot and feed.scope == "organization"
        save_sketch(connection, organization_id, feed.id, weighed.marks, replaces=replaces)
        close_older_questions(connection, organization_id, opened)
    if weighed.removals:
        asked = look_up_cost(rt, connection, organization_id, opened, weighed)  # whom it lists rests on it by now
        open_removal_question(rt, connection, organization_id, opened, asked, weighed.removals)


def _number_findings(opened: Reading) -> Iterator[deliveries.Finding]:
    for n, found in enumerate(opened.reading.findings):
        yield deliveries.Finding(n, str(found.position), found.code, found.severity, found.blind)
