"""Finds the plan that somebody means: by id or number, in one organisation or in all."""

from __future__ import annotations

from dataclasses import dataclass

from service.domain.errors import InvalidInput, NotFound
from service.runtime import Runtime
from service.workflows.onboard import find_organizations, load_organization
from service.workflows.plans import PlanHead, find_plans

_PAGE = 200


@dataclass(frozen=True, slots=True)
class PlanPlace:
    """A plan and the organisation it belongs to."""

    organization_id: str
    head: PlanHead


def find_plan_place(rt: Runtime, plan: str, organization_id: str | None) -> PlanPlace:
    """Answer where a plan lives; `plan` is its id, the beginning of it, or its number.

    Raises NotFound for none and InvalidInput when several fit.
    """
    if organization_id:
        load_organization(rt, organization_id)
    ids = [organization_id] if organization_id else [item.id for item in find_organizations(rt)]
    heads = [PlanPlace(name, head) for name in ids for head in _find_heads(rt, name)]
    fitting = [place for place in heads if place.head.id == plan or str(place.head.number) == plan]
    fitting = fitting or [place for place in heads if len(plan) >= 6 and place.head.id.startswith(plan)]
    if not fitting:
        raise NotFound(f"There is no plan {plan}.", next_action="See `rollcall plan list`.")
    if len(fitting) > 1:
        raise InvalidInput(
            f"Several plans fit {plan}.", next_action="Name the organisation with --org, or the whole id."
        )
    return fitting[0]


def _find_heads(rt: Runtime, organization_id: str) -> list[PlanHead]:
    """All plans of one organisation, newest first, page by page."""
    heads: list[PlanHead] = []
    while True:
        page = find_plans(rt, organization_id, after=heads[-1].number if heads else None, limit=_PAGE)
        heads.extend(page)
        if len(page) < _PAGE:
            return heads
