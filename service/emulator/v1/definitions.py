"""StructureDefinition: the published profiles, for everybody (contract-v1 11)."""

from __future__ import annotations

from flask import Blueprint, Response

from service.emulator.answers import build_response, refuse
from service.emulator.v1.calls import Call, fhir_route
from service.emulator.v1.fhir.bodies import build_bundle
from service.emulator.v1.fhir.structures import STRUCTURES

blueprint = Blueprint("definitions", __name__)


@fhir_route(blueprint, "GET", "/StructureDefinition", public=True)
def list_definitions(call: Call) -> Response:
    """All profiles."""
    return build_response(build_bundle("searchset", STRUCTURES.values(), total=len(STRUCTURES)))


@fhir_route(blueprint, "GET", "/StructureDefinition/<definition_id>", public=True)
def show_definition(call: Call, definition_id: str) -> Response:
    """One profile by its id."""
    if definition_id not in STRUCTURES:
        raise refuse(404, f"Cannot find Structure Definition with ID: {definition_id}")
    return build_response(STRUCTURES[definition_id])
