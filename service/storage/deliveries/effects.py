"""What a delivery changes, or would change, in the claims of its feed: one row per practitioner it covers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, and_, case, delete, desc

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
    named = and_(effects.c.organization_id == organization_id, effects.c.delivery_id == delivery_id)
    connection.execute(delete(effects).where(named))
    add_effects(connection, organization_id, found)


def find_effects(
    connection: Connection, organization_id: str, delivery_id: str, *, limit: int | None = None
) -> list[DeliveryEffect]:
    """Answer the effects of a delivery, those that let most patients go first."""
    named = and_(effects.c.organization_id == organization_id, effects.c.delivery_id == delivery_id)
    gone = case((effects.c.ended > effects.c.absent, effects.c.ended), else_=effects.c.absent)
    order = [desc(gone), desc(effects.c.added), effects.c.npi]
    return find_values(connection, effects, DeliveryEffect, named, order_by=order, limit=limit)
