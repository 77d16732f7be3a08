"""Faults on demand: which request is spoiled, how, and whether before or after its effect.

One fault is a JSON object; every key is optional:

    method       regular expression for the whole method, default any
    path         regular expression searched in the path, default any
    nth          fires from the nth matching call on (1 is the first)
    probability  fires for this share of matching calls, drawn from `seed`
    times        how often it fires: default once with `nth`, otherwise without end
    when         "before" (default): nothing was done; "after": the write is committed, then the answer is spoiled
    status, headers, body   the answer instead of the true one (body: text, or JSON value)
    latency      seconds of waiting at that point; alone, the true answer follows
    cut          true: the connection is closed without an answer
    truncate     true: the head and half of the body are sent, then the connection is closed
    preset       waf | waf-429 | timeout | expired-token: status, headers and body ready made
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

_HTML = {"Content-Type": "text/html"}
_FHIR = {"Content-Type": "application/fhir+json"}
_BLOCKED = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center></body></html>"
_EXPIRED = {
    "resourceType": "OperationOutcome",
    "issue": [
        {
            "severity": "error",
            "code": "exception",
            "details": {
                "coding": [
                    {"system": "http://hl7.org/fhir/operation-outcome", "code": "MSG_AUTH_REQUIRED"},
                ],
                "text": "HTTP 401 Unauthorized, Credentials are required to access this resource.",
            },
        }
    ],
}
_TIMEOUT = {
    "resourceType": "OperationOutcome",
    "id": "00000000000000ff",
    "issue": [
        {
            "severity": "error",
            "code": "exception",
            "diagnostics": "HAPI-1361: Failed to parse response from server when performing POST to URL "
            "http://backend.invalid/v1 - java.net.SocketTimeoutException: Read timed out",
        }
    ],
}
PRESETS: dict[str, dict[str, Any]] = {
    "waf": {"status": 403, "headers": _HTML, "body": _BLOCKED.format("403 Forbidden")},
    "waf-429": {"status": 429, "headers": _HTML, "body": _BLOCKED.format("429 Too Many Requests")},
    "timeout": {"status": 500, "headers": _FHIR, "body": _TIMEOUT},
    "expired-token": {"status": 401, "headers": _FHIR, "body": _EXPIRED},
}
_KEYS = {
    "method", "path", "nth", "probability", "seed", "times", "when", "status", "headers", "body", "latency",
    "cut", "truncate", "preset",
}  # fmt: skip
_EFFECTS = {"status", "body", "latency", "cut", "truncate", "preset"}


@dataclass
class Fault:
    """One rule for spoiling answers, with the count of its matching calls and firings so far."""

    method: re.Pattern[str]
    path: re.Pattern[str]
    name: str = "fault"
    nth: int = 1
    probability: float | None = None
    times: int | None = None
    when: str = "before"
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    latency: float = 0.0
    cut: bool = False
    truncate: bool = False
    dice: random.Random = field(default_factory=random.Random)
    seen: int = 0
    fired: int = 0

    def fires_for(self, method: str, path: str) -> bool:
        """Whether this call is spoiled; counts it."""
        if not (self.method.fullmatch(method) and self.path.search(path)):
            return False
        self.seen += 1
        if self.seen < self.nth or (self.times is not None and self.fired >= self.times):
            return False
        if self.probability is not None and self.dice.random() >= self.probability:
            return False
        self.fired += 1
        return True


def read_fault(wish: Mapping[str, Any]) -> Fault:
    """The fault a JSON object describes (see the module's text). Raises ValueError naming what is wrong."""
    unknown = set(wish) - _KEYS
    if unknown:
        raise ValueError(f"unknown keys: {', '.join(sorted(unknown))}")
    if not wish.keys() & _EFFECTS:
        raise ValueError(f"a fault needs one of: {', '.join(sorted(_EFFECTS))}")
    preset = wish.get("preset")
    if preset is not None and preset not in PRESETS:
        raise ValueError(f"preset is one of {', '.join(PRESETS)}")
    merged = {**PRESETS.get(str(preset), {}), **wish}
    if merged.get("when", "before") not in ("before", "after"):
        raise ValueError("when is before or after")
    body = merged.get("body", "")
    times = merged.get("times", 1 if "nth" in merged else None)
    probability = merged.get("probability")
    return Fault(
        method=_compile(merged.get("method", ".*")),
        path=_compile(merged.get("path", "")),
        name=str(preset or "fault"),
        nth=int(merged.get("nth", 1)),
        probability=None if probability is None else float(probability),
        times=None if times is None else int(times),
        when=merged.get("when", "before"),
        status=merged.get("status"),
        headers=dict(merged.get("headers", {})),
        body=body.encode() if isinstance(body, str) else orjson.dumps(body),
        latency=float(merged.get("latency", 0)),
        cut=bool(merged.get("cut", False)),
        truncate=bool(merged.get("truncate", False)),
        dice=random.Random(merged.get("seed", 0)),  # noqa: S311 - a reproducible draw, not a secret
    )


def _compile(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as wrong:
        raise ValueError(f"no regular expression: {wrong}") from wrong


def find_fault(faults: list[Fault], method: str, path: str) -> Fault | None:
    """The first fault that fires for this call; faults after it do not count the call."""
    return next((fault for fault in faults if fault.fires_for(method, path)), None)
