"""The nightly verb: settle, go on with what was interrupted, plan, and apply what somebody already answers for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from service.domain.errors import Refusal, StalePlan
from service.domain.people import Actor
from service.runtime import Runtime
from service.storage import organizations, plans
from service.workflows.apply import ApplyReport, Progress, apply_plan
from service.workflows.authorize import find_standing, read_terms, sign_by_standing
from service.workflows.plan import draw_plan
from service.workflows.plans import PlanView
from service.workflows.settle import settle


@dataclass(frozen=True, slots=True)
class ReconcileReport:
    """How it ended: `nothing`, `planned` (dry run), `waiting` (for a person), `applied`, `partly-applied`."""

    organization_id: str
    outcome: str
    plan_id: str | None
    counts: Mapping[str, int]
    held_n: int
    left_out_n: int
    applied: ApplyReport | None


def reconcile_organization(
    rt: Runtime, organization_id: str, *, dry_run: bool = False, actor: Actor, progress: Progress | None = None
) -> ReconcileReport:
    """Reconcile one organisation once.

    1. Settle unresolved attempts, then go on with a plan that was interrupted or is signed and waiting.
    2. Under a standing authorisation: draw what it covers, sign by it, apply.
    3. Draw the rest; it waits for a person. A second run right after finds the same plan or nothing.
    """
    settle(rt, organization_id)
    applied = None if dry_run else _go_on(rt, organization_id, actor, progress)
    if not dry_run:
        applied = _apply_standing(rt, organization_id, actor, progress) or applied
    rest = draw_plan(rt, organization_id, actor=actor)
    return _report(organization_id, rest, applied, dry_run=dry_run)


def _go_on(rt: Runtime, organization_id: str, actor: Actor, progress: Progress | None) -> ApplyReport | None:
    with rt.database.read() as connection:
        waiting = [
            plan.id
            for state in ("applying", "signed")
            for plan in plans.find_plans(connection, organization_id, state=state, limit=10)
        ]
    report = None
    for plan_id in waiting:
        try:
            report = apply_plan(rt, organization_id, plan_id, actor, progress)
        except Refusal:
            continue  # sign-off run out, other baseline, switched off: what is left comes up in the plan drawn next
    return report


def _apply_standing(rt: Runtime, organization_id: str, actor: Actor, progress: Progress | None) -> ApplyReport | None:
    with rt.database.read() as connection:
        organization = organizations.load_organization(connection, organization_id)
    is_standing = organization.approval == "standing" and organization.applies
    view = find_standing(rt, organization_id) if is_standing else None
    if view is None:
        return None
    covered = draw_plan(rt, organization_id, standing=read_terms(view), actor=actor)
    if covered is None or covered.head.state != "drafted" or not any(covered.head.counts.values()):
        return None
    sign_by_standing(rt, organization_id, covered.head.id, view, actor)
    try:
        return apply_plan(rt, organization_id, covered.head.id, actor, progress)
    except StalePlan:
        return None  # somebody changed a Group in between; the plan drawn next shows how it is now


def _report(
    organization_id: str, rest: PlanView | None, applied: ApplyReport | None, *, dry_run: bool
) -> ReconcileReport:
    if rest is not None:
        outcome = "planned" if dry_run and any(rest.head.counts.values()) else "waiting"
    else:
        outcome = applied.state if applied else "nothing"
    return ReconcileReport(
        organization_id,
        outcome,
        rest.head.id if rest else None,
        rest.head.counts if rest else {},
        rest.head.held_n if rest else 0,
        rest.head.left_out_n if rest else 0,
        applied,
    )
