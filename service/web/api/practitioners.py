"""Practitioners and their panels over HTTP."""

from __future__ import annotations

from typing import Any

from schemas.api.base import PageQuery
from schemas.api.practitioners import AttributionPage, AttributionsQuery, PractitionerPage
from service.domain.errors import InvalidInput
from service.domain.expiry import BUCKETS
from service.web.access import PLANS_READ, for_machines, load_actor, load_organization_id
from service.web.api.paging import Page, slice_page
from service.web.api.section import Route, Section
from service.web.places import find_runtime
from service.workflows.overview import PractitionerRow, show_overview
from service.workflows.panel import AttributionRow, show_panel

section = Section("practitioners", "Who lapses when, and how full each Group is.")

BUCKET_NAMES = tuple(bucket.name for bucket in BUCKETS)


@section.route(Route("/practitioners", PractitionerPage, query=PageQuery, errors=(422,)), for_machines(PLANS_READ))
def list_practitioners(query: dict[str, Any]) -> Any:
    """List practitioners with what expires when and how full the Group is."""
    overview = show_overview(find_runtime(), load_organization_id())
    page: Page[PractitionerRow] = slice_page(overview.practitioners, query["limit"], query["cursor"])
    return page, page.headers


@section.route(
    Route("/practitioners/<npi>/attributions", AttributionPage, query=AttributionsQuery, errors=(404, 422)),
    for_machines(PLANS_READ),
)
def list_attributions(query: dict[str, Any], npi: str) -> Any:
    """List the attributions of one practitioner; MBIs are masked, and the reading is recorded."""
    if query["bucket"] not in (None, *BUCKET_NAMES):
        raise InvalidInput(f"bucket must be one of: {', '.join(BUCKET_NAMES)}.")
    panel = show_panel(find_runtime(), load_organization_id(), npi, load_actor())
    rows = [row for row in panel.rows if query["bucket"] in (None, row.bucket)]
    page: Page[AttributionRow] = slice_page(rows, query["limit"], query["cursor"])
    return {"npi": panel.npi, "read_at": panel.read_at, "items": page.items, "next": page.next}, page.headers
