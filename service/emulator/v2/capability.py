"""What version 2 says about itself: metadata, health and the page of its interface (contract-v2 1 and 8)."""

from __future__ import annotations

from flask import Response

from service.emulator.v2.answers import JSON, build_answer, build_body
from service.emulator.v2.calls import Call

_EXPORT = "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/group-export"
_PAGE = b"<!DOCTYPE html><html lang='en'><title>DPC API v2</title><h1>DPC API v2, emulated</h1></html>"


def show_metadata(call: Call) -> Response:
    """The CapabilityStatement, dated today; says nothing of $everything."""
    group = {
        "type": "Group",
        "interaction": [{"code": "create"}],
        "operation": [{"name": "export", "definition": _EXPORT}],
    }
    statement = {
        "resourceType": "CapabilityStatement",
        "status": "draft",
        "date": call.now.date().isoformat(),
        "kind": "instance",
        "software": {"name": "Stand-in for Data at the Point of Care", "version": "1.0"},
        "implementation": {"description": "Emulator, synthetic data only", "url": call.base},
        "fhirVersion": "4.0.1",
        "format": ["application/fhir+json"],
        "rest": [
            {"mode": "server", "resource": [{"type": "Organization", "interaction": [{"code": "read"}]}, group]},
        ],
    }
    return build_answer(build_body(statement))


def show_health(call: Call) -> Response:
    """Always well."""
    return build_answer(build_body({"api": "ok"}), content_type=JSON)


def show_page(call: Call) -> Response:
    """A static page."""
    return build_answer(_PAGE, content_type="text/html; charset=utf-8")
