"""What a delivery changes, or would change if a person let it: by practitioner in numbers, and whom it would let go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from service.domain.errors import WrongState
from service.domain.identifiers import mask_mbi, unpack_mbi
from service.domain.people import Action, Actor, check_may
from service.runtime import Runtime
from service.storage import deliveries, plans
from service.storage.connection import Connection
from service.storage.deliveries import Delivery
from service.workflows.access import note_access
from service.workflows.deliveries import DeliveryView, view_delivery
from service.workflows.fold import fold_panels
from service.workflows.reading import open_delivery

MOST_SHOWN = 500
COMPARED_WITH = 3
"""A held file is shown beside so many that were accepted before it (feeds 7.3)."""


@dataclass(frozen=True, slots=True)
class EffectView:
    """One practitioner: patients known to the feed, listed in the file, new in it, missing from it, let go by it."""

    npi: str
    known: int
    listed: int
    added: int
    absent: int
    ended: int


@dataclass(frozen=True, slots=True)
class DepartureView:
    """One patient whom the file leaves out, masked; `at_once` when nothing but a person stands between."""

    npi: str
    masked_mbi: str
    at_once: bool


def find_effects(rt: Runtime, organization_id: str, delivery_id: str, *, limit: int = MOST_SHOWN) -> list[EffectView]:
    """Answer what a delivery does to each practitioner it changes, those with most patients to let go first.

    Raises NotFound.
    """
    with rt.database.read() as connection:
        deliveries.load_delivery(connection, organization_id, delivery_id)
        found = deliveries.find_effects(connection, organization_id, delivery_id, limit=limit)
    shown = (EffectView(e.npi, e.known, e.listed, e.added, e.absent, e.ended) for e in found)
    return [effect for effect in shown if effect.added or effect.absent or effect.ended]


def find_departures(rt: Runtime, organization_id: str, delivery_id: str, actor: Actor) -> list[DepartureView]:
    """Answer whom a delivery that waits for a person would let go, or leaves out for the first time; the look is noted.

    Its file is read again, against what is known now. Raises NotFound, and WrongState once nothing waits any more.
    """
    check_may(actor, Action.READ_ROSTERS, organization_id)
    with rt.database.read() as connection:
        delivery = deliveries.load_delivery(connection, organization_id, delivery_id)
        _check_waits(connection, organization_id, delivery)
    opened = open_delivery(rt, organization_id, delivery_id)
    with rt.database.read() as connection:
        panels = list(fold_panels(connection, organization_id, opened, removals_count=True))
    found = [
        DepartureView(panel.npi, mask_mbi(unpack_mbi(code)), at_once)
        for panel in panels
        for codes, at_once in ((panel.let_go, True), (np.setdiff1d(panel.absent, panel.let_go), False))
        for code in codes.tolist()
    ]
    with rt.database.begin() as connection:
        note_access(rt, connection, organization_id, actor, "read-departures", delivery_id, len(found))
    return found


def find_accepted_before(rt: Runtime, organization_id: str, delivery: DeliveryView) -> list[DeliveryView]:
    """Answer the last three rosters of the same feed that were accepted before this one, newest first."""
    with rt.database.read() as connection:
        found = deliveries.find_last_accepted(connection, organization_id, delivery.feed_id, n=20)
    rosters = [d for d in found if d.number < delivery.number and d.present_count]
    return [view_delivery(one) for one in rosters[:COMPARED_WITH]]


def _check_waits(connection: Connection, organization_id: str, delivery: Delivery) -> None:
    holds = plans.find_holds(connection, organization_id, state="open", delivery_id=delivery.id)
    if not holds:
        raise WrongState(
            "Nothing of this delivery waits for a person.", next_action="See what it did in its counts by practitioner."
        )
