"""Organization: one's own, by id (contract-v2 4)."""

from __future__ import annotations

from flask import Response
from sqlalchemy import select

from service.emulator.clock import from_us
from service.emulator.tables import organizations
from service.emulator.v2.answers import Kind, build_answer, build_body, build_meta, refuse
from service.emulator.v2.calls import Call
from service.emulator.v2.provenance import NPI_SYSTEM
from service.emulator.v2.tables import organization_versions


def show_organization(call: Call, organization_id: str) -> Response:
    """NPI, name and meta; 401 for any id but the token's, in whatever case."""
    if organization_id.lower() != call.organization_id:
        raise refuse(401, "Not Allowed", Kind.FAULT)
    query = (
        select(organizations.c.npi, organizations.c.body, organization_versions)
        .join(organization_versions, organization_versions.c.organization_id == organizations.c.id)
        .where(organizations.c.id == call.organization_id)
    )
    row = call.connection.execute(query).mappings().first()
    if row is None:
        raise refuse(404, "Failed to find organization", Kind.MISSING)
    body = {
        "resourceType": "Organization",
        "id": call.organization_id,
        "identifier": [{"system": NPI_SYSTEM, "value": row["npi"]}],
        "name": row["body"]["name"],
        "meta": build_meta("Organization", call.organization_id, row["version"], from_us(row["updated_us"])),
    }
    return build_answer(build_body(body))
