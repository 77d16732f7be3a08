"""Read a delivery that has arrived, judge the file, and fold what it says into the practice's claims."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from service.domain.attribution import is_active
from service.domain.canonical import write_time
from service.domain.errors import Busy, WrongState
from service.domain.expiry import find_cost_of_waiting
from service.domain.identifiers import Environment
from service.domain.intake import FileFacts, History, Judgement, Verdict, judge_delivery
from service.domain.roster import DeliveredPanel, fold_delivery
from service.rosters.read import read_roster
from service.rosters.reading import RosterOptions, RosterReading
from service.runtime import Runtime
from service.storage import deliveries, feeds, leases, organizations, panels, patients, plans, practitioners
from service.storage.connection import Connection
from service.storage.deliveries import Delivery
from service.storage.feeds import Feed
from service.storage.panel_codec import build_claim_columns, read_attributions, read_claims
from service.storage.raw_files import open_raw_file
from service.storage.rows import new_id
from service.storage.sealing import OrganizationKeys
from service.workflows.deliveries import DeliveryView, view_delivery
from service.workflows.policies import read_policy
from service.workflows.record import record_fact

READING_LASTS = timedelta(minutes=10)
"""A delivery that one process reads is left to it for so long."""
_EVERYBODY = "*"


def digest_delivery(rt: Runtime, organization_id: str, delivery_id: str) -> DeliveryView:
    """Read, judge and, when nothing speaks against it, fold one delivery in the state `received`.

    1. Take the delivery for ourselves, so that two processes never fold it twice.
    2. Unseal the file in memory and read it into columns with findings.
    3. Judge the file by its counts, times and history: accepted, held or rejected.
    4. In one transaction: findings, people, claims (when accepted), hold (when held), state, ledger.

    Raises Busy when somebody else reads it, WrongState when it has been read already.
    """
    token = _take(rt, organization_id, delivery_id)
    try:
        with rt.database.begin() as connection:
            delivery = deliveries.load_delivery(connection, organization_id, delivery_id)
            feed = feeds.load_feed(connection, organization_id, delivery.feed_id)
            keys = rt.open_keys(connection, organization_id)
        if delivery.state != "received":
            raise WrongState(f"The delivery is {delivery.state} already.")
        reading = _read(rt, keys, delivery, feed)
        with rt.database.begin() as connection:
            delivery = _settle_delivery(rt, connection, keys, organization_id, delivery, feed, reading)
    finally:
        with rt.database.begin() as connection:
            leases.release_lease(connection, organization_id, _name_lease(delivery_id), token)
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


def fold_accepted(
    rt: Runtime, connection: Connection, keys: OrganizationKeys, organization_id: str, delivery: Delivery, feed: Feed
) -> None:
    """Fold a delivery that a person has accepted after a hold; its file is read once more."""
    _fold(rt, connection, keys, organization_id, delivery, feed, _read(rt, keys, delivery, feed))


def _take(rt: Runtime, organization_id: str, delivery_id: str) -> int:
    with rt.database.begin() as connection:
        token = leases.acquire_lease(
            connection, organization_id, _name_lease(delivery_id), new_id(), now=rt.now(), ttl=READING_LASTS
        )
    if token is None:
        raise Busy("This delivery is being read by another process.", next_action="Wait a moment and look again.")
    return token


def _name_lease(delivery_id: str) -> str:
    return f"delivery:{delivery_id}"


def _read(rt: Runtime, keys: OrganizationKeys, delivery: Delivery, feed: Feed) -> RosterReading:
    options = RosterOptions(
        environment=Environment(feed.environment),
        mode=_read_mode(delivery, feed),
        content_type=delivery.content_type or None,
        column_mapping=dict(feed.settings.get("column_mapping", {})),
        header_hash=feed.settings.get("header_hash"),
        today=rt.now().date(),
    )
    with open_raw_file(keys, rt.settings.uploads_dir, delivery.body_path) as path:
        reading = read_roster(path, options)
    if delivery.mode_signal == "delta" and reading.mode_signal == "none":
        return replace(reading, mode_signal="delta")  # the file's name said so when it arrived
    return reading


def _read_mode(delivery: Delivery, feed: Feed) -> str:
    """A sender may make a delivery weaker than its feed (delta in place of snapshot), never stronger (feeds 7.2)."""
    return "delta" if "delta" in (delivery.mode, feed.mode) else "snapshot"


def _settle_delivery(
    rt: Runtime,
    connection: Connection,
    keys: OrganizationKeys,
    organization_id: str,
    delivery: Delivery,
    feed: Feed,
    reading: RosterReading,
) -> Delivery:
    now = rt.now()
    errors = [f for f in reading.findings if f.severity == "error"]
    judgement = _judge(connection, organization_id, delivery, feed, reading, len(errors))
    costs_from = _find_cost(rt, connection, keys, organization_id, delivery.feed_id, now) if judgement.level else None
    deliveries.add_findings(connection, organization_id, delivery.id, _number_findings(reading))
    deliveries.set_delivery_state(
        connection,
        organization_id,
        delivery.id,
        "received",
        judgement.verdict.value,
        format=reading.format,
        mode=_read_mode(delivery, feed),
        mode_signal=reading.mode_signal,
        encoding=reading.encoding,
        file_error=reading.file_error,
        header_hash=reading.header_hash,
        data_rows=reading.data_rows,
        present_count=len(reading.present),
        remove_count=len(reading.remove),
        error_count=len(errors),
        warning_count=len(reading.findings) - len(errors),
        blind_count=reading.blind_errors,
        hold_code=judgement.code,
        hold_reason=judgement.reason,
        costs_from=costs_from,
    )
    settled = deliveries.load_delivery(connection, organization_id, delivery.id)
    if judgement.verdict is Verdict.ACCEPTED:
        _fold(rt, connection, keys, organization_id, settled, feed, reading)
    elif judgement.verdict is Verdict.HELD:
        _open_hold(connection, organization_id, settled, judgement, costs_from, now)
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
            "errors": len(errors),
            "code": judgement.code,
            "costs_from": write_time(costs_from) if costs_from else None,
        },
    )
    return settled


def _judge(
    connection: Connection,
    organization_id: str,
    delivery: Delivery,
    feed: Feed,
    reading: RosterReading,
    errors: int,
) -> Judgement:
    earlier = deliveries.find_last_accepted(connection, organization_id, feed.id, n=5)
    as_of = [d.as_of_at for d in earlier if d.as_of_at]
    facts = FileFacts(
        file_error=reading.file_error,
        data_rows=reading.data_rows,
        present=len(reading.present) + len(reading.demographics) + len(reading.practitioner_names),
        removed=len(reading.remove),
        errors=errors,
        received_at=delivery.received_at,
        as_of_at=delivery.as_of_at,
        is_snapshot=_read_mode(delivery, feed) == "snapshot" and len(reading.present) > 0,
    )
    rosters = [d.data_rows for d in earlier if d.mode == "snapshot" and d.present_count]
    return judge_delivery(facts, History(rosters, max(as_of, default=None)))


def _number_findings(reading: RosterReading) -> Iterator[deliveries.Finding]:
    for n, found in enumerate(reading.findings):
        yield deliveries.Finding(n, str(found.position), found.code, found.severity, found.blind)


def _find_cost(
    rt: Runtime, connection: Connection, keys: OrganizationKeys, organization_id: str, feed_id: str, now: datetime
) -> datetime | None:
    """Answer when waiting starts to cost: the first end of an attribution that only newer evidence could renew."""
    policy = read_policy(organizations.load_organization(connection, organization_id))
    claims = {
        (panel.npi, claim.mbi): claim
        for panel in panels.load_claims(connection, keys, organization_id)
        if panel.feed == feed_id
        for claim in read_claims(panel.columns)
        if not claim.ended
    }
    pairs = [
        (attribution, claims[panel.npi, attribution.mbi])
        for panel in panels.load_observed(connection, keys, organization_id)
        for attribution in read_attributions(panel.columns)
        if attribution.mbi and (panel.npi, attribution.mbi) in claims and is_active(attribution, now)
    ]
    return find_cost_of_waiting(pairs, now, policy)


def _open_hold(
    connection: Connection,
    organization_id: str,
    delivery: Delivery,
    judgement: Judgement,
    costs_from: datetime | None,
    now: datetime,
) -> None:
    hold = plans.Hold(
        delivery_id=delivery.id,
        rule=judgement.code or "file",
        level=judgement.level.value if judgement.level else "hold",
        fingerprint=delivery.sha256,
        reason=judgement.reason or "",
        costs_from=costs_from,
        n=delivery.present_count,
        opened_at=now,
    )
    plans.save_holds(connection, organization_id, [hold])


def _fold(
    rt: Runtime,
    connection: Connection,
    keys: OrganizationKeys,
    organization_id: str,
    delivery: Delivery,
    feed: Feed,
    reading: RosterReading,
) -> None:
    now = rt.now()
    _save_people(connection, keys, organization_id, delivery, reading, now)
    known = {p.npi: p for p in panels.load_claims(connection, keys, organization_id) if p.feed == feed.id}
    for npi, delivered in _cut_by_practitioner(delivery, feed, reading, known.keys()):
        panel = known.get(npi)
        before = read_claims(panel.columns) if panel else ()
        after = fold_delivery(before, delivered, feed.absences_before_removal)
        panels.save_claims(
            connection,
            keys,
            organization_id,
            npi,
            feed.id,
            build_claim_columns(after),
            now=now,
            expected_version=panel.version if panel else 0,
        )


def _save_people(
    connection: Connection,
    keys: OrganizationKeys,
    organization_id: str,
    delivery: Delivery,
    reading: RosterReading,
    now: datetime,
) -> None:
    named = {mbi: patients.PatientIdentity(mbi) for mbi, _ in reading.present.iter_pairs()}
    for person in reading.demographics:
        told = patients.PatientIdentity(person.mbi, person.given, person.family, person.birth_on, person.gender)
        if person.mbi not in named or told.is_described() or not named[person.mbi].is_described():
            named[person.mbi] = told
    patients.upsert_patients(connection, keys, organization_id, named.values(), delivery.number, now=now)
    treating = {npi: practitioners.Practitioner(npi) for _, npi in reading.present.iter_pairs() if npi}
    treating |= {p.npi: practitioners.Practitioner(p.npi, p.given, p.family) for p in reading.practitioner_names}
    practitioners.upsert_practitioners(connection, organization_id, treating.values(), now=now)


def _cut_by_practitioner(
    delivery: Delivery, feed: Feed, reading: RosterReading, known: Iterable[str]
) -> Iterator[tuple[str, DeliveredPanel]]:
    """Yield what the delivery says about each practitioner it covers.

    A practitioner who does not occur in the file is covered only by a snapshot whose feed speaks for the whole
    organisation; otherwise the file says nothing about that panel (feeds 7.1).
    """
    present = _group_lines(reading.present.iter_pairs(), reading.present.line.tolist())
    removed = _group_lines(reading.remove.iter_pairs(), reading.remove.line.tolist())
    mode = _read_mode(delivery, feed)
    covered = present.keys() | (removed.keys() - {_EVERYBODY})
    if removed.get(_EVERYBODY) or (mode == "snapshot" and feed.scope == "organization" and present):
        covered |= set(known)
    protected = frozenset(reading.protected_mbis)
    removals_count = reading.blind_errors == 0 and not (
        mode == "snapshot" and reading.mode_signal in ("delta", "partial")
    )
    for npi in sorted(covered):
        yield (
            npi,
            DeliveredPanel(
                delivery=delivery.number,
                evidence_at=delivery.as_of_at or delivery.received_at,
                mode=mode,
                present=present.get(npi, {}),
                removed={**removed.get(_EVERYBODY, {}), **removed.get(npi, {})},
                protected=protected,
                removals_count=removals_count,
            ),
        )


def _group_lines(pairs: Iterable[tuple[str, str | None]], lines: Sequence[int]) -> dict[str, dict[str, int]]:
    grouped: dict[str, dict[str, int]] = defaultdict(dict)
    for (mbi, npi), line in zip(pairs, lines, strict=True):
        grouped[npi or _EVERYBODY].setdefault(mbi, line)
    return grouped
