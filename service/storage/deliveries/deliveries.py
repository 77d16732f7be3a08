"""Deliveries: one row per posted file, from its receipt to the decision about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, auto
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from service.storage.rows import (
    change_row,
    check_changes,
    find_values,
    in_batches,
    load_value,
    move_state,
    new_id,
    take_number,
    write_value,
)
from service.storage.tables.rosters import delivery as deliveries
from service.storage.tables.types import UtcDatetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One posted file; `number` is its serial in the organisation, 0 until it is added.

    `removals_reason` says why an accepted file lets nobody go while that waits for a person.

    `as_of_at` is the time it speaks of, by its sender and by the file; `declared_as_of_at` what its sender said alone.
    `sequence` is the feed's own mark, `header_hash` the shape of its columns, `costs_from` when waiting begins to cost.
    """

    id: str = field(default_factory=new_id)
    number: int = 0
    feed_id: str
    state: str = "received"
    sha256: str
    size: int
    content_type: str
    received_at: datetime
    received_by: str
    body_path: str
    mode: str | None = None
    as_of_at: datetime | None = None
    sequence: str | None = None
    idempotency_key: str | None = None
    format: str | None = None
    mode_signal: str | None = None
    encoding: str | None = None
    file_error: str | None = None
    data_rows: int = 0
    present_count: int = 0
    remove_count: int = 0
    error_count: int = 0
    warning_count: int = 0
    blind_count: int = 0
    header_hash: str | None = None
    hold_code: str | None = None
    hold_reason: str | None = None
    costs_from: datetime | None = None
    decided_at: datetime | None = None
    decided_by: str | None = None
    decided_reason: str | None = None
    declared_count: int | None = None
    absent_count: int | None = None
    ended_count: int | None = None
    folded_at: datetime | None = None
    settings_digest: str | None = None
    removals_reason: str | None = None
    declared_as_of_at: datetime | None = None

    @property
    def is_useless(self) -> bool:
        """True when it was rejected by nobody: it could not be used."""
        return self.state == "rejected" and self.decided_by is None

    @property
    def is_refused(self) -> bool:
        """True when a person rejected it; a file that cannot be used is rejected by nobody."""
        return self.state == "rejected" and self.decided_by is not None


class Holding(Enum):
    """What earlier deliveries are looked for: with pairs at all, whole rosters, or with a mark of the feed's series."""

    PAIRS = auto()
    ROSTER = auto()
    SEQUENCE = auto()


_HAS_PAIRS = (deliveries.c.present_count > 0) | (deliveries.c.remove_count > 0)
_HOLDING: dict[Holding, ColumnElement[bool]] = {
    Holding.PAIRS: _HAS_PAIRS,
    Holding.ROSTER: (deliveries.c.mode == "snapshot") & (deliveries.c.present_count > 0),
    Holding.SEQUENCE: deliveries.c.sequence.is_not(None),
}
_FIXED = ("id", "number", "feed_id", "state", "sha256", "size", "received_at", "received_by")


def add_delivery(connection: Connection, organization_id: str, delivery: Delivery) -> Delivery:
    """Add a delivery and answer it with its number.

    Raises AlreadyRecorded when the feed has used the sequence or idempotency key before, NotFound for another
    organisation.
    """
    numbered = replace(delivery, number=take_number(connection, deliveries, organization_id))
    write_value(connection, deliveries, numbered, organization_id=organization_id)
    return numbered


def load_delivery(connection: Connection, organization_id: str, delivery_id: str) -> Delivery:
    """Answer one delivery; raises NotFound."""
    return load_value(connection, deliveries, Delivery, *_named(organization_id, delivery_id))


def find_deliveries(
    connection: Connection,
    organization_id: str,
    *,
    feed: str | None = None,
    state: str | None = None,
    waiting: bool | None = None,
    after: int | None = None,
    limit: int = 50,
) -> list[Delivery]:
    """Answer a page of deliveries, newest first; `after` is the number of the last one on the page before.

    `waiting` chooses those about which a person must decide, held or only in whom they leave out, or the others.
    """
    where = [deliveries.c.organization_id == organization_id]
    if feed is not None:
        where.append(deliveries.c.feed_id == feed)
    if state is not None:
        where.append(deliveries.c.state == state)
    if waiting is not None:
        is_waiting = (deliveries.c.state == "held") | deliveries.c.removals_reason.is_not(None)
        where.append(is_waiting if waiting else ~is_waiting)
    if after is not None:
        where.append(deliveries.c.number < after)
    return _find_newest(connection, limit, *where)


