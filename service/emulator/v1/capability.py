"""What the server says about itself: metadata and version (contract-v1 11)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from service.emulator.answers import FHIR, build_response
from service.emulator.v1.calls import Call, json_route

SOFTWARE_VERSION = "0.4.0"
BUILD = "e3u1a70.2026-01-01T00:00:00Z"

_RESOURCES = {
    "Group": ("read", "create", "update", "delete", "search-type"),
    "Organization": ("read", "update"),
    "Patient": ("read", "create", "update", "delete", "search-type"),
    "Practitioner": ("read", "create", "delete", "search-type"),
}

blueprint = Blueprint("capability", __name__)


def _build_statement(call: Call) -> dict[str, Any]:
    resources = [
        {"type": kind, "interaction": [{"code": code} for code in codes], "versioning": "no-version"}
        for kind, codes in _RESOURCES.items()
    ]
    return {
        "resourceType": "CapabilityStatement",
        "id": "dpc-capabilities",
        "version": SOFTWARE_VERSION,
        "status": "draft",
        "kind": "instance",
        "software": {"name": "Stand-in for Data at the Point of Care", "version": SOFTWARE_VERSION},
        "implementation": {"description": "Emulator, synthetic data only", "url": call.base},
        "fhirVersion": "3.0.2",
        "acceptUnknown": "extensions",
        "format": ["application/fhir+json"],
        "rest": [{"mode": "server", "resource": resources}],
    }


@json_route(blueprint, "GET", "/metadata", public=True, accepts=(FHIR,), consumes=None)
def show_metadata(call: Call) -> Response:
    """The CapabilityStatement; says only what this server does."""
    return build_response(_build_statement(call))


@json_route(blueprint, "GET", "/version", public=True, accepts=("text/plain",), consumes=None)
def show_version(call: Call) -> Response:
    """Seven characters and a build time."""
    return build_response(BUILD, 200, "text/plain")
