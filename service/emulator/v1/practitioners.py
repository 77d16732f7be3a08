"""Practitioner: create, search, read, delete and $submit (contract-v1 7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from flask import Blueprint, Response
from sqlalchemy import RowMapping, delete, func, insert, select

from service.emulator.answers import build_response, refuse, refuse_limit, refuse_opaque
from service.emulator.tables import practitioners
from service.emulator.v1.calls import Call, build_location, fhir_route, find_argument
from service.emulator.v1.fhir.bodies import build_bundle, read_fhir_body
from service.emulator.v1.fhir.profiles import build_refusal, check_practitioner, find_identifiers
from service.emulator.v1.fhir.validation import NPI_SYSTEM, is_npi
from service.emulator.v1.persons import (
    Row,
    build_collection,
    build_person,
    build_validation,
    check_entries,
    read_name,
    save_persons,
)
from service.emulator.wire import format_date

blueprint = Blueprint("practitioners", __name__)


def build_practitioner(row: RowMapping | Row) -> dict[str, Any]:
    """A stored practitioner as answered."""
    return build_person("Practitioner", row, NPI_SYSTEM, row["npi"])


def _read_npi(resource: Mapping[str, Any]) -> str:
    return str(find_identifiers(resource, NPI_SYSTEM)[0].get("value"))


def _build_row(call: Call, resource: Mapping[str, Any]) -> Row:
    """A row to store; a bad NPI or HTML is an opaque 400 (contract-v1 2.4 b)."""
    npi = _read_npi(resource)
    if not is_npi(npi):
        raise refuse_opaque()
    given, family = read_name(resource)
    return {
        "id": str(uuid4()),
        "organization_id": call.organization_id,
        "npi": npi,
        "given": given,
        "family": family,
        "updated_us": call.now_us,
    }


def _check_limit(call: Call) -> None:
    """Counted before the duplicate check, so at the limit even a known one is refused (contract-v1 7)."""
    limit = call.state.limits.provider_limit
    query = select(func.count()).where(practitioners.c.organization_id == call.organization_id)
    if limit != -1 and (call.connection.execute(query).scalar() or 0) >= limit:
        raise refuse_limit()


@fhir_route(blueprint, "POST", "/Practitioner")
def create_practitioner(call: Call) -> Response:
    """201, or 200 with the stored record when the NPI is known here."""
    resource = read_fhir_body("Practitioner")
    messages = check_practitioner(resource)
    if messages:
        raise build_refusal(messages)
    _check_limit(call)
    query = select(practitioners).where(
        practitioners.c.organization_id == call.organization_id, practitioners.c.npi == _read_npi(resource)
    )
    stored = call.connection.execute(query).mappings().first()
    if stored is not None:
        return build_response(build_practitioner(stored))
    row = _build_row(call, resource)
    call.connection.execute(insert(practitioners), row)
    call.mark_effect()
    headers = {"Location": build_location("Practitioner", row["id"]), "Last-Modified": format_date(call.now)}
    return build_response(build_practitioner(row), 201, headers=headers)


@fhir_route(blueprint, "GET", "/Practitioner")
def search_practitioners(call: Call) -> Response:
    """All of the organisation, or the one with the bare NPI; `system|value` matches nothing."""
    npi = find_argument("identifier")
    query = select(practitioners).where(practitioners.c.organization_id == call.organization_id)
    if npi:
        query = query.where(practitioners.c.npi == npi)
    found = [build_practitioner(row) for row in call.connection.execute(query).mappings()]
    return build_response(build_bundle("searchset", found, total=len(found)))


@fhir_route(blueprint, "GET", "/Practitioner/<resource_id>", owned="Practitioner")
def show_practitioner(call: Call, resource_id: str) -> Response:
    """One practitioner."""
    row = call.connection.execute(select(practitioners).where(practitioners.c.id == resource_id)).mappings().one()
    return build_response(build_practitioner(row))


@fhir_route(blueprint, "PUT", "/Practitioner/<resource_id>", owned="Practitioner")
def update_practitioner(call: Call, resource_id: str) -> Response:
    """Never: 501."""
    messages = check_practitioner(read_fhir_body("Practitioner"))
    if messages:
        raise build_refusal(messages)
    raise refuse(501, "Update Practitioner not yet implemented.")


@fhir_route(blueprint, "DELETE", "/Practitioner/<resource_id>", owned="Practitioner")
def delete_practitioner(call: Call, resource_id: str) -> Response:
    """200 without a body; Groups and their attributions go too."""
    call.connection.execute(delete(practitioners).where(practitioners.c.id == resource_id))
    call.mark_effect()
    return build_response(None)


@fhir_route(blueprint, "POST", "/Practitioner/$submit")
def submit_practitioners(call: Call) -> Response:
    """A collection: newly inserted ones first, then those already stored; no limit."""
    entries = check_entries("Practitioner", check_practitioner)
    rows = [_build_row(call, entry) for entry in entries]
    fresh, stored = save_persons(call, practitioners, "npi", rows)
    return build_collection([build_practitioner(row) for row in [*fresh, *stored]])


@fhir_route(blueprint, "POST", "/Practitioner/$validate")
def validate_practitioner(call: Call) -> Response:
    """Always 200."""
    return build_validation(read_fhir_body("Parameters"), check_practitioner)
