"""What the preview says about itself: the documented CapabilityStatement, and one's own Organization."""

from __future__ import annotations

from typing import Any

from flask import Response
from sqlalchemy import select

from service.emulator.answers import build_response, refuse
from service.emulator.preview.calls import Call
from service.emulator.preview.people import NPI_SYSTEM
from service.emulator.tables import organizations

VERSION = "0.3.0-SNAPSHOT"

_EDITED = ("read", "create", "update", "delete", "search-type")
_RESOURCES = {"Organization": ("read",), "Patient": _EDITED, "Practitioner": _EDITED}
_BULK = "http://build.fhir.org/ig/HL7/bulk-data"


def show_metadata(call: Call) -> Response:
    """The CapabilityStatement; leaves out the endpoints and profiles that this server does not serve."""
    operation = {
        "name": "Group level data export",
        "definition": {"reference": f"{_BULK}/OperationDefinition-group-export"},
    }
    server = {
        "mode": "server",
        "resource": [_build_resource(kind, codes) for kind, codes in _RESOURCES.items()],
        "operation": [operation],
    }
    statement = {
        "resourceType": "CapabilityStatement",
        "id": "dpc-capabilities",
        "version": VERSION,
        "status": "draft",
        "date": "2019",
        "kind": "capability",
        "instantiates": [f"{_BULK}/CapabilityStatement-bulk-data"],
        "software": {"name": "Stand-in for Data at the Point of Care", "version": VERSION, "releaseDate": "2019"},
        "implementation": {"description": "Emulator, synthetic data only", "url": call.base},
        "fhirVersion": "3.0.1",
        "acceptUnknown": "extensions",
        "format": ["application/json", "application/fhir+json"],
        "rest": [server],
    }
    return build_response(statement)


def _build_resource(kind: str, codes: tuple[str, ...]) -> dict[str, Any]:
    resource: dict[str, Any] = {
        "type": kind,
        "interaction": [{"code": code} for code in codes],
        "versioning": "no-version",
    }
    if "search-type" in codes:
        resource["searchParam"] = [{"name": "identifier", "type": "string"}]
    return resource


def show_organization(call: Call, organization_id: str) -> Response:
    """The token's own organisation; 404 for any other."""
    if organization_id != call.organization_id:
        raise refuse(404, "Organization not found")
    row = call.connection.execute(select(organizations).where(organizations.c.id == organization_id)).mappings().one()
    identifier = {"system": NPI_SYSTEM, "value": row["npi"]}
    return build_response({"resourceType": "Organization", "id": row["id"], "identifier": [identifier], **row["body"]})
