"""Deliveries: what arrived, what is wrong with it, and what is held."""

from __future__ import annotations

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue

from service.domain.intake import REMOVAL_RULES
from service.domain.people import Action, may
from service.web.access import for_people, load_actor, load_organization_id
from service.web.api.deliveries import build_departures_csv, build_findings_csv, build_findings_json
from service.web.api.paging import cut_page, read_npi_cursor, read_number_cursor
from service.web.pages.blueprint import act, pages
from service.web.places import find_runtime
from service.workflows.deliveries import (
    HEADING_ERRORS,
    count_findings,
    find_deliveries,
    find_findings,
    load_delivery,
)
from service.workflows.effects import count_effects, find_accepted_before, find_effects
from service.workflows.holds import decide_delivery, find_holds

PAGE_SIZE = 50
FINDINGS_SHOWN = 100
EFFECTS_SHOWN = 50
STATES = ("received", "accepted", "held", "rejected", "superseded")
REFRESH_SECONDS = 2
_DONE = {
    "released": "The delivery is accepted; its rows count from now on.",
    "refused": "The delivery is rejected; none of its rows count.",
    "open": "Your decision is recorded. It takes another person to say yes, too.",
}
_DONE_ABOUT_REMOVALS = {
    "released": "Whom the file leaves out counts as left out; the next plan shows who is to be removed.",
    "refused": "Nobody is let go because of this file.",
}


@pages.get("/deliveries")
@for_people(Action.READ_ROSTERS, Action.SEND_DELIVERY)
def list_deliveries() -> ResponseReturnValue:
    """List deliveries, newest first, of one state or those that wait for a person if asked."""
    wanted = request.args.get("state", "")
    state = wanted if wanted in STATES else None
    waiting = True if request.args.get("waiting") == "true" else None
    after = read_number_cursor(request.args.get("cursor"))
    runtime, organization_id = find_runtime(), load_organization_id()
    found = find_deliveries(runtime, organization_id, state=state, waiting=waiting, after=after, limit=PAGE_SIZE + 1)
    page = cut_page(found, PAGE_SIZE, lambda delivery: delivery.number)
    return render_template(
        "deliveries.html", page=page, state=state, states=STATES, waiting="true" if waiting else None
    )


@pages.get("/deliveries/<delivery>")
@for_people(Action.READ_ROSTERS, Action.SEND_DELIVERY)
def show_delivery(delivery: str) -> ResponseReturnValue:
    """Show one delivery: its state, why it is held, and its findings by code and by row."""
    runtime, organization_id = find_runtime(), load_organization_id()
    view = load_delivery(runtime, organization_id, delivery)
    after = read_number_cursor(request.args.get("cursor"))
    found = find_findings(
        runtime, organization_id, view.id, after=-1 if after is None else after, limit=FINDINGS_SHOWN + 1
    )
    effects = find_effects(
        runtime, organization_id, view.id, after=read_npi_cursor(request.args.get("effects")), limit=EFFECTS_SHOWN + 1
    )
    hold = next((h for h in find_holds(runtime, organization_id) if h.delivery_id == view.id), None)
    page = render_template(
        "delivery.html",
        delivery=view,
        hold=hold,
        heading_errors=HEADING_ERRORS,
        effects=cut_page(effects, EFFECTS_SHOWN, lambda effect: effect.npi),
        changed=count_effects(runtime, organization_id, view.id),
        before=find_accepted_before(runtime, organization_id, view) if hold else [],
        may_see_whom=may(load_actor(), Action.READ_ROSTERS, organization_id),
        counts=count_findings(runtime, organization_id, view.id),
        page=cut_page(found, FINDINGS_SHOWN, lambda finding: finding.n),
    )
    return page, {"Refresh": str(REFRESH_SECONDS)} if view.state == "received" else {}


@pages.get("/deliveries/<delivery>/findings.csv")
@for_people(Action.READ_ROSTERS, Action.SEND_DELIVERY)
def download_findings(delivery: str) -> ResponseReturnValue:
    """Download every finding of a delivery."""
    return build_findings_csv(find_runtime(), load_organization_id(), delivery)


@pages.get("/deliveries/<delivery>/findings.json")
@for_people(Action.READ_ROSTERS, Action.SEND_DELIVERY)
def download_findings_json(delivery: str) -> ResponseReturnValue:
    """Download every finding of a delivery as JSON."""
    return build_findings_json(find_runtime(), load_organization_id(), delivery)


@pages.get("/deliveries/<delivery>/departures.csv")
@for_people(Action.READ_ROSTERS)
def download_departures(delivery: str) -> ResponseReturnValue:
    """Download whom a waiting delivery would let go, MBIs masked."""
    return build_departures_csv(find_runtime(), load_organization_id(), delivery, load_actor())


@pages.post("/deliveries/<delivery>/decision")
@for_people(Action.DECIDE_HOLD)
def decide_delivery_page(delivery: str) -> ResponseReturnValue:
    """Accept or reject a held delivery, with a reason."""
    verdict = request.form.get("verdict", "")
    reason = request.form.get("reason", "").strip()
    hold_id = request.form.get("hold") or None

    def decide() -> str:
        decided = decide_delivery(
            find_runtime(), load_organization_id(), delivery, verdict, reason, load_actor(), hold_id
        )
        words = _DONE | _DONE_ABOUT_REMOVALS if decided.rule in REMOVAL_RULES else _DONE
        return words[decided.state]

    return act(decide, back=url_for("pages.show_delivery", delivery=delivery))
