"""Every request below /fhir/v1: token, then Accept on FHIR resources, then the route."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass

from flask import Response, current_app, request

from service.emulator.answers import Refused, build_response, refuse
from service.emulator.preview import capability, exports, groups, people
from service.emulator.preview.calls import BASE, Call, authenticate, check_accept
from service.emulator.state import State

log = logging.getLogger("rollcall.emulator")


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path; the path's groups go to the view by position."""

    method: str
    path: re.Pattern[str]
    view: Callable[..., Response]
    is_public: bool = False
    is_fhir: bool = True


_PEOPLE = re.compile("(Patient|Practitioner)")
_PERSON = re.compile("(Patient|Practitioner)/([^/]+)")
ROUTES = (
    Route("GET", re.compile("metadata"), capability.show_metadata, is_public=True),
    Route("GET", re.compile("Organization/([^/]+)"), capability.show_organization),
    Route("POST", _PEOPLE, people.create_person),
    Route("GET", _PEOPLE, people.search_people),
    Route("GET", _PERSON, people.show_person),
    Route("PUT", _PERSON, people.update_person),
    Route("DELETE", _PERSON, people.delete_person),
    Route("POST", re.compile("Group"), groups.merge_group),
    Route("GET", re.compile("Group"), groups.search_groups),
    Route("GET", re.compile(r"Group/([^/]+)/\$export"), exports.start_export),
    Route("GET", re.compile("jobs/([^/]+)"), exports.show_job, is_fhir=False),
    Route("GET", re.compile(r"data/([^/]+)/([^/]+)\.ndjson"), exports.show_file, is_fhir=False),
)


def answer_request() -> Response | None:
    """The answer to a request below /fhir/v1; None leaves it to the others."""
    path = request.path
    if path != BASE and not path.startswith(BASE + "/"):
        return None
    state: State = current_app.extensions["emulator"]
    try:
        with state.begin() as connection:
            return _answer(Call(state, connection, state.clock.now()), path[len(BASE) + 1 :])
    except Refused as refusal:
        return refusal.to_response()
    except Exception as unforeseen:
        state.note_defect(unforeseen)
        log.exception("unforeseen")
        return refuse(500, None).to_response()


def _answer(call: Call, rest: str) -> Response:
    found = [route for route in ROUTES if route.path.fullmatch(rest)]
    if not any(route.is_public for route in found):
        authenticate(call)
    if not found:
        raise refuse(404, "HTTP 404 Not Found")
    for route in found:
        matched = route.path.fullmatch(rest)
        if matched and route.method == request.method:
            if route.is_fhir:
                check_accept()
            return route.view(call, *matched.groups())
    allowed = ", ".join(sorted({route.method for route in found}))
    return build_response(None, 405, headers={"Allow": allowed})
