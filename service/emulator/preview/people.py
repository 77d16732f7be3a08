"""Patient and Practitioner: kept as they were sent, known by one identifier, read, searched, replaced, deleted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import uuid4

from flask import Response, request
from sqlalchemy import RowMapping, delete, insert, select, update

from service.emulator.answers import Refused, build_response, refuse
from service.emulator.clock import from_us
from service.emulator.preview.calls import Call, as_objects, build_bundle, read_body
from service.emulator.preview.tables import people

NPI_SYSTEM = "http://hl7.org/fhir/sid/us-npi"
SYSTEMS = {
    # The text asks for the MBI, its example sends the claims server's own number: both are taken.
    "Patient": ("http://hl7.org/fhir/sid/us-mbi", "http://bluebutton.cms.hhs.gov/identifier#bene_id"),
    "Practitioner": (NPI_SYSTEM,),
}


def create_person(call: Call, kind: str) -> Response:
    """201, or 200 with the stored record when the identifier is known here; the id sent is not kept."""
    body, identifier = _read_person(kind)
    stored = _find(call, kind, identifier)
    if stored is not None:
        return build_response(build_person(stored))
    row = {
        "id": str(uuid4()),
        "organization_id": call.organization_id,
        "kind": kind,
        "identifier": identifier,
        "updated_us": call.now_us,
        "body": body,
    }
    call.connection.execute(insert(people), row)
    call.mark_effect()
    return build_response(build_person(row), 201, headers={"Location": f"{call.base}/{kind}/{row['id']}"})


def search_people(call: Call, kind: str) -> Response:
    """All, or those with the `identifier`, which may be written `system|value`."""
    query = select(people).where(people.c.organization_id == call.organization_id, people.c.kind == kind)
    wanted = request.args.get("identifier")
    if wanted:
        query = query.where(people.c.identifier == wanted.rpartition("|")[2].upper())
    found = call.connection.execute(query.order_by(people.c.id)).mappings()
    return build_response(build_bundle([build_person(row) for row in found]))


def show_person(call: Call, kind: str, person_id: str) -> Response:
    """One of them."""
    return build_response(build_person(_load(call, kind, person_id)))


def update_person(call: Call, kind: str, person_id: str) -> Response:
    """200 with the new state; the identifier must stay what it was."""
    stored = _load(call, kind, person_id)
    body, identifier = _read_person(kind)
    if identifier != stored["identifier"]:
        raise refuse(422, f"The identifier of a {kind} cannot change")
    values = {"body": body, "updated_us": call.now_us}
    call.connection.execute(update(people).where(people.c.id == stored["id"]).values(values))
    call.mark_effect()
    return build_response(build_person(_load(call, kind, person_id)))


def delete_person(call: Call, kind: str, person_id: str) -> Response:
    """200 without a body; a patient leaves every Group."""
    stored = _load(call, kind, person_id)
    call.connection.execute(delete(people).where(people.c.id == stored["id"]))
    call.mark_effect()
    return build_response(None)


def build_person(row: RowMapping | dict[str, Any]) -> dict[str, Any]:
    """A stored record as answered, with the server's id and meta."""
    updated_at = from_us(row["updated_us"]).isoformat(timespec="microseconds")
    meta = {"versionId": str(row["updated_us"]), "lastUpdated": updated_at}
    return {**row["body"], "id": row["id"], "meta": meta}


def _find(call: Call, kind: str, identifier: str) -> RowMapping | None:
    query = select(people).where(
        people.c.organization_id == call.organization_id, people.c.kind == kind, people.c.identifier == identifier
    )
    return call.connection.execute(query).mappings().first()


def _load(call: Call, kind: str, person_id: str) -> RowMapping:
    query = select(people).where(
        people.c.organization_id == call.organization_id, people.c.kind == kind, people.c.id == person_id
    )
    row = call.connection.execute(query).mappings().first()
    if row is None:
        raise refuse(404, f"{kind} not found")
    return row


def _read_person(kind: str) -> tuple[dict[str, Any], str]:
    """The body and its identifier, upper case. Refuses with 422 what the documentation names as the minimum."""
    body = read_body(kind)
    values = [one.get("value") for one in as_objects(body.get("identifier")) if one.get("system") in SYSTEMS[kind]]
    if not values or not isinstance(values[0], str) or not values[0]:
        raise _refuse_minimum(kind, "identifier")
    if not any(_is_complete(name) for name in as_objects(body.get("name"))):
        raise _refuse_minimum(kind, "name")
    if kind == "Patient" and not _is_date(body.get("birthDate")):
        raise _refuse_minimum(kind, "birthDate")
    return dict(body), values[0].upper()


def _is_complete(name: Mapping[str, Any]) -> bool:
    return bool(name.get("family")) and bool(name.get("given"))


def _is_date(text: object) -> bool:
    try:
        date.fromisoformat(str(text))
    except ValueError:
        return False
    return True


def _refuse_minimum(kind: str, element: str) -> Refused:
    return refuse(422, f"{kind}.{element}: minimum required = 1, but only found 0")
