"""Plans: read the difference, sign it, have it applied."""

from __future__ import annotations

from flask import flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import ServiceUnavailable

from service.domain.authorisation import STATEMENT
from service.domain.errors import InvalidInput, StalePlan
from service.domain.people import Action
from service.web.access import for_people, is_allowed, load_actor, load_organization_id
from service.web.api.paging import cut_page, read_number_cursor
from service.web.deferred import apply_key, check_applicable, draw_key, submit_apply, submit_draw
from service.web.pages.blueprint import act, pages
from service.web.places import find_pool, find_runtime
from service.web.problems import RETRY_SECONDS
from service.workflows.plans import find_plans, load_plan_view
from service.workflows.sign import sign_plan

PAGE_SIZE = 50
ROWS_SHOWN = 100
"""Rows of one practitioner before the rest moves to a page of its own."""
REFRESH_SECONDS = 3


@pages.get("/plans")
@for_people(Action.READ_ROSTERS)
def list_plans() -> ResponseReturnValue:
    """List plans, newest first."""
    organization_id = load_organization_id()
    after = read_number_cursor(request.args.get("cursor"))
    found = find_plans(find_runtime(), organization_id, after=after, limit=PAGE_SIZE + 1)
    key = draw_key(organization_id)
    is_running = find_pool().is_pending(key)
    page = render_template(
        "plans.html",
        page=cut_page(found, PAGE_SIZE, lambda plan: plan.number),
        is_running=is_running,
        failure=find_pool().find_failure(key),
        may_draw=is_allowed(Action.DRAW_PLAN),
    )
    return page, {"Refresh": str(REFRESH_SECONDS)} if is_running else {}


@pages.post("/plans")
@for_people(Action.DRAW_PLAN)
def draw_plan_page() -> ResponseReturnValue:
    """Have a plan drawn now; the list follows it."""
    if not submit_draw(find_pool(), find_runtime(), load_organization_id(), load_actor()):
        raise ServiceUnavailable(retry_after=RETRY_SECONDS)
    flash("DPC is being read. If anything is to change, a plan appears here.", "done")
    return redirect(url_for("pages.list_plans"), 303)


@pages.get("/plans/<plan>")
@for_people(Action.READ_ROSTERS)
def show_plan(plan: str) -> ResponseReturnValue:
    """Show a plan as a difference by practitioner, with what is held, what is left out, and the form to sign."""
    view = load_plan_view(find_runtime(), load_organization_id(), plan, load_actor())
    key = apply_key(view.head.id)
    is_running = view.head.state == "applying" or find_pool().is_pending(key)
    page = render_template(
        "plan.html",
        plan=view,
        npi=request.args.get("npi"),
        rows_shown=ROWS_SHOWN,
        statement=STATEMENT,
        is_running=is_running,
        failure=find_pool().find_failure(key),
    )
    return page, {"Refresh": str(REFRESH_SECONDS)} if is_running else {}


@pages.post("/plans/<plan>/sign")
@for_people(Action.SIGN_PLAN)
def sign_plan_page(plan: str) -> ResponseReturnValue:
    """Sign exactly the fingerprint that was on the page."""

    def sign() -> str:
        if request.form.get("confirm") != "yes":
            raise InvalidInput(
                "The statement was not confirmed.", next_action="Read the statement and tick the box beside it."
            )
        fingerprint = request.form.get("fingerprint", "")
        if not fingerprint.isascii():
            raise StalePlan("The fingerprint is not that of this plan.")
        sign_plan(
            find_runtime(),
            load_organization_id(),
            plan,
            fingerprint=fingerprint,
            reason=request.form.get("reason", "").strip(),
            actor=load_actor(),
        )
        return "The plan is signed. Nothing has been sent yet: apply it when you are ready."

    back = url_for("pages.show_plan", plan=plan, _anchor="signature")
    return act(sign, back=back)


@pages.post("/plans/<plan>/apply")
@for_people(Action.APPLY_PLAN)
def apply_plan_page(plan: str) -> ResponseReturnValue:
    """Have a signed plan sent to DPC; the page follows its progress."""
    runtime, organization_id, actor = find_runtime(), load_organization_id(), load_actor()

    def start() -> str:
        check_applicable(runtime, organization_id, plan, actor)
        if not submit_apply(find_pool(), runtime, organization_id, plan, actor):
            raise ServiceUnavailable(retry_after=RETRY_SECONDS)
        return "The plan is being applied. This page follows it."

    return act(start, back=url_for("pages.show_plan", plan=plan))
