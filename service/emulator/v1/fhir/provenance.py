"""The X-Provenance header: reading, profile, and the practitioner it speaks for (contract-v1 9.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from flask import request
from sqlalchemy import select

from service.emulator.answers import refuse
from service.emulator.tables import practitioners
from service.emulator.v1.calls import Call
from service.emulator.v1.fhir.lenient import read_leniently
from service.emulator.v1.fhir.profiles import ROLE_CLASS, has_coding
from service.emulator.v1.fhir.validation import as_object, as_objects, find_uuid

_REFERENCE = re.compile(r"(?:[A-Za-z]+/)?([^/]+)")
_UNREADABLE = "Cannot parse FHIR `Provenance` resource"


def read_provenance() -> dict[str, Any]:
    """The Provenance of the header; 400 when it is missing or unreadable."""
    header = request.headers.get("X-Provenance")
    if header is None:
        raise refuse(400, "Must have X-Provenance header")
    try:
        resource = orjson.loads(header)
    except orjson.JSONDecodeError as broken:
        raise refuse(400, _UNREADABLE) from broken
    if not isinstance(resource, dict) or resource.get("resourceType") != "Provenance":
        raise refuse(400, _UNREADABLE)
    resource = read_leniently(resource)
    _check_recorded(resource.get("recorded"))
    return resource


def _check_recorded(recorded: object) -> None:
    if recorded is None:
        return
    try:
        datetime.fromisoformat(str(recorded))
    except ValueError:
        raise refuse(400, _UNREADABLE) from None


def load_attested_npi(call: Call, provenance: Mapping[str, Any]) -> str:
    """The NPI of the practitioner on whose behalf the agent speaks, of whatever organisation.

    Refuses with 422 when there is no such practitioner, 500 when the reference cannot be read.
    """
    reference = as_object(_find_performer(provenance).get("onBehalfOfReference")).get("reference")
    found = _REFERENCE.fullmatch(str(reference or ""))
    practitioner_id = find_uuid(found[1]) if found else None
    if practitioner_id is None:
        raise refuse(500, f"Invalid UUID string: {reference}")
    query = select(practitioners.c.npi).where(practitioners.c.id == practitioner_id)
    npi: str | None = call.connection.execute(query).scalar()
    if npi is None:
        raise refuse(422, "Could not find provider defined in provenance header")
    return npi


def _find_performer(provenance: Mapping[str, Any]) -> Mapping[str, Any]:
    for agent in as_objects(provenance.get("agent")):
        roles = as_objects(agent.get("role"))
        codings = as_objects(roles[0].get("coding")) if roles else []
        code = codings[0].get("code") if codings else None
        if code is None:  # the server trips over an agent without a role code (contract-v1 9.1)
            raise refuse(500, 'Cannot invoke "String.equals(Object)" because the return value is null')
        if any(has_coding(role, ROLE_CLASS, "AGNT") for role in roles):
            return agent
    raise AssertionError("the profile asks for one such agent")
