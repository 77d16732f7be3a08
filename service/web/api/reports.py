"""Reports over HTTP."""

from __future__ import annotations

from typing import Any

from schemas.api.reports import ReportQuery, ReportSchema
from service.domain.errors import NotFound
from service.web.access import PLANS_READ, for_machines, load_actor, load_organization_id
from service.web.api.section import CSV_DOC, Route, Section
from service.web.exports import build_csv_answer, wants_csv
from service.web.places import find_runtime
from service.workflows.report import REPORT_KINDS, Report, build_report

section = Section("reports", "Tables for officers and auditors.")


@section.route(
    Route("/reports/<kind>", ReportSchema, query=ReportQuery, errors=(404, 422), more=CSV_DOC), for_machines(PLANS_READ)
)
def get_report(query: dict[str, Any], kind: str) -> Any:
    """Make one report, as JSON or CSV; making it is recorded."""
    report = load_report(kind)
    return build_csv_answer(f"{kind}", report.columns, report.rows) if wants_csv(query["format"]) else report


def load_report(kind: str) -> Report:
    """Make the report of that kind for whoever asks; raises NotFound for a kind that does not exist."""
    if kind not in REPORT_KINDS:
        raise NotFound("There is no such report.", next_action=f"The reports are: {', '.join(REPORT_KINDS)}.")
    return build_report(find_runtime(), load_organization_id(), kind, load_actor())
