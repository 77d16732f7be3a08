"""Reports: one line each, a page with the table, and a download."""

from __future__ import annotations

from flask import render_template, request
from flask.typing import ResponseReturnValue

from service.domain.people import Action
from service.web.access import for_people
from service.web.api.paging import slice_page
from service.web.api.reports import load_report
from service.web.exports import build_csv_answer
from service.web.pages.blueprint import pages
from service.workflows.report import REPORT_KINDS

PAGE_SIZE = 200

REPORT_WORDS = {
    "expiring": "What lapses when, by practitioner and patient.",
    "capacity": "How full each Group is against the limit.",
    "attestations": "Every statement that was sent to DPC, and what became of it.",
    "removals": "Every attribution that was ended here, and why.",
    "exceptions": "Rows that could not be used, and pairs that were left out.",
    "holds": "What waited for a person, and who decided what.",
    "drift": "Where DPC and the rosters differ although nothing is planned.",
    "exposure": "Attested patients for whom CMS finds no claim, or who opted out.",
    "credentials": "Keys and tokens, and when they end.",
    "activity": "Who did and saw what.",
}


@pages.get("/reports")
@for_people(Action.READ_ROSTERS)
def list_reports() -> ResponseReturnValue:
    """List the reports."""
    return render_template("reports.html", kinds={kind: REPORT_WORDS.get(kind, "") for kind in REPORT_KINDS})


@pages.get("/reports/<kind>")
@for_people(Action.READ_ROSTERS)
def show_report(kind: str) -> ResponseReturnValue:
    """Show one report as a table; making it is recorded."""
    report = load_report(kind)
    page = slice_page(report.rows, PAGE_SIZE, request.args.get("cursor"))
    return render_template("report.html", report=report, page=page)


@pages.get("/reports/<kind>.csv")
@for_people(Action.READ_ROSTERS)
def download_report(kind: str) -> ResponseReturnValue:
    """Download one report; making it is recorded."""
    report = load_report(kind)
    return build_csv_answer(f"{kind}-{report.made_at:%Y-%m-%d}", report.columns, report.rows)
