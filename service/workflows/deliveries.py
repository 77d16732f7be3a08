"""Deliveries and their findings as people and machines read them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from service.domain.intake import HELD_FILE_ERRORS
from service.rosters.findings import describe_finding
from service.runtime import Runtime
from service.storage import deliveries
from service.storage.deliveries import Delivery

MOST_ROWS = 500


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """One delivery: counts, state, and why it is held; `costs_from_at` is when waiting starts to cost attributions.

    `mode` is how it counts, `mode_signal` what the file says of itself: it may weaken the feed, never strengthen it.
    `removals_reason` says why an accepted file lets nobody go while a person has not decided, None otherwise.
    `declared_count` is the number of rows that the file or its sender states; of the patients known to the feed
    `absent_count` are missing from the file, and `ended_count` would be let go by it at once.
    """

    id: str
    number: int
    feed_id: str
    state: str
    sha256: str
    size: int
    mode: str | None
    mode_signal: str | None
    as_of_at: datetime | None
    sequence: str | None
    received_at: datetime
    received_by: str
    format: str | None
    encoding: str | None
    file_error: str | None
    data_rows: int
    present_count: int
    remove_count: int
    error_count: int
    warning_count: int
    blind_count: int
    declared_count: int | None
    absent_count: int | None
    ended_count: int | None
    hold_code: str | None
    hold_reason: str | None
    costs_from_at: datetime | None
    decided_by: str | None
    decided_at: datetime | None
    decision_reason: str | None
    removals_reason: str | None


@dataclass(frozen=True, slots=True)
class FindingView:
    """What is wrong with one row: where, which code, and one sentence with the repair; never the value itself."""

    n: int
    position: str
    code: str
    severity: str
    is_blind: bool
    sentence: str


def view_delivery(delivery: Delivery) -> DeliveryView:
    """Answer a stored delivery as it is shown."""
    return DeliveryView(
        delivery.id,
        delivery.number,
        delivery.feed_id,
        delivery.state,
        delivery.sha256,
        delivery.size,
        delivery.mode,
        delivery.mode_signal,
        delivery.as_of_at,
        delivery.sequence,
        delivery.received_at,
        delivery.received_by,
        delivery.format,
        delivery.encoding,
        delivery.file_error,
        delivery.data_rows,
        delivery.present_count,
        delivery.remove_count,
        delivery.error_count,
        delivery.warning_count,
        delivery.blind_count,
        delivery.declared_count,
        delivery.absent_count,
        delivery.ended_count,
        delivery.hold_code,
        _tell_reason(delivery),
        delivery.costs_from,
        delivery.decided_by,
        delivery.decided_at,
        delivery.decided_reason,
        delivery.removals_reason,
    )


def _tell_reason(delivery: Delivery) -> str | None:
    """Why a delivery is held or rejected; a file that cannot be used says what to do about it, not only its code."""
    if delivery.state == "rejected" and delivery.file_error and delivery.file_error not in HELD_FILE_ERRORS:
        return describe_finding(delivery.file_error)
    return delivery.hold_reason


def find_deliveries(
    rt: Runtime,
    organization_id: str,
    *,
    feed_id: str | None = None,
    state: str | None = None,
    after: int | None = None,
    limit: int = 50,
) -> list[DeliveryView]:
    """Answer deliveries newest first, those with a number below `after`; at most 500."""
    with rt.database.read() as connection:
        found = deliveries.find_deliveries(
            connection, organization_id, feed=feed_id, state=state, after=after, limit=min(limit, MOST_ROWS)
        )
    return [view_delivery(one) for one in found]


def iter_waiting(rt: Runtime, organization_id: str) -> Iterator[str]:
    """Yield each delivery that nobody has read yet, oldest first, with those that come in meanwhile; each once."""
    after = 0
    while page := _find_waiting(rt, organization_id, after):
        for delivery in page:
            yield delivery.id
        after = page[-1].number


def _find_waiting(rt: Runtime, organization_id: str, after: int) -> list[Delivery]:
    with rt.database.read() as connection:
        return deliveries.find_waiting(connection, organization_id, after=after, limit=MOST_ROWS)


def load_delivery(rt: Runtime, organization_id: str, delivery_id: str) -> DeliveryView:
    """Answer one delivery; raises NotFound."""
    with rt.database.read() as connection:
        return view_delivery(deliveries.load_delivery(connection, organization_id, delivery_id))


def find_findings(
    rt: Runtime, organization_id: str, delivery_id: str, *, after: int = -1, limit: int = 100
) -> list[FindingView]:
    """Answer findings in file order, those numbered above `after`; at most 500. Raises NotFound."""
    with rt.database.read() as connection:
        deliveries.load_delivery(connection, organization_id, delivery_id)
        found = deliveries.find_findings(
            connection, organization_id, delivery_id, after_n=after, limit=min(limit, MOST_ROWS)
        )
    return [FindingView(f.n, f.position, f.code, f.severity, f.blind, describe_finding(f.code)) for f in found]


def count_findings(rt: Runtime, organization_id: str, delivery_id: str) -> dict[str, int]:
    """Answer how many findings of each code a delivery has; raises NotFound."""
    with rt.database.read() as connection:
        deliveries.load_delivery(connection, organization_id, delivery_id)
        return deliveries.count_findings_by_code(connection, organization_id, delivery_id)
