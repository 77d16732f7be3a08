"""What of a posted Group is read and kept, and what is refused (contract-v2 5.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import orjson

from service.emulator.answers import Refused
from service.emulator.v2.answers import Dropped, refuse, refuse_internal

TYPES = ("person", "animal", "practitioner", "device", "medication", "substance")
ACCEPTED = ("Group", "Organization")  # the second by mistake, and stored as a group

Value = TypeVar("Value")


def read_group(raw: bytes) -> dict[str, Any]:
    """The elements that are stored. Refuses with 500 what the whitelist stops, then with 400 what breaks a rule."""
    tree = _parse(raw)
    if tree["resourceType"] not in ACCEPTED:  # right but for its case: the FHIR validator's business
        raise _refuse_rule()
    kept: dict[str, Any] = {
        "type": _find(tree, "type", str) or "person",
        "actual": bool(_find(tree, "actual", bool)),
    }
    name = _find(tree, "name", str)
    if name is not None:
        kept["name"] = name
    members = [_read_member(member) for member in _list(tree, "member")]
    if members:
        kept["member"] = members
    return kept


def _parse(raw: bytes) -> dict[str, Any]:
    try:
        tree = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise refuse_internal() from None
    kind = tree.get("resourceType") if isinstance(tree, dict) else None
    if not isinstance(kind, str) or kind.lower() not in [one.lower() for one in ACCEPTED]:
        raise refuse_internal()
    _check_types(tree)
    checked: dict[str, Any] = tree
    return checked


def _check_types(tree: Mapping[str, Any]) -> None:
    """Every element that is read must have its JSON type, wherever it stands: else 500 before any rule."""
    if _find(tree, "type", str) not in (None, *TYPES):
        raise refuse_internal()
    _find(tree, "actual", bool)
    _find(tree, "name", str)
    for member in _list(tree, "member"):
        entity = _find(member, "entity", dict) or {}
        _check_reference(entity)
        for extension in _list(member, "extension"):
            reference = _find(extension, "valueReference", dict) or {}
            _find(extension, "url", str)
            _check_reference(reference)


def _check_reference(reference: Mapping[str, Any]) -> None:
    _find(reference, "type", str)
    _read_identifier(reference)


def _find(tree: Mapping[str, Any], name: str, kind: type[Value]) -> Value | None:
    value = tree.get(name)
    if value is not None and not isinstance(value, kind):
        raise refuse_internal()
    return value


def _list(tree: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    items: list[Any] = _find(tree, name, list) or []
    if not all(isinstance(item, dict) for item in items):
        raise refuse_internal()
    return items


def _read_identifier(tree: Mapping[str, Any]) -> dict[str, str] | None:
    identifier = _find(tree, "identifier", dict)
    if identifier is None:
        return None
    found = {name: _find(identifier, name, str) for name in ("system", "value")}
    return {name: value for name, value in found.items() if value is not None}


def _refuse_rule() -> Refused:
    return refuse(400, "Not a valid group")


def _read_member(member: Mapping[str, Any]) -> dict[str, Any]:
    """Entity and attributed practitioner; `inactive`, `period` and everything else is dropped."""
    entity = member.get("entity") or {}
    identifier = _read_identifier(entity)
    if identifier is None:
        raise _refuse_rule()
    if entity.get("type") is None:
        raise Dropped
    if entity["type"] != "Patient":
        raise _refuse_rule()
    return {"entity": {"type": "Patient", "identifier": identifier}, "extension": [_read_extension(member)]}


def _read_extension(member: Mapping[str, Any]) -> dict[str, Any]:
    """The first extension that refers to a Practitioner; its url is not checked."""
    for extension in member.get("extension") or []:
        reference = extension.get("valueReference") or {}
        if reference.get("type") == "Practitioner":
            identifier = _read_identifier(reference)
            if identifier is None:
                raise _refuse_rule()
            kept = {"valueReference": {"type": "Practitioner", "identifier": identifier}}
            return {"url": extension["url"], **kept} if extension.get("url") else kept
    raise _refuse_rule()
