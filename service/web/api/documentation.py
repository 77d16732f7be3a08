"""The API's own description: OpenAPI 3.1 as JSON, and as a page that needs no outside host."""

from __future__ import annotations

import re
from typing import Any

from flask import Blueprint, Flask, current_app, jsonify, render_template
from flask.typing import ResponseReturnValue
from flask_smorest import Api  # type: ignore[import-untyped]

from schemas.api.problem import ProblemSchema
from service.web.access import open_to_all
from service.web.api import deliveries, feeds, plans, practitioners, proof, reports, status, token
from service.web.api.section import PREFIX, PROBLEM_JSON
from service.web.problems import PROBLEM_TYPES

SECTIONS = (token, feeds, deliveries, plans, practitioners, reports, proof, status)
VERSION = "1"
_SOURCE = re.compile(r" \(contract-v1 [^)]*\)")

pages = Blueprint("documentation", __name__)


class _Api(Api):  # type: ignore[misc]
    """Documents errors as problems; the application's own handlers answer them."""

    ERROR_SCHEMA = ProblemSchema

    def _register_error_handlers(self) -> None:
        """Leave errors to the one table of the application."""


def register_api(app: Flask) -> None:
    """Register every part of the API and its description."""
    api = _Api(
        app,
        spec_kwargs={
            "title": "Rollcall",
            "version": VERSION,
            "openapi_version": "3.1.0",
            "info": {
                "description": "Set feeds up, post rosters, read plans, sign and apply them, read the proof. "
                "Lists are paged by limit and cursor; errors are application/problem+json."
            },
        },
    )
    api.spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    for module in SECTIONS:
        api.register_blueprint(module.section.blueprint)
    app.extensions["openapi"] = _name_problems(api.spec.to_dict())
    app.register_blueprint(pages)


def _name_problems(document: dict[str, Any]) -> dict[str, Any]:
    """Give the shared error answers the media type that they really have."""
    for answer in document["components"]["responses"].values():
        (body,) = answer["content"].values()
        answer["content"] = {PROBLEM_JSON: body}
    return document


def _tell(kind: type[Exception]) -> str:
    """Answer what an error means, without the place in DPC's contract that only we look up."""
    first_line, _, _ = (kind.__doc__ or "").partition("\n")
    return _SOURCE.sub("", first_line)


@pages.get(f"{PREFIX}/openapi.json")
@open_to_all
def show_openapi() -> ResponseReturnValue:
    """Answer the OpenAPI 3.1 document."""
    return jsonify(current_app.extensions["openapi"])


@pages.get("/api/docs")
@open_to_all
def show_documentation() -> ResponseReturnValue:
    """Render the OpenAPI document as a page."""
    document: dict[str, Any] = current_app.extensions["openapi"]
    problems = sorted({(kind.code, _tell(kind), known.status) for kind, known in PROBLEM_TYPES.items()})  # type: ignore[attr-defined]
    return render_template("documentation.html", document=document, problems=problems)
