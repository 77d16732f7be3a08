"""One part of the API: declares a route with its access rule, its inputs and its answer in one place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Blueprint as FlaskBlueprint
from flask import Request
from flask_smorest import Blueprint  # type: ignore[import-untyped]
from marshmallow import Schema
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import BadRequest, UnsupportedMediaType

from schemas.api.problem import ProblemSchema
from service.web.access import AccessRule, View

PREFIX = "/api/v1"
PROBLEM_JSON = "application/problem+json"
CSV_DOC = {"responses": {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}}
"""The part of a description that names CSV as a second shape of the answer."""


class _StrictParser(FlaskParser):
    """Lets the schema decide about unknown query fields, and ours refuse them."""

    DEFAULT_UNKNOWN_BY_LOCATION: Mapping[str, str | None] = dict.fromkeys(  # type: ignore[assignment]
        FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION
    )

    def load_json(self, req: Request, schema: Schema) -> Any:
        """Read the body; one that is nested beyond reason is as unreadable as one that is no JSON.

        A body of another type is refused, and not taken for none.
        """
        if not req.is_json and req.get_data(cache=True):
            raise UnsupportedMediaType
        try:
            return super().load_json(req, schema)
        except RecursionError:
            raise BadRequest from None


class _Blueprint(Blueprint):  # type: ignore[misc]
    ARGUMENTS_PARSER = _StrictParser()


@dataclass(frozen=True, slots=True)
class Route:
    """What one route takes and answers; schemas None where there is no such part.

    `more` is merged into the OpenAPI operation; `errors` are the statuses worth naming besides 401 and 403.
    """

    path: str
    answer: type[Schema] | None
    method: str = "GET"
    status: int = 200
    query: type[Schema] | None = None
    body: type[Schema] | None = None
    location: str = "json"
    errors: tuple[int, ...] = ()
    more: Mapping[str, Any] = field(default_factory=dict)


class Section:
    """A flask-smorest blueprint under /api/v1 with typed declarations."""

    def __init__(self, name: str, description: str) -> None:
        self._blueprint = _Blueprint(name, __name__, url_prefix=PREFIX, description=description)

    @property
    def blueprint(self) -> FlaskBlueprint:
        """The blueprint to register."""
        blueprint: FlaskBlueprint = self._blueprint
        return blueprint

    def route(self, route: Route, access: Callable[[Any], Any]) -> Callable[[View], View]:
        """Declare a route: who may use it, what it takes, what it answers; inputs become the first arguments."""

        def declare(view: View) -> View:
            rule = access(lambda: None).access_rule
            made: Any = view
            made = self._blueprint.response(route.status, route.answer)(made)
            if route.body is not None:
                made = self._blueprint.arguments(route.body, location=route.location)(made)
            if route.query is not None:
                made = self._blueprint.arguments(route.query, location="query")(made)
            for status in _name_errors(route, rule):
                made = self._blueprint.alt_response(status, schema=ProblemSchema, content_type=PROBLEM_JSON)(made)
            described = {"operationId": view.__name__, "security": _name_scopes(rule), **route.more}
            made = self._blueprint.doc(**described)(made)
            self._blueprint.route(route.path, methods=[route.method])(access(made))
            return view

        return declare


def _name_errors(route: Route, rule: AccessRule) -> list[int]:
    refused = () if rule.kind == "everybody" else (401, 403)
    unread = () if route.body is None else (400, 408, 413, 415) if route.location == "json" else (400, 408, 413)
    return sorted({*refused, *unread, *route.errors, 500})


def _name_scopes(rule: AccessRule) -> list[dict[str, list[str]]]:
    return [] if rule.kind == "everybody" else [{"bearer": list(rule.scopes)}]
