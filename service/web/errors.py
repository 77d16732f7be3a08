"""What a caller sees when something is refused or breaks: a problem for machines, a page for people."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from urllib.parse import quote

from flask import Flask, Response, jsonify, make_response, redirect, render_template, request, url_for
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from service.web.problems import KNOWN_ERRORS, Problem, describe_error, describe_status

_log = logging.getLogger(__name__)
_CSRF_SENTENCE = "The form was too old, or came from elsewhere."


def register_errors(app: Flask) -> None:
    """Answer every error of ours, of HTTP and of nobody."""
    for kind in KNOWN_ERRORS:
        app.register_error_handler(kind, _answer_known)
    app.register_error_handler(CSRFError, _answer_csrf)
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(Exception, _answer_unexpected)


def _answer_known(error: Exception) -> BaseResponse:
    problem = describe_error(error) or describe_status(500)
    if problem.status >= 500:
        _log.warning("%s: %s", request.endpoint, problem.code)
    if problem.status == 401 and not _is_for_machines():
        return _redirect_to_login()
    return answer_problem(problem)


def _answer_csrf(_error: CSRFError) -> BaseResponse:
    return answer_problem(describe_status(400, detail=_CSRF_SENTENCE))


def _answer_http(error: HTTPException) -> BaseResponse:
    if error.code is not None and error.code < 400:
        return error.get_response()  # a redirect of the router
    sent: Mapping[str, object] = getattr(error, "data", None) or {}
    mistakes = tuple(_name_mistakes(sent.get("messages")))
    retry_after = getattr(error, "retry_after", None)
    answer = answer_problem(
        describe_status(
            error.code or 500, mistakes=mistakes, retry_after=retry_after if isinstance(retry_after, int) else None
        )
    )
    if error.code == 405:
        answer.headers["Allow"] = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
    return answer


def _answer_unexpected(error: Exception) -> BaseResponse:
    # The class alone: the text of an unexpected error may quote a patient value.
    _log.error("unexpected %s in %s", type(error).__name__, request.endpoint, exc_info=_without_text(error))
    return answer_problem(describe_status(500))


def _without_text(error: Exception) -> Exception:
    bare = RuntimeError(type(error).__name__)
    return bare.with_traceback(error.__traceback__)


def answer_problem(problem: Problem) -> Response:
    """Answer a problem as application/problem+json under /api, else as a page."""
    if _is_for_machines():
        response = jsonify(problem.write_json(quote(request.path)))
        response.mimetype = "application/problem+json"
        if problem.status == 401:
            response.headers["WWW-Authenticate"] = "Bearer"
    else:
        response = make_response(render_template("error.html", problem=problem))
    response.status_code = problem.status
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(problem.retry_after)
    return response


def _redirect_to_login() -> BaseResponse:
    wanted = request.full_path.rstrip("?") if request.method == "GET" else None
    return redirect(url_for("pages.show_login", next=None if wanted == "/" else wanted), 303)


def _is_for_machines() -> bool:
    is_api = request.path.startswith("/api/") and request.path != "/api/docs"
    return is_api or request.path in ("/livez", "/readyz")


def _name_mistakes(messages: object, path: str = "") -> Iterable[str]:
    """Flatten what the schema found into sentences; field names and rules, never what was sent."""
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            is_location = not path and name in ("json", "form", "query", "headers", "files")
            yield from _name_mistakes(inner, path if is_location else f"{path}.{name}".lstrip("."))
    elif isinstance(messages, list):
        yield from (f"{path}: {text}".lstrip(": ") for text in messages if isinstance(text, str))
