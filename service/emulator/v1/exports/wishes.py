"""What an export asks for in its query and headers, checked in DPC's order and words (contract-v1 10.1)."""

from __future__ import annotations

import re
from datetime import datetime

from flask import request

from service.emulator.answers import refuse
from service.emulator.v1.calls import Call, find_argument
from service.emulator.v1.exports.claims import KINDS

FORMATS = ("application/fhir+ndjson", "application/ndjson", "ndjson")
ASYNC = "respond-async"
SINCE = "_since"

# Java reads an OffsetDateTime piece by piece and names the index at which the first piece does not fit.
_PIECES = [
    re.compile(piece)
    for piece in (
        r"[0-9]{4}", "-", r"(0[1-9]|1[0-2])", "-", r"(0[1-9]|[12][0-9]|3[01])", "T", r"([01][0-9]|2[0-3])", ":",
        r"[0-5][0-9]", r"(:[0-5][0-9](\.[0-9]{0,9})?)?", r"(Z|[+-](0[0-9]|1[0-8]):[0-5][0-9](:[0-5][0-9])?)", r"\Z",
    )
]  # fmt: skip


def check_html() -> None:
    """HTML in any of the parameters is refused before the resource looks at them (contract-v1 1.2)."""
    for name in ("_type", "_outputFormat", SINCE):
        find_argument(name)


def check_output_format(default: str | None) -> None:
    """400 for another format; without a default the parameter must be there."""
    asked = request.args.get("_outputFormat", default)
    if asked is None or asked.lower() not in FORMATS:
        raise refuse(
            400,
            "'_outputFormat' query parameter must be 'application/fhir+ndjson', 'application/ndjson', or 'ndjson' ",
        )


def check_prefer() -> None:
    """400 unless the header is exactly `respond-async`."""
    if request.headers.get("Prefer") != ASYNC:
        raise refuse(400, "The 'Prefer' header must be 'respond-async'")


def read_kinds() -> tuple[str, ...]:
    """The resource types of `_type`, all without it; 400 for an unknown one."""
    asked = request.args.get("_type")
    if not asked:
        return KINDS
    known = {kind.lower(): kind for kind in KINDS}
    for name in asked.split(","):
        if name.strip().lower() not in known:
            raise refuse(400, f"Unsupported resource name in the '_type' query parameter: {name}")
    return tuple(dict.fromkeys(known[name.strip().lower()] for name in asked.split(",")))


def read_since(call: Call) -> datetime | None:
    """The instant of `_since`; 400 when it cannot be read or lies in the future."""
    asked = request.args.get(SINCE)
    if not asked:
        return None
    since = _read_instant(asked)
    if since is None:
        raise refuse(400, f"_since parameter `{asked}` could not be parsed at index {find_break(asked)}")
    if since > call.now:
        raise refuse(400, "'_since' query parameter cannot be a future date")
    return since


def _read_instant(text: str) -> datetime | None:
    if find_break(text) is not None:
        return None
    try:
        return datetime.fromisoformat(re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", text).replace(".Z", "Z").replace(".+", "+"))
    except ValueError:
        return None


def find_break(text: str) -> int | None:
    """The index at which an ISO instant with offset breaks off; None when it has the right form."""
    position = 0
    for piece in _PIECES:
        found = piece.match(text, position)
        if found is None:
            return position
        position = found.end()
    return None
