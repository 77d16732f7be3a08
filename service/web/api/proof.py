"""Attestations and checkpoints over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from schemas.api.base import PageQuery
from schemas.api.proof import AttestationPage, AttestationSchema, CheckpointPage
from service.domain.errors import InvalidInput
from service.web.access import PLANS_READ, STATUS_READ, for_machines, load_organization_id
from service.web.api.paging import Page, cut_page
from service.web.api.section import Route, Section
from service.web.places import find_runtime
from service.workflows.prove import AttestationView, find_attestations, find_checkpoints, load_attestation

section = Section("proof", "What was attested, exactly as it was sent, and the signed heads of the ledger.")


@section.route(Route("/attestations", AttestationPage, query=PageQuery, errors=(422,)), for_machines(PLANS_READ))
def list_attestations(query: dict[str, Any]) -> Any:
    """List attestations, newest first."""
    found = find_attestations(
        find_runtime(), load_organization_id(), after=_read_cursor(query["cursor"]), limit=query["limit"] + 1
    )
    page: Page[AttestationView] = cut_page(found, query["limit"], _write_cursor)
    return page, page.headers


@section.route(Route("/attestations/<attempt>", AttestationSchema, errors=(404,)), for_machines(PLANS_READ))
def get_attestation(attempt: str) -> Any:
    """Read one attestation with the exact Provenance that was sent."""
    return load_attestation(find_runtime(), load_organization_id(), attempt)


@section.route(Route("/ledger/checkpoints", CheckpointPage), for_machines(PLANS_READ, STATUS_READ))
def list_checkpoints() -> Any:
    """List the signed checkpoints of the organisation's ledger, newest first."""
    return {"items": find_checkpoints(find_runtime(), load_organization_id())}


def _write_cursor(attestation: AttestationView) -> str:
    return f"{attestation.sent_at.isoformat()}~{attestation.attempt_id}"


def _read_cursor(cursor: str | None) -> tuple[datetime, str] | None:
    if cursor is None:
        return None
    text, _, attempt_id = cursor.partition("~")
    try:
        sent_at = datetime.fromisoformat(text)
    except ValueError:
        sent_at = None
    if sent_at is None or sent_at.tzinfo is None or not attempt_id:
        raise InvalidInput("The cursor is not one that a list gave out.", next_action="Begin without a cursor.")
    return sent_at, attempt_id
