"""What Practitioner and Patient have in common: one stored name, and submission in bulk (contract-v1 7 and 8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from flask import Response
from sqlalchemy import RowMapping, Table, insert, select, text

from service.emulator.answers import build_response, refuse, refuse_duplicate, refuse_opaque
from service.emulator.clock import format_milliseconds
from service.emulator.v1.calls import Call
from service.emulator.v1.fhir.bodies import build_bundle, read_bundle, read_fhir_body
from service.emulator.v1.fhir.profiles import PROFILES
from service.emulator.v1.fhir.validation import as_object, as_objects, as_texts, find_uuid, has_html

Row = dict[str, Any]


def read_name(resource: Mapping[str, Any]) -> tuple[str, str]:
    """Given names joined with spaces and family of the first name; HTML is an opaque 400 (contract-v1 1.4)."""
    names = as_objects(resource.get("name"))
    name = names[0] if names else {}
    given = " ".join(as_texts(name.get("given")))
    family = "".join(as_texts(name.get("family"))[:1])
    if has_html(given) or has_html(family):
        raise refuse_opaque()
    return given, family


def build_person(kind: str, row: RowMapping | Row, system: str, value: str) -> dict[str, Any]:
    """The elements both resources share, as answered."""
    return {
        "resourceType": kind,
        "id": row["id"],
        "meta": {
            "lastUpdated": format_milliseconds(row["updated_us"]),
            "profile": [f"{PROFILES}dpc-profile-{kind.lower()}"],
        },
        "identifier": [{"system": system, "value": value}],
        "name": [{"family": row["family"], "given": [row["given"]]}],
    }


def check_entries(kind: str, check: Callable[[Mapping[str, Any]], list[str]]) -> list[Mapping[str, Any]]:
    """The resources of a $submit; 422 when there are none or one breaks the profile (contract-v1 7)."""
    entries = read_bundle(read_fhir_body("Parameters"), kind)
    if not entries:
        raise refuse(422, f"No {kind.lower()}s submitted")
    for entry in entries:
        messages = check(entry)
        if messages:
            raise refuse(422, ", ".join(messages))
    for entry in entries:
        if entry.get("id") and find_uuid(str(entry["id"])) is None:
            raise refuse(500, "Could not insert resource")
    return entries


def save_persons(call: Call, table: Table, column: str, rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """Insert the rows whose `column` is new to the organisation; answers those, and the stored others."""
    query = select(table).where(
        table.c.organization_id == call.organization_id,
        table.c[column].in_(text("(SELECT value FROM json_each(:wanted))")),
    )
    wanted = orjson.dumps([row[column] for row in rows]).decode()
    stored = [dict(row) for row in call.connection.execute(query, {"wanted": wanted}).mappings()]
    known = {row[column] for row in stored}
    fresh = [row for row in rows if row[column] not in known]
    if len({row[column] for row in fresh}) < len(fresh):
        raise refuse_duplicate(f"{table.name}_{column}_organization")
    if fresh:
        call.connection.execute(insert(table), fresh)
        call.mark_effect()
    return fresh, stored


def build_validation(body: Mapping[str, Any], check: Callable[[Mapping[str, Any]], list[str]]) -> Response:
    """$validate: always 200 with an OperationOutcome of HAPI's own kind (contract-v1 7)."""
    parameters = as_objects(body.get("parameter"))
    resource = as_object(parameters[0].get("resource")) if parameters else {}
    issues = [{"severity": "error", "code": "processing", "diagnostics": message} for message in check(resource)] or [
        {
            "severity": "information",
            "code": "informational",
            "diagnostics": "No issues detected during validation",
        }
    ]
    return build_response({"resourceType": "OperationOutcome", "issue": issues})


def build_collection(resources: list[dict[str, Any]]) -> Response:
    """The answer of a $submit: a collection without total."""
    return build_response(build_bundle("collection", resources))
