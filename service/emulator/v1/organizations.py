"""Organization: the token's own, and what only the golden macaroon may do (contract-v1 6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from flask import Blueprint, Response, request
from sqlalchemy import RowMapping, delete, insert, select, update

from service.emulator.answers import build_response, refuse, refuse_opaque
from service.emulator.tables import organizations
from service.emulator.v1.calls import Call, fhir_route
from service.emulator.v1.fhir.bodies import build_bundle, read_bundle, read_fhir_body
from service.emulator.v1.fhir.profiles import build_refusal, check_organization, find_identifiers
from service.emulator.v1.fhir.validation import NPI_SYSTEM, as_objects, find_uuid, has_html, is_npi

blueprint = Blueprint("organizations", __name__)


def build_organization(row: RowMapping) -> dict[str, Any]:
    """A stored organisation as answered: no meta, no endpoint."""
    return {
        "resourceType": "Organization",
        "id": row["id"],
        "identifier": [{"system": NPI_SYSTEM, "value": row["npi"]}],
        **row["body"],
    }


def _load(call: Call, organization_id: str) -> RowMapping:
    query = select(organizations).where(organizations.c.id == organization_id)
    return call.connection.execute(query).mappings().one()


def _read_row(resource: Mapping[str, Any]) -> dict[str, Any]:
    """NPI and body to store; a bad NPI or HTML in the name is an opaque 400."""
    npi = str(find_identifiers(resource, NPI_SYSTEM)[0].get("value"))
    name = str(resource.get("name") or "")
    if not is_npi(npi) or has_html(name):
        raise refuse_opaque()
    body: dict[str, Any] = {"name": name}
    for element in ("contact", "address"):
        if as_objects(resource.get(element)):
            body[element] = as_objects(resource[element])
    return {"npi": npi, "body": body}


@fhir_route(blueprint, "GET", "/Organization")
def list_organizations(call: Call) -> Response:
    """A Bundle with the token's own organisation."""
    own = build_organization(_load(call, call.organization_id))
    return build_response(build_bundle("collection", [own], total=1))


@fhir_route(blueprint, "GET", "/Organization/<resource_id>", owned="Organization")
def show_organization(call: Call, resource_id: str) -> Response:
    """The token's own organisation."""
    return build_response(build_organization(_load(call, resource_id)))


@fhir_route(blueprint, "PUT", "/Organization/<resource_id>", owned="Organization")
def update_organization(call: Call, resource_id: str) -> Response:
    """200 with the new state."""
    resource = read_fhir_body("Organization")
    messages = check_organization(resource)
    if messages:
        raise build_refusal(messages)
    call.connection.execute(update(organizations).where(organizations.c.id == resource_id).values(_read_row(resource)))
    call.mark_effect()
    return build_response(build_organization(_load(call, resource_id)))


@fhir_route(blueprint, "POST", "/Organization/$submit", admin=True)
def submit_organization(call: Call) -> Response:
    """Golden macaroon only: registers the organisation of Parameters{resource: Bundle}."""
    body = read_fhir_body("Parameters")
    named = [one for one in as_objects(body.get("parameter")) if one.get("name") == "resource"]
    found = read_bundle({"parameter": named}, "Organization") if named else []
    if not found:
        raise refuse(400, "Bundle must include Organization")
    messages = check_organization(found[0])
    if messages:
        raise refuse(422, ", ".join(messages))
    row = {"id": find_uuid(found[0].get("id")) or str(uuid4()), **_read_row(found[0])}
    call.connection.execute(insert(organizations), row)
    call.mark_effect()
    return build_response(build_organization(_load(call, row["id"])))


@fhir_route(blueprint, "DELETE", "/Organization/<organization_id>", admin=True)
def delete_organization(call: Call, organization_id: str) -> Response:
    """Golden macaroon only: the organisation with everything it has."""
    gone = call.connection.execute(delete(organizations).where(organizations.c.id == find_uuid(organization_id)))
    if gone.rowcount == 0:
        raise refuse(404, "Cannot find organization.")
    call.mark_effect()
    return build_response(None)


@fhir_route(blueprint, "GET", "/Admin/Organization", admin=True)
def search_organizations(call: Call) -> Response:
    """Golden macaroon only: the organisations of a comma list of NPIs."""
    wanted = [npi.rpartition("|")[2] for npi in request.args.get("npis", "").split(",")]
    query = select(organizations).where(organizations.c.npi.in_(wanted))
    found = [build_organization(row) for row in call.connection.execute(query).mappings()]
    return build_response(build_bundle("searchset", found, total=len(found)))