def find_waiting(connection: Connection, organization_id: str, *, after: int = 0, limit: int = 500) -> list[Delivery]:
    """Answer a page of deliveries that nobody has read yet, oldest first; `after` is the number of the one before."""
    where = (
        deliveries.c.organization_id == organization_id,
        deliveries.c.state == "received",
        deliveries.c.number > after,
    )
    return find_values(connection, deliveries, Delivery, *where, order_by=[deliveries.c.number], limit=limit)


def find_by_digest(connection: Connection, organization_id: str, feed_id: str, sha256: str) -> list[Delivery]:
    """Answer the deliveries of the feed with these very bytes, newest first."""
    of_feed = (deliveries.c.organization_id == organization_id, deliveries.c.feed_id == feed_id)
    order = [deliveries.c.number.desc()]
    return find_values(connection, deliveries, Delivery, *of_feed, deliveries.c.sha256 == sha256, order_by=order)


def find_last_useful(connection: Connection, organization_id: str, feed_id: str) -> Delivery | None:
    """Answer the newest delivery of a feed that nobody but a person has rejected."""
    is_useful = (deliveries.c.state != "rejected") | deliveries.c.decided_by.is_not(None)
    return _find_one(connection, organization_id, feed_id, is_useful)


def find_last_decided(
    connection: Connection, organization_id: str, feed_id: str, sha256: str, before: int
) -> Delivery | None:
    """Answer the last delivery of these bytes before a number that counts or counted, or that a person rejected."""
    is_decided = deliveries.c.state.in_(["accepted", "superseded"]) | (
        (deliveries.c.state == "rejected") & deliveries.c.decided_by.is_not(None)
    )
    same = (deliveries.c.sha256 == sha256) & (deliveries.c.number < before)
    return _find_one(connection, organization_id, feed_id, same & is_decided)


def find_by_sequence(connection: Connection, organization_id: str, feed_id: str, sequence: str) -> Delivery | None:
    """Answer the delivery that carried this sequence of the feed."""
    return _find_one(connection, organization_id, feed_id, deliveries.c.sequence == sequence)


def find_by_idempotency_key(connection: Connection, organization_id: str, feed_id: str, key: str) -> Delivery | None:
    """Answer the delivery that was posted with this idempotency key."""
    return _find_one(connection, organization_id, feed_id, deliveries.c.idempotency_key == key)


def find_known_paths(connection: Connection, organization_id: str, paths: Iterable[str]) -> set[str]:
    """Answer which of these raw files are a delivery's."""
    found: set[str] = set()
    for batch in in_batches(paths):
        of_batch = select(deliveries.c.body_path).where(
            deliveries.c.organization_id == organization_id, deliveries.c.body_path.in_(batch)
        )
        found |= set(connection.scalars(of_batch))
    return found


def find_by_number(connection: Connection, organization_id: str, number: int) -> Delivery | None:
    """Answer the delivery with this serial number, which is how claims name their evidence."""
    where = (deliveries.c.organization_id == organization_id, deliveries.c.number == number)
    return next(iter(_find_newest(connection, 1, *where)), None)


def find_last_accepted(
    connection: Connection,
    organization_id: str,
    feed_id: str,
    *,
    n: int = 5,
    holding: Holding | None = None,
    before: int | None = None,
) -> list[Delivery]:
    """Answer the last deliveries of a feed whose evidence counts or counted (superseded), newest first.

    `holding` chooses those of one kind, however many others came between them, `before` those with a lower number.
    """
    where = [*_counting(organization_id, feed_id)]
    if holding is not None:
        where.append(_HOLDING[holding])
    if before is not None:
        where.append(deliveries.c.number < before)
    return _find_newest(connection, n, *where)


