"""What a lenient FHIR parser keeps of a JSON object: elements of the wrong JSON type vanish (contract-v1 2.5)."""

from __future__ import annotations

from typing import Any

from service.emulator.answers import refuse

DEEPEST = 100
SCALARS = frozenset(
    (
        "resourceType", "id", "reference", "system", "value", "family", "gender", "birthDate", "recorded", "use",
        "city", "state", "postalCode", "country", "text", "url",
    )
)  # fmt: skip


def read_leniently(resource: dict[str, Any]) -> dict[str, Any]:
    """The object without nulls and without what has another type than its element; 400 when nested too deeply."""
    return _read_object(resource, 0)


def _read_object(value: dict[str, Any], depth: int) -> dict[str, Any]:
    if depth > DEEPEST:
        raise refuse(400, "HAPI-1861: Failed to parse JSON encoded FHIR content: nested too deeply")
    read = ((name, _read_element(name, one, depth)) for name, one in value.items())
    return {name: one for name, one in read if one is not None}


def _read_element(name: str, value: Any, depth: int) -> Any:
    """A scalar as text, whatever JSON wrote it as; objects and lists as they are, read in turn."""
    if name in SCALARS:
        return None if isinstance(value, (dict, list)) else _read_scalar(value)
    if isinstance(value, dict):
        return _read_object(value, depth + 1)
    if isinstance(value, list):
        return [_read_object(one, depth + 1) if isinstance(one, dict) else one for one in value if one is not None]
    return value


def _read_scalar(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)
