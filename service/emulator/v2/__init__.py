"""Version 2 of the API under /api/v2, in FHIR R4 (contract-v2)."""

from __future__ import annotations

from flask import Blueprint

from service.emulator.v2.routing import answer_request


def build_v2() -> Blueprint:
    """Version 2; it looks at every request of the application and takes its own, whatever the method."""
    blueprint = Blueprint("v2", __name__)
    blueprint.before_app_request(answer_request)
    return blueprint
