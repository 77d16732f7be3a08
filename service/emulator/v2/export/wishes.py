"""What an export asks for in its query and headers (contract-v2 7.1)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from flask import request

from service.emulator.v2.answers import Kind, build_outcome, refuse
from service.emulator.v2.calls import Call
from service.emulator.v2.export.claims import TYPES

FORMATS = ("application/fhir+ndjson", "application/ndjson", "ndjson")
ASYNC = "respond-async"

_SINCE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?[+-]\d\d:\d\d", re.ASCII)


@dataclass(frozen=True, slots=True)
class Wish:
    """Resource types, and the instant after which they must have been updated."""

    types: tuple[str, ...]
    since: datetime | None


def read_wish(call: Call) -> Wish:
    """`_type`, then `_since`; of repeated parameters only the first counts. Refuses with 400."""
    return Wish(_read_types(), _read_since(call))


def _read_types() -> tuple[str, ...]:
    asked = request.args.get("_type")
    if not asked:
        return TYPES
    names = asked.split(",")
    if any(name not in TYPES for name in names):
        raise refuse(400, "Invalid resource type")
    return tuple(dict.fromkeys(names))


def _read_since(call: Call) -> datetime | None:
    """Only a numeric offset will do: `Z`, which transactionTime ends in, is refused (contract-v2 T4)."""
    asked = request.args.get("_since")
    if not asked:
        return None
    since = _find_instant(asked)
    if since is None:
        raise refuse(400, "Could not parse _since")
    if since > call.now:
        raise refuse(400, "_since cannot be a future date")
    return since


def _find_instant(text: str) -> datetime | None:
    if not _SINCE.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def list_complaints() -> list[dict[str, object]]:
    """The outcomes for `_outputFormat` and `Prefer`, which do not stop the export (contract-v2 T1)."""
    texts = [text for text in (_find_format_complaint(), _find_prefer_complaint()) if text]
    return [build_outcome(text, Kind.RULE) for text in texts]


def _find_format_complaint() -> str | None:
    asked = request.args.get("_outputFormat")
    if not asked or asked.lower() in FORMATS:
        return None
    return "'_outputFormat' query parameter must be 'application/fhir+ndjson', 'application/ndjson', or 'ndjson'"


def _find_prefer_complaint() -> str | None:
    prefer = request.headers.get("Prefer")
    if not prefer:
        return "The 'Prefer' header is required and must be 'respond-async'"
    return None if prefer == ASYNC else "The 'Prefer' header must be 'respond-async'"
