"""Holds: what waits for a person, why, and from when waiting costs."""

from __future__ import annotations

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue

from service.domain.intake import REMOVAL_RULES
from service.domain.people import Action
from service.web.access import for_people, load_actor, load_organization_id
from service.web.pages.blueprint import act, pages
from service.web.places import find_runtime
from service.workflows.deliveries import find_deliveries, load_delivery
from service.workflows.holds import decide_hold, find_holds

_DONE = {
    "released": "The changes are released; the next plan contains them.",
    "refused": "The changes are refused; they stay as they are at DPC.",
    "open": "Your decision is recorded. It takes another person to release the changes, too.",
}


@pages.get("/holds")
@for_people(Action.READ_ROSTERS)
def list_holds() -> ResponseReturnValue:
    """List held deliveries and held changes."""
    runtime, organization_id = find_runtime(), load_organization_id()
    holds = find_holds(runtime, organization_id)
    return render_template(
        "holds.html",
        holds=holds,
        deliveries=find_deliveries(runtime, organization_id, state="held"),
        removals=[
            (load_delivery(runtime, organization_id, hold.delivery_id), hold)
            for hold in holds
            if hold.delivery_id and hold.rule in REMOVAL_RULES
        ],
    )


@pages.post("/holds/<hold>/decision")
@for_people(Action.DECIDE_HOLD)
def decide_hold_page(hold: str) -> ResponseReturnValue:
    """Release or refuse held changes, with a reason."""
    verdict = request.form.get("verdict", "")
    reason = request.form.get("reason", "").strip()
    plan = request.form.get("plan")

    def decide() -> str:
        decided = decide_hold(find_runtime(), load_organization_id(), hold, verdict, reason, load_actor())
        return _DONE[decided.state]

    return act(
        decide,
        back=url_for("pages.show_plan", plan=plan, _anchor="held") if plan else url_for("pages.list_holds"),
    )
