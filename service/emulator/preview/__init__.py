"""The preview of 2019 under /fhir/v1, in FHIR STU3, as its documentation describes it."""

from __future__ import annotations

from flask import Blueprint

from service.emulator.preview.routing import answer_request


def build_preview() -> Blueprint:
    """The preview; it looks at every request of the application and takes its own, whatever the method."""
    blueprint = Blueprint("preview", __name__)
    blueprint.before_app_request(answer_request)
    return blueprint