def find_newest_times(
    connection: Connection, organization_id: str, feed_id: str, *, before: int
) -> tuple[datetime | None, datetime | None]:
    """Answer the newest date of all deliveries of a feed that count or counted and hold pairs, None without any.

    The second answer is the receipt of the last of them that has no date and arrived before a number.
    """
    counting, dated = (*_counting(organization_id, feed_id), _HAS_PAIRS), deliveries.c.as_of_at.is_not(None)
    newest = select(deliveries.c.as_of_at).where(*counting, dated).order_by(deliveries.c.as_of_at.desc())
    undated = select(deliveries.c.received_at).where(*counting, ~dated, deliveries.c.number < before)
    last = undated.order_by(deliveries.c.number.desc())
    return connection.scalar(newest.limit(1)), connection.scalar(last.limit(1))


def find_last_folded(connection: Connection, organization_id: str, feed_id: str, *, n: int) -> list[Delivery]:
    """Answer the deliveries of a feed that were folded last, newest fold first; one released late is among them."""
    return find_values(
        connection,
        deliveries,
        Delivery,
        *_counting(organization_id, feed_id),
        deliveries.c.folded_at.is_not(None),
        order_by=[deliveries.c.folded_at.desc(), deliveries.c.number.desc()],
        limit=n,
    )


def find_accepted_since(
    connection: Connection, organization_id: str, feed_id: str, number: int, at: datetime
) -> list[Delivery]:
    """Answer every delivery of a feed that counts or counted and came in after another one, or tells of a later time.

    The newest come first. `number` is that of the other one, `at` the time of which it tells.
    """
    told_at = func.coalesce(deliveries.c.as_of_at, deliveries.c.received_at, type_=UtcDatetime)
    return find_values(
        connection,
        deliveries,
        Delivery,
        *_counting(organization_id, feed_id),
        (deliveries.c.number > number) | ((deliveries.c.number < number) & (told_at > at)),
        order_by=[deliveries.c.number.desc()],
    )


def is_late(connection: Connection, organization_id: str, delivery: Delivery, evidence_at: datetime) -> bool:
    """Answer whether another delivery of the feed counts that tells of this second (`evidence_at`) or a later one."""
    told_at = func.coalesce(deliveries.c.as_of_at, deliveries.c.received_at, type_=UtcDatetime)
    second = evidence_at.replace(microsecond=0)
    counting = _counting(organization_id, delivery.feed_id)
    found = select(deliveries.c.id).where(*counting, deliveries.c.id != delivery.id, told_at >= second)
    return connection.scalar(found.limit(1)) is not None


def update_delivery(connection: Connection, organization_id: str, delivery_id: str, **changes: Any) -> Delivery:
    """Record what reading the file told; the state moves only by `set_delivery_state`. Raises NotFound."""
    check_changes(deliveries, changes, fixed=_FIXED)
    change_row(connection, deliveries, changes, *_named(organization_id, delivery_id))
    return load_delivery(connection, organization_id, delivery_id)


def set_delivery_state(
    connection: Connection, organization_id: str, delivery_id: str, old: str, new: str, **changes: Any
) -> None:
    """Move a delivery along an allowed edge, with what the decision adds (decided_at, ...); raises WrongState."""
    check_changes(deliveries, changes, fixed=_FIXED)
    move_state(connection, deliveries, "delivery", old, new, changes, *_named(organization_id, delivery_id))


def _named(organization_id: str, delivery_id: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return deliveries.c.organization_id == organization_id, deliveries.c.id == delivery_id


def _counting(organization_id: str, feed_id: str) -> tuple[ColumnElement[bool], ...]:
    """The deliveries of a feed whose evidence counts or counted."""
    return (
        deliveries.c.organization_id == organization_id,
        deliveries.c.feed_id == feed_id,
        deliveries.c.state.in_(["accepted", "superseded"]),
    )


def _find_one(
    connection: Connection, organization_id: str, feed_id: str, condition: ColumnElement[bool]
) -> Delivery | None:
    of_feed = (deliveries.c.organization_id == organization_id, deliveries.c.feed_id == feed_id)
    return next(iter(_find_newest(connection, 1, *of_feed, condition)), None)


def _find_newest(connection: Connection, limit: int, *where: ColumnElement[bool]) -> list[Delivery]:
    order = [deliveries.c.number.desc()]
    return find_values(connection, deliveries, Delivery, *where, order_by=order, limit=limit)
