"""One practitioner's panel, and the whole history of one attribution."""

from __future__ import annotations

from collections import Counter

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue

from service.domain.expiry import BUCKETS
from service.domain.people import Action
from service.web.access import for_people, is_allowed, load_actor, load_organization_id
from service.web.api.paging import slice_page
from service.web.pages.blueprint import act, pages
from service.web.places import find_runtime
from service.workflows.explain import explain
from service.workflows.panel import show_panel
from service.workflows.practitioners import name_practitioner

PAGE_SIZE = 100


@pages.get("/practitioners/<npi>")
@for_people(Action.READ_ROSTERS)
def show_practitioner(npi: str) -> ResponseReturnValue:
    """Show the panel of one practitioner, filtered by bucket and in pages; the reading is recorded."""
    panel = show_panel(find_runtime(), load_organization_id(), npi, load_actor())
    wanted = request.args.get("bucket", "")
    bucket = wanted if wanted in {b.name for b in BUCKETS} else None
    rows = [row for row in panel.rows if bucket in (None, row.bucket)]
    page = slice_page(rows, PAGE_SIZE, request.args.get("cursor"))
    counts = Counter(row.bucket for row in panel.rows)
    return render_template(
        "practitioner.html",
        panel=panel,
        page=page,
        bucket=bucket,
        counts=counts,
        shown=len(rows),
        npi=npi,
        may_name=is_allowed(Action.DRAW_PLAN),
    )


@pages.post("/practitioners/<npi>/name")
@for_people(Action.DRAW_PLAN)
def name_practitioner_page(npi: str) -> ResponseReturnValue:
    """Give a practitioner the name without which DPC registers nobody."""

    def name() -> str:
        name_practitioner(
            find_runtime(),
            load_organization_id(),
            npi,
            given=request.form.get("given", ""),
            family=request.form.get("family", ""),
            actor=load_actor(),
        )
        return "The practitioner has a name. The next plan can register them at DPC."

    return act(name, back=url_for("pages.show_practitioner", npi=npi))


@pages.get("/practitioners/<npi>/patients/<patient_ref>")
@for_people(Action.READ_ROSTERS)
def show_patient(npi: str, patient_ref: str) -> ResponseReturnValue:
    """Show why one patient is, or is not, attributed to one practitioner; the reading is recorded."""
    explanation = explain(find_runtime(), load_organization_id(), npi=npi, patient_ref=patient_ref, actor=load_actor())
    return render_template("patient.html", explanation=explanation, npi=npi)
