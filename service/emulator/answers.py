"""The shapes of DPC's answers and refusals (contract-v1 2.2, 2.3 and 3.2)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from flask import Response

FHIR = "application/fhir+json"
JSON = "application/json"


class Refused(Exception):
    """An answer that ends the request and rolls its transaction back."""

    def __init__(self, status: int, body: object, content_type: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.content_type = content_type
        self.headers = dict(headers or {})

    def to_response(self) -> Response:
        """The refusal on the wire."""
        return build_response(self.body, self.status, self.content_type, self.headers)


def build_response(
    body: object, status: int = 200, content_type: str = FHIR, headers: Mapping[str, str] | None = None
) -> Response:
    """A response whose body is bytes, text, None (empty) or anything orjson writes."""
    if body is None:
        raw = b""
    elif isinstance(body, bytes):
        raw = body
    else:
        raw = body.encode() if isinstance(body, str) else orjson.dumps(body)
    response = Response(raw, status=status)
    response.headers["Content-Type"] = content_type
    for name, value in (headers or {}).items():
        response.headers[name] = value
    return response


def build_id() -> str:
    """Sixteen hex digits, as error ids have."""
    return secrets.token_hex(8)


def build_outcome(issues: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """An OperationOutcome with a fresh id."""
    return {"resourceType": "OperationOutcome", "id": build_id(), "issue": list(issues)}


def refuse(status: int, text: str | None) -> Refused:
    """Shape (a): fatal, no code; `None` leaves the text out, as a null pointer does."""
    issue: dict[str, Any] = {"severity": "fatal"}
    if text is not None:
        issue["details"] = {"text": text}
    return Refused(status, build_outcome([issue]), FHIR)


def refuse_invalid(status: int, texts: Sequence[str]) -> Refused:
    """Shape (b): one issue per violated constraint."""
    issues = [{"severity": "error", "code": "invalid", "details": {"text": text}} for text in texts]
    return Refused(status, build_outcome(issues), FHIR)


def refuse_opaque() -> Refused:
    """Shape (d): what bean validation in the backend looks like from outside (contract-v1 2.4 b)."""
    issue = {"severity": "error", "code": "exception", "diagnostics": "HTTP 400 Bad Request"}
    return Refused(400, build_outcome([issue]), FHIR)


def refuse_limit() -> Refused:
    """Shape (f): the limit on practitioners."""
    issue = {"severity": "error", "code": "business-rule", "diagnostics": "Provider limit reached"}
    return Refused(422, build_outcome([issue]), FHIR)


def refuse_duplicate(constraint: str) -> Refused:
    """A unique constraint's text with its SQL (contract-v1 2.4 c)."""
    return refuse(400, f'ERROR: duplicate key value violates unique constraint "{constraint}" [values (?,?,?,?)]')


def refuse_missing_credentials() -> Refused:
    """No usable credentials were sent (contract-v1 3.2, first row)."""
    return Refused(
        401,
        "Credentials are required to access this resource.",
        "text/plain",
        {"WWW-Authenticate": 'Bearer realm="realm"'},
    )


def refuse_credentials() -> Refused:
    """Credentials were sent and are no good: the same outcome whatever the cause (contract-v1 3.2)."""
    details = {
        "coding": [{"system": "http://hl7.org/fhir/operation-outcome", "code": "MSG_AUTH_REQUIRED"}],
        "text": "HTTP 401 Unauthorized, Credentials are required to access this resource.",
    }
    issue = {"severity": "error", "code": "exception", "details": details}
    return Refused(401, {"resourceType": "OperationOutcome", "issue": [issue]}, FHIR)


def refuse_json(status: int, message: str | None = None, headers: Mapping[str, str] | None = None) -> Refused:
    """A web-application exception on a plain JSON endpoint; without a message, the status line's."""
    text = message if message is not None else f"HTTP {status} {HTTPStatus(status).phrase}"
    return Refused(status, {"code": status, "message": text}, JSON, headers)


def refuse_fields(status: int, errors: Sequence[str]) -> Refused:
    """Parameter validation on a plain JSON endpoint."""
    return Refused(status, {"id": build_id(), "errors": list(errors)}, JSON)


def refuse_unexpected() -> Refused:
    """Anything unforeseen on a plain JSON endpoint."""
    text = f"There was an error processing your request. It has been logged (ID {build_id()})."
    return Refused(500, {"code": 500, "message": text}, JSON)


def refuse_by_container(status: int, reason: str) -> Refused:
    """The servlet container's own page: no JSON, no OperationOutcome."""
    page = f"<h1>Bad Message {status}</h1><pre>reason: {reason}</pre>"
    return Refused(status, page, "text/html;charset=iso-8859-1")
