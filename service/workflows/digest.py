"""Read a delivery that has arrived, judge the file, and fold what it says into the practice's claims."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from service.domain.attribution import Attribution, is_active
from service.domain.canonical import write_time
from service.domain.errors import Busy, WrongState
from service.domain.expiry import find_cost_of_waiting
from service.domain.identifiers import Environment
from service.domain.intake import FileFacts, History, Judgement, Verdict, judge_delivery
from service.domain.roster import Claim
from service.rosters.read import read_roster
from service.rosters.reading import RosterOptions, RosterReading
from service.runtime import Runtime
from service.storage import deliveries, feeds, leases, organizations, panels, plans
from service.storage.connection import Connection
from service.storage.deliveries import Delivery
from service.storage.feeds import Feed
from service.storage.panel_codec import ClaimColumns, ObservedColumns, read_attributions, read_claims
from service.storage.raw_files import open_raw_file
from service.storage.rows import in_batches, new_id
from service.storage.sealing import OrganizationKeys
from service.workflows.deliveries import DeliveryView, view_delivery
from service.workflows.fold import fold_claims, save_people
from service.workflows.policies import read_policy
from service.workflows.record import record_fact

READING_LASTS = timedelta(minutes=5)
"""A delivery that one process reads is left to it for so long."""
FINDINGS_PER_STATEMENT = 5_000


@dataclass(frozen=True, slots=True)
class Reading:
    """A delivery with its feed, the keys it is sealed with, and what its file says."""

    delivery: Delivery
    feed: Feed
    keys: OrganizationKeys
    reading: RosterReading


def digest_delivery(rt: Runtime, organization_id: str, delivery_id: str) -> DeliveryView:
    """Read, judge and, when nothing speaks against it, fold one delivery in the state `received`.

    1. Take the feed for ourselves, so that two processes never fold a delivery twice or in another order.
    2. Unseal the file in memory and read it into columns with findings.
    3. Judge the file by its counts, times and history: accepted, held or rejected.
    4. When it is accepted, keep the people it names.
    5. In one transaction: findings, claims (when accepted), hold (when held), state, ledger.

    Raises Busy when somebody else reads it, WrongState when it has been read already.
    """
    with rt.database.read() as connection:
        resource = f"feed:{deliveries.load_delivery(connection, organization_id, delivery_id).feed_id}"
    token = _take(rt, organization_id, resource)
    try:
        with rt.database.begin() as connection:
            delivery = deliveries.load_delivery(connection, organization_id, delivery_id)
            feed = feeds.load_feed(connection, organization_id, delivery.feed_id)
            keys = rt.open_keys(connection, organization_id)
        if delivery.state != "received":
            raise WrongState(f"The delivery is {delivery.state} already.")
        reading = _read(rt, keys, delivery, feed)
        with rt.database.read() as connection:
            judgement = _judge(connection, organization_id, delivery, feed, reading)
        if judgement.verdict is Verdict.ACCEPTED:
            save_people(rt, keys, organization_id, delivery, reading)
        with rt.database.begin() as connection:
            opened = Reading(delivery, feed, keys, reading)
            delivery = _settle_delivery(rt, connection, organization_id, opened, judgement)
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
    with rt.database.begin() as connection:
        delivery = deliveries.load_delivery(connection, organization_id, delivery_id)
        feed = feeds.load_feed(connection, organization_id, delivery.feed_id)
        keys = rt.open_keys(connection, organization_id)
    reading = _read(rt, keys, delivery, feed)
    save_people(rt, keys, organization_id, delivery, reading)
    return Reading(delivery, feed, keys, reading)


def fold_released(rt: Runtime, connection: Connection, organization_id: str, again: Reading) -> None:
    """Fold a delivery that people have released, in the transaction of their decision."""
    mode = _read_mode(again.delivery, again.feed)
    fold_claims(
        connection, again.keys, organization_id, again.delivery, again.feed, again.reading, mode=mode, now=rt.now()
    )


def _take(rt: Runtime, organization_id: str, resource: str) -> int:
    with rt.database.begin() as connection:
        token = leases.acquire_lease(connection, organization_id, resource, new_id(), now=rt.now(), ttl=READING_LASTS)
    if token is None:
        raise Busy("This feed is being read by another process.", next_action="Wait a moment and look again.")
    return token


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
    rt: Runtime, connection: Connection, organization_id: str, opened: Reading, judgement: Judgement
) -> Delivery:
    now, delivery, feed, reading = rt.now(), opened.delivery, opened.feed, opened.reading
    errors = _count_errors(reading)
    held = judgement.level is not None
    costs_from = _find_cost(connection, opened.keys, organization_id, feed.id, now) if held else None
    for batch in in_batches(_number_findings(reading), FINDINGS_PER_STATEMENT):
        deliveries.add_findings(connection, organization_id, delivery.id, batch)
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
        error_count=errors,
        warning_count=len(reading.findings) - errors,
        blind_count=reading.blind_errors,
        hold_code=judgement.code,
        hold_reason=judgement.reason,
        costs_from=costs_from,
    )
    settled = deliveries.load_delivery(connection, organization_id, delivery.id)
    if judgement.verdict is Verdict.ACCEPTED:
        mode = _read_mode(delivery, feed)
        fold_claims(connection, opened.keys, organization_id, settled, feed, reading, mode=mode, now=now)
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
            "errors": errors,
            "code": judgement.code,
            "costs_from": write_time(costs_from) if costs_from else None,
        },
    )
    return settled


def _count_errors(reading: RosterReading) -> int:
    return sum(found.severity == "error" for found in reading.findings)


def _judge(
    connection: Connection, organization_id: str, delivery: Delivery, feed: Feed, reading: RosterReading
) -> Judgement:
    earlier = deliveries.find_last_accepted(connection, organization_id, feed.id, n=5)
    as_of = [d.as_of_at for d in earlier if d.as_of_at]
    facts = FileFacts(
        file_error=reading.file_error,
        data_rows=reading.data_rows,
        present=len(reading.present) + len(reading.demographics) + len(reading.practitioner_names),
        removed=len(reading.remove),
        errors=_count_errors(reading),
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
    connection: Connection, keys: OrganizationKeys, organization_id: str, feed_id: str, now: datetime
) -> datetime | None:
    """Answer when waiting starts to cost: the first end of an attribution that only newer evidence could renew."""
    policy = read_policy(organizations.load_organization(connection, organization_id))
    claims = {panel.npi: panel.columns for panel in panels.load_claims(connection, keys, organization_id, feed=feed_id)}
    shown = (
        (claims[panel.npi], panel.columns)
        for panel in panels.load_observed(connection, keys, organization_id)
        if panel.npi in claims
    )
    pairs = (pair for claimed, observed in shown for pair in _pair_active(claimed, observed, now))
    return find_cost_of_waiting(pairs, now, policy)


def _pair_active(
    claimed: ClaimColumns, observed: ObservedColumns, now: datetime
) -> Iterator[tuple[Attribution, Claim]]:
    """Yield what runs at DPC of one practitioner with the claim it rests on; only one panel is in memory at a time."""
    claims = {claim.mbi: claim for claim in read_claims(claimed) if not claim.ended}
    for attribution in read_attributions(observed):
        if attribution.mbi in claims and is_active(attribution, now):
            yield attribution, claims[attribution.mbi]


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
