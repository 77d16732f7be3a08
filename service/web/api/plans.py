"""Plans over HTTP: read, sign, apply, decide what is held."""

from __future__ import annotations

from typing import Any

from flask import url_for
from werkzeug.exceptions import ServiceUnavailable

from schemas.api.base import PageQuery
from schemas.api.plans import HoldDecisionWish, HoldSchema, PlanHeadSchema, PlanPage, PlanSchema, SignOffWish
from service.domain.errors import NotFound
from service.web.access import PLANS_READ, PLANS_SIGN, for_machines, load_actor, load_organization_id
from service.web.api.paging import Page, cut_page, read_number_cursor
from service.web.api.section import Route, Section
from service.web.deferred import check_applicable, submit_apply
from service.web.places import find_pool, find_runtime
from service.web.problems import RETRY_SECONDS
from service.workflows.holds import decide_hold
from service.workflows.plans import PlanHead, find_plans, load_plan_view
from service.workflows.sign import sign_plan

section = Section("plans", "Read what would change at DPC, answer for it, and have it sent.")


@section.route(Route("/plans", PlanPage, query=PageQuery, errors=(422,)), for_machines(PLANS_READ))
def list_plans(query: dict[str, Any]) -> Any:
    """List plans, newest first."""
    after = read_number_cursor(query["cursor"])
    found = find_plans(find_runtime(), load_organization_id(), after=after, limit=query["limit"] + 1)
    page: Page[PlanHead] = cut_page(found, query["limit"], lambda plan: plan.number)
    return page, page.headers


@section.route(Route("/plans/<plan>", PlanSchema, errors=(404,)), for_machines(PLANS_READ))
def get_plan(plan: str) -> Any:
    """Read a whole plan: changes by practitioner, what is held, what is left out, who signed."""
    return load_plan_view(find_runtime(), load_organization_id(), plan, load_actor())


@section.route(
    Route(
        "/plans/<plan>/sign-offs", PlanHeadSchema, method="POST", status=201, body=SignOffWish, errors=(404, 409, 422)
    ),
    for_machines(PLANS_SIGN),
)
def post_sign_off(wish: dict[str, Any], plan: str) -> Any:
    """Sign the fingerprint of a plan; the client must be bound to a person with the attester role."""
    return sign_plan(
        find_runtime(),
        load_organization_id(),
        plan,
        fingerprint=wish["fingerprint"],
        reason=wish["reason"],
        actor=load_actor(),
    )


@section.route(
    Route("/plans/<plan>/apply", PlanHeadSchema, method="POST", status=202, errors=(404, 409, 503)),
    for_machines(PLANS_SIGN),
)
def post_apply(plan: str) -> Any:
    """Have a signed plan sent to DPC in the background; follow Location for its state."""
    runtime, organization_id, actor = find_runtime(), load_organization_id(), load_actor()
    head = check_applicable(runtime, organization_id, plan, actor)
    if not submit_apply(find_pool(), runtime, organization_id, plan, actor):
        raise ServiceUnavailable(retry_after=RETRY_SECONDS)
    return head, 202, {"Location": url_for("plans.get_plan", plan=plan)}


@section.route(
    Route(
        "/plans/<plan>/holds/<hold>/decisions",
        HoldSchema,
        method="POST",
        status=201,
        body=HoldDecisionWish,
        errors=(404, 409, 422),
    ),
    for_machines(PLANS_SIGN),
)
def post_decision(wish: dict[str, Any], plan: str, hold: str) -> Any:
    """Let held changes go into the next plan, or refuse them; a hard stop needs two people."""
    runtime, organization_id, actor = find_runtime(), load_organization_id(), load_actor()
    view = load_plan_view(runtime, organization_id, plan, actor)
    if hold not in {one.id for one in view.holds}:
        raise NotFound("The plan has no such hold.")
    return decide_hold(runtime, organization_id, hold, wish["verdict"], wish["reason"], actor)
