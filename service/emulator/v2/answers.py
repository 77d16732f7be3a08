"""The shapes of version 2's answers and refusals (contract-v2 2.1 to 2.3)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import Enum

import orjson
from flask import Response, request

from service.emulator.answers import Refused
from service.emulator.wire import ENTRY

FHIR = "application/fhir+json; charset=UTF-8"
JSON = "application/json; charset=UTF-8"
TEXT = "text/plain; charset=utf-8"

INTERNAL = "Internal Server Error"


class Kind(Enum):
    """Severity and the display text that stands where FHIR wants a code."""

    RULE = ("warning", "Business Rule Violation")
    MISSING = ("warning", "Not Found")
    FAULT = ("error", "Exception")


class Dropped(Exception):
    """The server crashes here: the connection is closed without an answer (contract-v2 T3)."""


def build_body(body: object) -> bytes:
    """A resource on the wire: keys come sorted (contract-v2 5.3)."""
    return orjson.dumps(body, option=orjson.OPT_SORT_KEYS)


def build_answer(
    body: bytes = b"", status: int = 200, content_type: str | None = FHIR, headers: Mapping[str, str] | None = None
) -> Response:
    """A response; without a content type it has none."""
    response = Response(body, status=status)
    del response.headers["Content-Type"]
    if content_type is not None:
        response.headers["Content-Type"] = content_type
    for name, value in (headers or {}).items():
        response.headers[name] = value
    return response


def build_outcome(text: str, kind: Kind) -> dict[str, object]:
    """One OperationOutcome with one issue; `diagnostics` is the request's id."""
    severity, code = kind.value
    issue = {"severity": severity, "code": code, "details": {"text": text}, "diagnostics": find_request_id()}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def find_request_id() -> str:
    """The caller's X-Request-Id, or one in the form that the server makes up (contract-v2 2.1)."""
    return request.headers.get("X-Request-Id") or f"emulator/v2-{request.environ[ENTRY]['n']:06d}"


def refuse(status: int, text: str, kind: Kind = Kind.RULE, content_type: str = FHIR) -> Refused:
    """A refusal with one OperationOutcome."""
    return Refused(status, build_body(build_outcome(text, kind)), content_type)


def refuse_internal(content_type: str = FHIR) -> Refused:
    """The 500 without a reason."""
    return refuse(500, INTERNAL, Kind.FAULT, content_type)


def format_fraction(at: datetime, zone: str, digits: int) -> str:
    """An instant as Go writes it: at most so many digits of a second, trailing zeros removed (contract-v2 5.4)."""
    fraction = f"{at.microsecond:06d}"[:digits].rstrip("0")
    return at.strftime("%Y-%m-%dT%H:%M:%S") + (f".{fraction}" if fraction else "") + zone


def build_meta(kind: str, resource_id: str, version: int, updated_at: datetime) -> dict[str, str]:
    """`meta` with its non-standard id (contract-v2 5.4)."""
    return {
        "id": f"{kind}/{resource_id}",
        "versionId": str(version),
        "lastUpdated": format_fraction(updated_at, "+00:00", 3),
    }
