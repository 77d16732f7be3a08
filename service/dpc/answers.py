"""Answers of DPC: finding the text in their several shapes, and telling a definite no from an open question."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from schemas.fhir import stu3
from service.dpc.errors import (
    DpcError,
    DpcProtocolError,
    DpcRefused,
    DpcUnavailable,
    EdgeRefused,
    GroupExists,
    NotAttributed,
    NotAuthorized,
    NotFoundAtDpc,
    OutcomeUnknown,
    RosterLimitReached,
    UnknownPatients,
)

# Statuses that say the request was not applied; every other status without success leaves a write open.
NOT_APPLIED = frozenset({400, 401, 403, 404, 405, 406, 413, 415, 422, 429, 431})

# Text of DPC (contract-v1 2, 4.8, 9) -> class and kind. The first that occurs in the text decides.
_TEXTS: tuple[tuple[str, type[DpcRefused], str], ...] = (
    ("Roster limit reached", RosterLimitReached, "roster_limit"),
    ("Could not create a roster for this provider as they already have one", GroupExists, "group_exists"),
    ("All patients in group must exist", UnknownPatients, "unknown_patients"),
    ("Cannot find attribution relationship", NotAttributed, "not_attributed"),
    ("Unable to find attributable provider", NotFoundAtDpc, "practitioner_unknown"),
    ("Could not find provider defined in provenance header", DpcRefused, "practitioner_unknown"),
    ("Provenance header's provider does not match group provider", DpcRefused, "npi_mismatch"),
    ("Must have X-Provenance header", DpcRefused, "provenance"),
    ("Cannot parse FHIR `Provenance` resource", DpcRefused, "provenance"),
    ("Provider limit reached", DpcRefused, "practitioner_limit"),
    ("duplicate key value violates unique constraint", DpcRefused, "duplicate"),
    ("Cannot contain HTML", DpcRefused, "html"),
    ("ProfileValidator", DpcRefused, "profile"),
    ("Invalid attribute value", DpcRefused, "profile"),
    ("Invalid Patient resource", DpcRefused, "profile"),
    ("must specify valid FHIR content type", DpcRefused, "media_type"),
    ("HTTP 400 Bad Request", DpcRefused, "opaque"),
)
_BY_STATUS: dict[int, tuple[type[DpcRefused], str]] = {
    401: (NotAuthorized, "not_authorized"),
    404: (NotFoundAtDpc, "not_found"),
    415: (DpcRefused, "media_type"),
    431: (DpcRefused, "headers_too_large"),
}
_COUNT = re.compile(r"Cannot find (\d+) patient")


class Unreadable(ValueError):
    """An answer is not what was asked for; the message is ours and quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, read to its end; header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300


def read_json(answer: Answer) -> dict[str, Any]:
    """Answers the JSON object of the body.

    Raises Unreadable when it is anything else.
    """
    try:
        tree = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        raise Unreadable("the body is not JSON") from None
    if not isinstance(tree, dict):
        raise Unreadable("the body is not a JSON object")
    return tree


def find_problem_text(answer: Answer) -> str | None:
    """Answers DPC's own text, "" when its shape holds none, or None when the body has none of DPC's shapes.

    Shapes: OperationOutcome with details.text, diagnostics or details.coding[].code; {code, message};
    {id, errors: [...]}; the bare words of a missing credential (contract-v1 2.2, 2.3, 3.2).
    """
    try:
        tree = read_json(answer)
    except Unreadable:
        words = answer.body[:200].decode("utf-8", "replace").strip()
        return words if words.startswith("Credentials are required") else None
    if tree.get("resourceType") == "OperationOutcome":
        return _read_outcome(tree)
    if "code" in tree and isinstance(tree.get("message"), str):  # gateways in front say {"message": ...} alone
        return str(tree["message"])
    if isinstance(tree.get("errors"), list):
        return "; ".join(str(text) for text in tree["errors"])
    return None


def _read_outcome(tree: Mapping[str, Any]) -> str:
    try:
        issues = stu3.read_operation_outcome(tree)["issue"]
    except ValueError:
        return ""
    return "; ".join(text for text in map(_read_issue, issues) if text)


def _read_issue(issue: Mapping[str, Any]) -> str:
    details = issue.get("details") or {}
    codes = [coding.get("code") for coding in details.get("coding") or ()]
    candidates = [details.get("text"), issue.get("diagnostics"), *codes]
    return next((text for text in candidates if text and text.strip()), "")


def build_refusal(answer: Answer) -> DpcRefused:
    """Answers the refusal that an answer with a definite no means; by DPC's text first, then by status.

    403 means "the Group exists" or the edge, never a lack of rights, so its text decides (contract-v1 14 no. 9).
    """
    text = find_problem_text(answer)
    if answer.status == 429 or (text is None and answer.status not in (401, 431)):
        return EdgeRefused(
            "Something in front of DPC refused the request.",
            status=answer.status,
            retry_after=read_retry_after(answer.headers),
        )
    refused, kind = _find_class(answer.status, text or "")
    message = "DPC refused the request."
    if refused is UnknownPatients:
        counted = _COUNT.search(text or "")
        count = int(counted.group(1)) if counted else 0
        return UnknownPatients(message, status=answer.status, text=text or "", count=count)
    return refused(message, status=answer.status, text=text or "", kind=kind)


def _find_class(status: int, text: str) -> tuple[type[DpcRefused], str]:
    for words, refused, kind in _TEXTS:
        if words in text:
            return refused, kind
    return _BY_STATUS.get(status, (DpcRefused, "refused"))


def build_failure(answer: Answer, *, is_write: bool) -> DpcError:
    """Answers what an answer without success means; a write is only "not applied" by a status that says so."""
    if answer.status in NOT_APPLIED:
        return build_refusal(answer)
    text = find_problem_text(answer) or ""
    if is_write:
        return OutcomeUnknown("DPC did not say what became of the write.", status=answer.status, text=text)
    if answer.status >= 500:
        return DpcUnavailable("DPC did not answer the read.", status=answer.status, text=text)
    if answer.status < 400:
        return DpcProtocolError("DPC sent a redirection, which is never followed.", status=answer.status)
    return DpcRefused("DPC refused the request.", status=answer.status, text=text)


def read_retry_after(headers: Mapping[str, str]) -> float | None:
    """Answers the seconds of `Retry-After`, from either of its forms, or None."""
    value = headers.get("retry-after", "").strip()
    if value.isdigit():
        return float(value)
    until = read_http_date(value)
    if until is None:
        return None
    sent = read_http_date(headers.get("date", "")) or datetime.now(UTC)
    return max(0.0, (until - sent).total_seconds())


def read_http_date(value: str) -> datetime | None:
    """Answers an HTTP date as an aware UTC datetime, or None when it is none."""
    try:
        parsed = parsedate_to_datetime(value)
    except (TypeError, ValueError, IndexError):
        return None
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
