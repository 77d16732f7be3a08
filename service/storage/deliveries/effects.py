"""What a delivery changes, or would change, in the claims of its feed: one row per practitioner it covers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, and_, case, delete, desc, func, literal, or_, select, tuple_

from service.domain.errors import InvalidInput
from service.storage.rows import find_values, write_values
from service.storage.tables.rosters import delivery_effect as effects


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryEffect:
    """Counts for one practitioner, as `service.domain.intake.Effect`; `version` is the panel that was folded onto.

    `version` is 0 for a practitioner of whom nothing was claimed before, None while the delivery does not count.
    """

    delivery_id: str
    npi: str
    known: int
    listed: int
    added: int
    absent: int
    ended: int
    version: int | None = None


def add_effects(connection: Connection, organization_id: str, found: Iterable[DeliveryEffect]) -> int:
    """Add the effects of a delivery in bulk and answer how many."""
    return write_values(connection, effects, found, organization_id=organization_id)


def replace_effects(
    connection: Connection, organization_id: str, delivery_id: str, found: Iterable[DeliveryEffect]
) -> None:
    """Keep what a delivery did in place of what was expected of it while it was held."""
    connection.execute(delete(effects).where(_of_delivery(organization_id, delivery_id)))
    add_effects(connection, organization_id, found)


def find_effects(connection: Connection, organization_id: str, delivery_id: str) -> list[DeliveryEffect]:
    """Answer every effect of a delivery, those that let most patients go first."""
    return find_values(connection, effects, DeliveryEffect, _of_delivery(organization_id, delivery_id), order_by=_ORDER)


def find_changes(
    connection: Connection, organization_id: str, delivery_id: str, *, after: str | None = None, limit: int | None
) -> list[DeliveryEffect]:
    """Answer a page of the practitioners whom a delivery changes, those that let most patients go first.

    `after` is the NPI of the last one on the page before; raises InvalidInput when the delivery does not know it.
    """
    where = [_of_delivery(organization_id, delivery_id), _changes()]
    if after is not None:
        last = select(_gone(), effects.c.added).where(where[0], effects.c.npi == after)
        found = connection.execute(last).one_or_none()
        if found is None:
            raise InvalidInput("The cursor is not one that a list gave out.", next_action="Begin without a cursor.")
        gone, added = found
        place = tuple_(-_gone(), -effects.c.added, effects.c.npi)
        where.append(place > tuple_(literal(-gone), literal(-added), literal(after)))
    return find_values(connection, effects, DeliveryEffect, *where, order_by=_ORDER, limit=limit)


def count_changes(connection: Connection, organization_id: str, delivery_id: str) -> int:
    """Answer how many practitioners a delivery changes."""
    counted = select(func.count()).where(_of_delivery(organization_id, delivery_id), _changes())
    return int(connection.scalar(counted) or 0)


def _of_delivery(organization_id: str, delivery_id: str) -> ColumnElement[bool]:
    return and_(effects.c.organization_id == organization_id, effects.c.delivery_id == delivery_id)


def _changes() -> ColumnElement[bool]:
    return or_(effects.c.added > 0, effects.c.absent > 0, effects.c.ended > 0)


def _gone() -> ColumnElement[int]:
    return case((effects.c.ended > effects.c.absent, effects.c.ended), else_=effects.c.absent)


_ORDER = [desc(_gone()), desc(effects.c.added), effects.c.npi]
