"""Deliveries and their findings as people and machines read them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from service.domain.intake import HELD_FILE_ERRORS
from service.rosters.findings import describe_finding
from service.runtime import Runtime
from service.storage import deliveries, plans
from service.storage.connection import Connection
from service.storage.deliveries import Delivery, Finding
from service.workflows.voices import Voices, count_voices

MOST_ROWS = 500
HEADING_ERRORS = ("header_unrecognised", "header_changed", "ambiguous_columns")
"""What a person can mend by choosing columns, without another file."""
_NEVER_COUNTS = {
    "truncated": "This file cannot be read to its end, so there is nothing to accept.",
    "count_mismatch": "This file has another number of rows than was declared, so nobody knows whether it is whole.",
    "header_changed": "The headings are not those that the columns were chosen for, so no row of this file was read.",
}
"""Why a file with such a fault can be rejected but never accepted."""


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """One delivery: counts, state, and why it is held; `costs_from_at` is when waiting starts to cost attributions.

    `mode` is how it counts, `mode_signal` what the file says of itself: it may weaken the feed, never strengthen it.
    `removals_reason` says why an accepted file lets nobody go while a person has not decided, None otherwise.
    `declared_count` is the number of rows that the file or its sender states; of the patients known to the feed
    `absent_count` are missing from the file, and `ended_count` would be let go at once; no other feed lists these.
    While a question about it waits, `people_needed` must say yes, and `people_agreed` of them have; None where nothing
    waits.
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
    people_needed: int | None = None
    people_agreed: int | None = None

    @property
    def never_counts(self) -> str | None:
        """Why it cannot be accepted whoever says so, in one sentence; None where a person may accept it."""
        if self.file_error is None:
            return None
        return _NEVER_COUNTS.get(self.file_error, "No row of this file was read, so there is nothing to accept.")

    @property
    def waits(self) -> bool:
        """Whether a person must decide about it: about the whole file, or about whom an accepted one leaves out."""
        return self.state == "held" or self.removals_reason is not None


@dataclass(frozen=True, slots=True)
class FindingView:
    """What is wrong with one row: where, which code, and one sentence with the repair; never the value itself.

    An error is either blind, so that the file lets nobody go until a person has decided, or it protects its patient:
    who that is could be read, and is not let go by this file. A warning is neither.
    """

    n: int
    position: str
    code: str
    severity: str
    is_blind: bool
    sentence: str
    protects_patient: bool

    @property
    def effect(self) -> str | None:
        """What the row means for letting patients go, in two words; None for a warning."""
        return "blind" if self.is_blind else "protects its patient" if self.protects_patient else None


def view_delivery(delivery: Delivery, voices: Voices | None = None) -> DeliveryView:
    """Answer a stored delivery as it is shown, with the state of the question about it if one is open."""
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
        voices.needed if voices else None,
        voices.agreed if voices else None,
    )


def view_deliveries(
    connection: Connection, organization_id: str, found: Iterable[Delivery], now: datetime
) -> list[DeliveryView]:
    """Answer stored deliveries as they are shown, each with the state of the question about it."""
    listed = list(found)
    wanted = {delivery.id for delivery in listed}
    asked = [one for one in plans.find_holds(connection, organization_id, state="open") if one.delivery_id in wanted]
    voices = {hold.delivery_id: count_voices(connection, organization_id, hold, now) for hold in asked}
    return [view_delivery(delivery, voices.get(delivery.id)) for delivery in listed]


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
    waiting: bool | None = None,
    after: int | None = None,
    limit: int = 50,
) -> list[DeliveryView]:
    """Answer deliveries newest first, those with a number below `after`; at most 500.

    `waiting` ones have an open question: held, or accepted while a person decides about whom they leave out.
    """
    with rt.database.read() as connection:
        found = deliveries.find_deliveries(
            connection,
            organization_id,
            feed=feed_id,
            state=state,
            waiting=waiting,
            after=after,
            limit=min(limit, MOST_ROWS),
        )
        return view_deliveries(connection, organization_id, found, rt.now())


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
        found = deliveries.load_delivery(connection, organization_id, delivery_id)
        return view_deliveries(connection, organization_id, [found], rt.now())[0]


def find_findings(
    rt: Runtime, organization_id: str, delivery_id: str, *, after: int = -1, limit: int = 100
) -> list[FindingView]:
    """Answer findings in file order, those numbered above `after`; at most 500. Raises NotFound."""
    with rt.database.read() as connection:
        deliveries.load_delivery(connection, organization_id, delivery_id)
        found = deliveries.find_findings(
            connection, organization_id, delivery_id, after_n=after, limit=min(limit, MOST_ROWS)
        )
    return [_view_finding(one) for one in found]


def _view_finding(found: Finding) -> FindingView:
    protects = found.severity == "error" and not found.blind
    sentence = describe_finding(found.code)
    return FindingView(found.n, found.position, found.code, found.severity, found.blind, sentence, protects)


def count_findings(rt: Runtime, organization_id: str, delivery_id: str) -> dict[str, int]:
    """Answer how many findings of each code a delivery has; raises NotFound."""
    with rt.database.read() as connection:
        deliveries.load_delivery(connection, organization_id, delivery_id)
        return deliveries.count_findings_by_code(connection, organization_id, delivery_id)
