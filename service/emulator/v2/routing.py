"""Every request below /api/v2: body filter, token, and the routes that exist (contract-v2 1)."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass

from flask import Response, current_app, request

from service.emulator.answers import Refused
from service.emulator.state import State
from service.emulator.v2.access.bearer import authenticate
from service.emulator.v2.access.token_auth import exchange_token, validate_token
from service.emulator.v2.answers import (
    FHIR,
    JSON,
    TEXT,
    Dropped,
    build_answer,
    refuse_internal,
)
from service.emulator.v2.body_filter import check_body
from service.emulator.v2.calls import Call
from service.emulator.v2.capability import show_health, show_metadata, show_page
from service.emulator.v2.export.everything import show_everything
from service.emulator.v2.export.files import show_file
from service.emulator.v2.export.jobs import show_job
from service.emulator.v2.export.starting import start_export
from service.emulator.v2.groups import create_group
from service.emulator.v2.organizations import show_organization
from service.emulator.v2.provenance import check_provenance
from service.emulator.wire import DROPPED, MARKS

BASE = "/api/v2"

log = logging.getLogger("rollcall.emulator")


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path; the path's groups go to the view by position."""

    method: str
    path: re.Pattern[str]
    view: Callable[..., Response]
    is_public: bool = False


ROUTES = (
    Route("GET", re.compile("metadata"), show_metadata, True),
    Route("GET", re.compile("_health"), show_health, True),
    Route("GET", re.compile("swagger(?:/.*)?"), show_page, True),
    Route("POST", re.compile("Token/auth"), exchange_token, True),
    Route("POST", re.compile("Token/validate"), validate_token, True),
    Route("GET", re.compile("Organization/([^/]+)"), show_organization),
    Route("POST", re.compile("Group/?"), create_group),
    Route("GET", re.compile(r"Group/([^/]+)/\$export"), start_export),
    Route("GET", re.compile("Jobs/([^/]+)"), show_job),
    Route("GET", re.compile("Data/([^/]+)"), show_file),
    Route("GET", re.compile(r"Patient/\$everything"), show_everything),
)


def answer_request() -> Response | None:
    """The answer to a request below /api/v2; None leaves it to the others."""
    path = request.path
    if path != BASE and not path.startswith(BASE + "/"):
        return None
    rest = path[len(BASE) + 1 :]
    return _label(rest, _answer_safely(rest))


def _answer_safely(rest: str) -> Response:
    state: State = current_app.extensions["emulator"]
    try:
        if not rest.startswith("swagger"):
            check_body(request.get_data())
        with state.begin() as connection:
            return _answer(Call(state, connection, state.clock.now()), rest)
    except Refused as refusal:
        return refusal.to_response()
    except (Dropped, ConnectionAbortedError):
        request.environ[MARKS].add(DROPPED)
        return build_answer(status=500, content_type=None)
    except Exception as unforeseen:
        state.note_defect(unforeseen)
        log.exception("unforeseen")
        return refuse_internal().to_response()


def _label(rest: str, response: Response) -> Response:
    """Whatever comes from Jobs is plain JSON by its label, refusals too (contract-v2 2.1)."""
    if rest.startswith("Jobs/") and response.headers.get("Content-Type") == FHIR:
        response.headers["Content-Type"] = JSON
    return response


def _answer(call: Call, rest: str) -> Response:
    found = [route for route in ROUTES if route.path.fullmatch(rest)]
    if not any(route.is_public for route in found):
        call.organization_id = authenticate(call)
        call.note_organization(call.organization_id)
    if rest.startswith("Patient/") or rest == "Patient":
        check_provenance(call, with_practitioner=True)
    if not found:
        return build_answer(b"404 page not found\n", 404, TEXT)
    for route in found:
        matched = route.path.fullmatch(rest)
        if matched and route.method == request.method:
            return route.view(call, *matched.groups())
    return build_answer(status=405, content_type=None)
