"""What a delivery changes, or would change if a person let it: by practitioner in numbers, and whom it would let go."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.errors import WrongState
from service.domain.identifiers import mask_mbi, unpack_mbi
from service.domain.people import Action, Actor, check_may
from service.runtime import Runtime
from service.storage import deliveries, plans
from service.storage.connection import Connection
from service.storage.deliveries import Delivery
from service.storage.plans import Hold
from service.workflows.access import note_access
from service.workflows.deliveries import DeliveryView, view_delivery
from service.workflows.departures import find_basis
from service.workflows.questions import renew_question

COMPARED_WITH = 3
"""A held file is shown beside so many that were accepted before it (feeds 7.3)."""


@dataclass(frozen=True, slots=True)
class EffectView:
    """One practitioner: patients known to the feed, listed in the file, new in it, missing from it, let go for it."""

    npi: str
    known: int
    listed: int
    added: int
    absent: int
    ended: int


@dataclass(frozen=True, slots=True)
class DepartureView:
    """One patient whom the file leaves out, masked; `at_once` when nothing but a person stands between.

    Who is `listed_elsewhere`, by another feed, stays whatever the person says.
    """

    npi: str
    masked_mbi: str
    at_once: bool
    listed_elsewhere: bool


@dataclass(frozen=True, slots=True)
class DeparturesView:
    """Some of those whom a hold asks about, how many there are, and the place from which the next page begins."""

    hold_id: str
    total: int
    items: list[DepartureView]
    next_start: int | None


def find_effects(
    rt: Runtime, organization_id: str, delivery_id: str, *, after: str | None = None, limit: int | None = None
) -> list[EffectView]:
    """Answer what a delivery does to each practitioner it changes, those with most patients to let go first.

    All of them, or at most `limit` of those that follow the NPI `after`. Raises NotFound, InvalidInput.
    """
    with rt.database.read() as connection:
        deliveries.load_delivery(connection, organization_id, delivery_id)
        found = deliveries.find_changes(connection, organization_id, delivery_id, after=after, limit=limit)
    return [EffectView(e.npi, e.known, e.listed, e.added, e.absent, e.ended) for e in found]


def count_effects(rt: Runtime, organization_id: str, delivery_id: str) -> int:
    """Answer how many practitioners a delivery changes; raises NotFound."""
    with rt.database.read() as connection:
        deliveries.load_delivery(connection, organization_id, delivery_id)
        return deliveries.count_changes(connection, organization_id, delivery_id)


def find_departures(
    rt: Runtime, organization_id: str, delivery_id: str, actor: Actor, *, start: int = 0, limit: int | None = None
) -> DeparturesView:
    """Answer whom a delivery that waits for a person would let go, or leaves out for the first time.

    From the place `start` on at most `limit`; the look is noted. They are those whom releasing the hold lets go: where
    something else came to count since it was opened, the file is read again, and a new hold asks about whoever it is
    now. Raises NotFound, and WrongState once nothing waits any more.
    """
    check_may(actor, Action.READ_ROSTERS, organization_id)
    with rt.database.read() as connection:
        delivery = deliveries.load_delivery(connection, organization_id, delivery_id)
        hold = _find_question(connection, organization_id, delivery)
        basis = find_basis(connection, organization_id, delivery.feed_id)
        kept = deliveries.find_kept_departures(connection, organization_id, hold.id)
    if kept is None or kept.basis != basis:
        hold = renew_question(rt, organization_id, hold)
    with rt.database.begin() as connection:
        keys = rt.open_keys(connection, organization_id)
        kept = deliveries.find_kept_departures(connection, organization_id, hold.id)
        if kept is None:
            raise WrongState("Somebody else has decided meanwhile.", next_action="Look at the delivery again.")
        end = kept.n if limit is None else min(kept.n, start + limit)
        found = deliveries.load_departures(connection, keys, organization_id, hold.id, start, end)
        note_access(rt, connection, organization_id, actor, "read-departures", delivery_id, len(found))
    goes = found.at_once & ~found.elsewhere
    rows = zip(found.npi.tolist(), found.mbi.tolist(), goes.tolist(), found.elsewhere.tolist(), strict=True)
    items = [DepartureView(f"{npi:010d}", mask_mbi(unpack_mbi(code)), *marks) for npi, code, *marks in rows]
    return DeparturesView(hold.id, kept.n, items, end if end < kept.n else None)


def find_accepted_before(rt: Runtime, organization_id: str, delivery: DeliveryView) -> list[DeliveryView]:
    """Answer the last three rosters of the same feed that were accepted before this one, newest first."""
    with rt.database.read() as connection:
        found = deliveries.find_last_accepted(connection, organization_id, delivery.feed_id, n=20)
    rosters = [d for d in found if d.number < delivery.number and d.present_count]
    return [view_delivery(one) for one in rosters[:COMPARED_WITH]]


def _find_question(connection: Connection, organization_id: str, delivery: Delivery) -> Hold:
    holds = plans.find_holds(connection, organization_id, state="open", delivery_id=delivery.id)
    if not holds:
        raise WrongState(
            "Nothing of this delivery waits for a person.", next_action="See what it did in its counts by practitioner."
        )
    return holds[0]
