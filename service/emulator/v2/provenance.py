"""The X-Provenance header in its R4 shape, checked in the server's order (contract-v2 6)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from flask import request

from service.emulator.answers import Refused
from service.emulator.v2.answers import refuse
from service.emulator.v2.calls import Call

NPI_SYSTEM = "http://hl7.org/fhir/sid/us-npi"
WINDOW = timedelta(hours=24)

_TREAT = ("http://hl7.org/fhir/v3/actreason", "treat")
_AGENT = ("http://hl7.org/fhir/v3/roleclass", "agnt")
_RECORDED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_WHO = re.compile(r"Organization/([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})")


class _Mismatch(ValueError):
    """An element has a JSON type that the R4 model does not take."""


def check_provenance(call: Call, *, with_practitioner: bool = False) -> None:
    """Refuses with 400; `$everything` also asks for the practitioner."""
    header = request.headers.get("X-Provenance")
    if not header:
        raise refuse(400, "Provenance header is required")
    try:
        tree = _Tree(_parse(header))
        _check_recorded(call, tree.text("recorded"))
        _check_reason(tree)
        agent = _load_agent(tree)
        if with_practitioner:
            _check_practitioner(agent)
        _check_who(call, agent)
    except _Mismatch:
        raise refuse(400, "Could not parse provenance header") from None


def _parse(header: str) -> dict[str, Any]:
    try:
        tree = orjson.loads(header.encode("latin-1"))
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        raise _Mismatch from None
    if not isinstance(tree, dict):
        raise _Mismatch
    _check_model(_Tree(tree))
    return tree


def _check_model(tree: _Tree) -> None:
    """Read everything once, so that a wrong type anywhere is a parsing error and not a later one."""
    tree.text("recorded")
    for concept in (*tree.children("reason"), *(r for a in tree.children("agent") for r in a.children("role"))):
        for coding in concept.children("coding"):
            coding.texts("system", "code")
    for agent in tree.children("agent"):
        agent.child("who").text("reference")
        behalf = agent.child("onBehalfOf")
        behalf.text("type")
        behalf.child("identifier").texts("system", "value")


class _Tree:
    """A JSON object read as the model reads it: unknown keys are ignored, wrong types are a mismatch."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._raw = raw

    def text(self, name: str) -> str:
        value = self._raw.get(name)
        if value is not None and not isinstance(value, str):
            raise _Mismatch
        return value or ""

    def texts(self, *names: str) -> tuple[str, ...]:
        return tuple(self.text(name) for name in names)

    def child(self, name: str) -> _Tree:
        value = self._raw.get(name)
        if value is not None and not isinstance(value, dict):
            raise _Mismatch
        return _Tree(value or {})

    def children(self, name: str) -> list[_Tree]:
        value = self._raw.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise _Mismatch
        return [_Tree(one) for one in value]


def _check_recorded(call: Call, text: str) -> None:
    at = _find_instant(text)
    if at is None:
        raise refuse(400, "Recorded timestamp invalid")
    if at > call.now or call.now - at > WINDOW:
        raise refuse(400, "Recorded timestamp invalid because it's outside the 24 hr window")


def _find_instant(text: str) -> datetime | None:
    if not _RECORDED.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _is_single(concepts: list[_Tree], wanted: tuple[str, str]) -> bool:
    codings = concepts[0].children("coding") if len(concepts) == 1 else []
    return len(codings) == 1 and tuple(map(str.lower, codings[0].texts("system", "code"))) == wanted


def _check_reason(tree: _Tree) -> None:
    if not _is_single(tree.children("reason"), _TREAT):
        raise refuse(400, "Invalid reason")


def _load_agent(tree: _Tree) -> _Tree:
    agents = tree.children("agent")
    if len(agents) != 1 or not _is_single(agents[0].children("role"), _AGENT):
        raise refuse(400, "Invalid role")
    return agents[0]


def _check_practitioner(agent: _Tree) -> None:
    behalf = agent.child("onBehalfOf")
    identifier = behalf.child("identifier")
    is_named = identifier.text("system") == NPI_SYSTEM and identifier.text("value").strip()
    if behalf.text("type") != "Practitioner" or not is_named:
        raise refuse(400, "Invalid practitioner")


def _check_who(call: Call, agent: _Tree) -> None:
    found = _WHO.search(agent.child("who").text("reference"))
    if not found:
        raise refuse(400, "Invalid who reference")
    if found[1].lower() != call.organization_id:
        raise _refuse_organization()


def _refuse_organization() -> Refused:
    return refuse(400, "Org in Provenance not valid")
