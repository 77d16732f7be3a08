"""Reading FHIR bodies and writing the bundles of answers (contract-v1 2.5, 7 and 8)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import orjson
from flask import request

from service.emulator.answers import Refused, refuse, refuse_by_container
from service.emulator.v1.fhir.lenient import read_leniently
from service.emulator.v1.fhir.validation import as_object, as_objects

RESOURCE_TYPES = {
    "Bundle", "CapabilityStatement", "Coverage", "Endpoint", "ExplanationOfBenefit", "Group", "OperationOutcome",
    "Organization", "Parameters", "Patient", "Practitioner", "PractitionerRole", "Provenance", "Observation",
    "StructureDefinition",
}  # fmt: skip
GENDERS = ("male", "female", "other", "unknown")
_DATE = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?")


def read_fhir_body(resource_type: str) -> dict[str, Any]:
    """The resource in the request's body. Refuses as HAPI's parser does (contract-v1 2.5)."""
    text = request.get_data().strip()
    if not text:
        raise refuse(400, "HAPI-1857: Did not find any content to parse")
    if text[:1] != b"{":
        first = text[:4].decode("utf-8", "replace")[:1]
        raise refuse(
            400,
            "HAPI-1859: Content does not appear to be FHIR JSON, first non-whitespace character was: "
            f"'{first}' (must be '{{')",
        )
    try:
        body = read_leniently(orjson.loads(text))
    except orjson.JSONDecodeError as broken:
        raise refuse(400, f"HAPI-1861: Failed to parse JSON encoded FHIR content: {broken.msg}") from broken
    _check_type(body, resource_type)
    check_primitives(body)
    return body


def _check_type(body: dict[str, Any], resource_type: str) -> None:
    found = body.get("resourceType")
    if not found:
        raise refuse(400, "HAPI-1838: Invalid JSON content detected, missing required element: 'resourceType'")
    if found not in RESOURCE_TYPES:
        raise refuse(
            400,
            f'HAPI-1684: Unknown resource name "{found}" (this name is not known in FHIR version "DSTU3")',
        )
    if found != resource_type:
        raise refuse_by_container(500, "Server Error")


def check_primitives(resource: Mapping[str, Any]) -> None:
    """Gender and birth date of persons, also inside Parameters and Bundles: 422 for a bad code or date."""
    kind = resource.get("resourceType")
    if kind in ("Patient", "Practitioner"):
        _check_gender(resource.get("gender"))
        _check_date(resource.get("birthDate"))
    for holder in (*as_objects(resource.get("parameter")), *as_objects(resource.get("entry"))):
        check_primitives(as_object(holder.get("resource")))


def _check_gender(gender: object) -> None:
    if gender is not None and gender not in GENDERS:
        raise _refuse_attribute("gender", gender, f"Unknown AdministrativeGender code '{gender}'")


def _check_date(text: object) -> None:
    if text is None:
        return
    try:
        complete_date(str(text))
    except ValueError:
        raise _refuse_attribute("birthDate", text, f'Invalid date/time format: "{text}"') from None


def _refuse_attribute(element: str, value: object, reason: str) -> Refused:
    return refuse(422, f'HAPI-1821: [element="{element}"] Invalid attribute value "{value}": {reason}')


def complete_date(text: str) -> str:
    """A FHIR date as stored: a partial one is the first day of its year or month. Raises ValueError."""
    if not _DATE.fullmatch(text):
        raise ValueError("not a FHIR date")
    return date.fromisoformat((text + "-01-01")[:10]).isoformat()


def read_bundle(body: Mapping[str, Any], resource_type: str) -> list[Mapping[str, Any]]:
    """The resources of one type in Parameters{Bundle}; others are ignored (contract-v1 7, $submit)."""
    parameters = as_objects(body.get("parameter"))
    bundle = as_object(parameters[0].get("resource")) if parameters else {}
    if bundle.get("resourceType") != "Bundle":
        raise refuse(500, None)
    resources = [as_object(entry.get("resource")) for entry in as_objects(bundle.get("entry"))]
    return [resource for resource in resources if resource.get("resourceType") == resource_type]


def build_bundle(
    kind: str,
    resources: Iterable[Any],
    *,
    total: int | None = None,
    links: Sequence[Mapping[str, str]] = (),
) -> dict[str, Any]:
    """A Bundle; empty elements are left out (contract-v1 1.1)."""
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": kind}
    if total is not None:
        bundle["total"] = total
    if links:
        bundle["link"] = list(links)
    entries = [{"resource": resource} for resource in resources]
    if entries:
        bundle["entry"] = entries
    return bundle
