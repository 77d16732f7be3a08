"""What the server says about itself: metadata and version (contract-v1 11)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from service.emulator.answers import FHIR, build_response
from service.emulator.v1.calls import Call, json_route
from service.emulator.v1.fhir.profiles import PROFILES

SOFTWARE_VERSION = "0.4.0"
BUILD = "e3u1a70.2026-01-01T00:00:00Z"

_CHANGES = ("read", "create", "update", "delete", "search-type")
# Overstated as DPC overstates it: an Endpoint that is not there, an update of Practitioner that answers 501.
_RESOURCES: dict[str, tuple[str | None, tuple[str, ...], tuple[str, ...]]] = {
    "Endpoint": ("endpoint", ("read", "search-type"), ()),
    "Group": ("attribution-roster", _CHANGES, ("characteristic-value", "member")),
    "Organization": ("organization", ("read",), ()),
    "Patient": ("patient", _CHANGES, ("identifier",)),
    "Practitioner": ("practitioner", _CHANGES, ("identifier",)),
    "StructureDefinition": (None, ("read", "search-type"), ()),
}
_OPERATIONS = (
    ("group-export", "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/group-export"),
    ("patient-everything", "http://hl7.org/fhir/OperationDefinition/Patient-everything"),
    *(
        (name, f"{PROFILES.replace('Structure', 'Operation')}dpc-operation-{kind}-{name}")
        for kind, name in (
            ("practitioner", "validate"),
            ("practitioner", "submit"),
            ("patient", "validate"),
            ("patient", "submit"),
            ("group", "add"),
            ("group", "remove"),
        )
    ),
)

blueprint = Blueprint("capability", __name__)


def _build_resource(kind: str) -> dict[str, Any]:
    profile, codes, searches = _RESOURCES[kind]
    resource: dict[str, Any] = {
        "type": kind,
        "interaction": [{"code": code} for code in codes],
        "versioning": "no-version",
    }
    if profile:
        resource["profile"] = {"reference": f"{PROFILES}dpc-profile-{profile}"}
    if searches:
        types = {"member": "reference"}
        resource["searchParam"] = [{"name": name, "type": types.get(name, "token")} for name in searches]
    return resource


def _build_statement(call: Call) -> dict[str, Any]:
    rest = {
        "mode": "server",
        "resource": [_build_resource(kind) for kind in _RESOURCES],
        "interaction": [{"code": "batch"}],
        "operation": [{"name": name, "definition": {"reference": url}} for name, url in _OPERATIONS],
    }
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
        "format": ["application/json", FHIR],
        "rest": [rest],
    }


@json_route(blueprint, "GET", "/metadata", public=True, accepts=(FHIR,), consumes=None)
def show_metadata(call: Call) -> Response:
    """The CapabilityStatement, which says more than this server does."""
    return build_response(_build_statement(call))


@json_route(blueprint, "GET", "/version", public=True, accepts=("text/plain",), consumes=None)
def show_version(call: Call) -> Response:
    """Seven characters and a build time."""
    return build_response(BUILD, 200, "text/plain")
