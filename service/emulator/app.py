"""The Flask application: every resource, the control surface, and the answers for what has no route."""

from __future__ import annotations

import logging

from flask import Flask, Response, current_app
from werkzeug.exceptions import HTTPException

from service.emulator.answers import Refused, refuse_json, refuse_unexpected
from service.emulator.control import routes
from service.emulator.preview import build_preview
from service.emulator.state import State
from service.emulator.v1 import build_v1
from service.emulator.v2 import build_v2
from service.emulator.wire import Wire

log = logging.getLogger("rollcall.emulator")


def build_app(state: State) -> Flask:
    """The WSGI application over one state, with the wire's behaviour included."""
    app = Flask("service.emulator", static_folder=None)
    app.extensions["emulator"] = state
    app.url_map.merge_slashes = False
    app.register_blueprint(build_v1(), url_prefix="/api/v1")
    app.register_blueprint(build_v2())
    app.register_blueprint(build_preview())
    app.register_blueprint(routes.build_control(), url_prefix="/_emulator")
    app.register_error_handler(Refused, _answer_refusal)
    app.register_error_handler(HTTPException, _answer_http_error)
    app.register_error_handler(Exception, _answer_defect)
    app.wsgi_app = Wire(app.wsgi_app, state)  # type: ignore[method-assign]
    return app


def _answer_refusal(refusal: Refused) -> Response:
    return refusal.to_response()


def _answer_http_error(error: HTTPException) -> Response:
    """Unknown paths and wrong methods, even below FHIR paths (contract-v1 2.3)."""
    response = refuse_json(error.code or 500).to_response()
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response


def _answer_defect(error: Exception) -> Response:
    current_app.extensions["emulator"].note_defect(error)
    log.error("unforeseen %s", type(error).__name__, exc_info=error)
    return refuse_unexpected().to_response()
