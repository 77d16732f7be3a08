"""Patient: create, search with paging, read, update, delete and $submit (contract-v1 8)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from flask import Blueprint, Response, request
from sqlalchemy import RowMapping, Select, delete, func, insert, select, update

from service.emulator.answers import build_response, refuse
from service.emulator.tables import patients
from service.emulator.v1.calls import Call, build_location, fhir_route, find_argument
from service.emulator.v1.fhir.bodies import build_bundle, complete_date, read_fhir_body
from service.emulator.v1.fhir.profiles import build_refusal, check_patient, find_identifiers
from service.emulator.v1.fhir.validation import MBI_SYSTEM, as_object, as_objects, is_mbi
from service.emulator.v1.persons import (
    Row,
    build_collection,
    build_person,
    build_validation,
    check_entries,
    read_name,
    save_persons,
)
from service.emulator.wire import format_date

CURRENCY = "https://bluebutton.cms.gov/resources/codesystem/identifier-currency"

MOST = 2**31 - 1  # what Java's int holds
_WHOLE = re.compile(r"[+-]?[0-9]{1,10}")

blueprint = Blueprint("patients", __name__)


def build_patient(row: RowMapping | Row) -> dict[str, Any]:
    """A stored patient as answered."""
    return {
        **build_person("Patient", row, MBI_SYSTEM, row["mbi"]),
        "gender": row["gender"],
        "birthDate": row["birth_on"],
        "managingOrganization": {"reference": f"Organization/{row['organization_id']}"},
    }


def _read_mbi(resource: Mapping[str, Any]) -> str:
    """The one MBI, or the current one of several (contract-v1 8). Refuses what trips the server with 500."""
    if any(not one.get("system") for one in as_objects(resource.get("identifier"))):
        raise refuse(500, 'Cannot invoke "String.equals(Object)" because the return value is null')
    found = find_identifiers(resource, MBI_SYSTEM)
    if len(found) > 1:
        found = [one for one in found if _is_current(one)]
    if not found:
        raise refuse(500, f"Cannot find an MBI with identifier currency for patient: {resource.get('id')}")
    return str(found[0].get("value"))


def _is_current(identifier: Mapping[str, Any]) -> bool:
    return any(
        extension.get("url") == CURRENCY and as_object(extension.get("valueCoding")).get("code") == "current"
        for extension in as_objects(identifier.get("extension"))
    )


def _build_row(call: Call, resource: Mapping[str, Any], mbi: str) -> Row:
    given, family = read_name(resource)
    return {
        "id": str(uuid4()),
        "organization_id": call.organization_id,
        "mbi": mbi.upper(),
        "given": given,
        "family": family,
        "gender": resource["gender"],
        "birth_on": complete_date(resource["birthDate"]),
        "updated_us": call.now_us,
    }


def _read_valid_patient() -> tuple[dict[str, Any], str]:
    """Body and MBI of a POST or PUT; 422 for profile or MBI format."""
    resource = read_fhir_body("Patient")
    messages = check_patient(resource)
    if messages:
        raise build_refusal(messages)
    mbi = _read_mbi(resource)
    if not is_mbi(mbi):
        raise refuse(422, "Invalid Patient resource")
    return resource, mbi


@fhir_route(blueprint, "POST", "/Patient")
def create_patient(call: Call) -> Response:
    """201, or 200 with the stored record when the MBI is known here."""
    resource, mbi = _read_valid_patient()
    call.note_patients(1)
    query = select(patients).where(patients.c.organization_id == call.organization_id, patients.c.mbi == mbi.upper())
    stored = call.connection.execute(query).mappings().first()
    if stored is not None:
        return build_response(build_patient(stored))
    row = _build_row(call, resource, mbi)
    call.connection.execute(insert(patients), row)
    call.mark_effect()
    headers = {"Location": build_location("Patient", row["id"]), "Last-Modified": format_date(call.now)}
    return build_response(build_patient(row), 201, headers=headers)


def _read_page_argument(name: str) -> int | None:
    text = request.args.get(name)
    if text is None or text == "":
        return None
    if not _WHOLE.fullmatch(text) or abs(int(text)) > MOST:
        raise refuse(404, "HTTP 404 Not Found")
    number = int(text)
    if number < 0:
        raise refuse(400, f"Parameter {name} must be >= 0")
    return number


def _build_search(call: Call, identifier: str | None) -> Select[Any]:
    query = select(patients).where(patients.c.organization_id == call.organization_id).order_by(patients.c.id)
    if not identifier:
        return query
    system, separator, value = identifier.rpartition("|")
    if separator and system != MBI_SYSTEM:
        raise refuse(400, "Must have MBI identifier")
    return query.where(patients.c.mbi == value.upper())


@fhir_route(blueprint, "GET", "/Patient")
def search_patients(call: Call) -> Response:
    """All in one Bundle with total; or, with `_count`, a page with links and no total."""
    count, offset = _read_page_argument("_count"), _read_page_argument("_offset") or 0
    query = _build_search(call, find_argument("identifier"))
    if count is None:
        found = [build_patient(row) for row in call.connection.execute(query).mappings()]
        return build_response(build_bundle("searchset", found, total=len(found)))
    if count == 0:
        total = call.connection.execute(select(func.count()).select_from(query.subquery())).scalar()
        return build_response(build_bundle("searchset", [], total=total or 0))
    rows = call.connection.execute(query.limit(count + 1).offset(offset)).mappings().all()
    links = _build_links(f"{call.base}/Patient", count, offset, len(rows))
    return build_response(build_bundle("searchset", map(build_patient, rows[:count]), links=links))


def _build_links(url: str, count: int, offset: int, found: int) -> list[dict[str, str]]:
    """`found` is at most one more than the page holds; the identifier filter is dropped (contract-v1 8)."""
    offsets = {"self": offset, "first": 0}
    if offset >= count and found:
        offsets["previous"] = offset - count
    if found > count:
        offsets["next"] = offset + count
    return [{"relation": name, "url": f"{url}?_count={count}&_offset={at}"} for name, at in offsets.items()]


def _load(call: Call, patient_id: str) -> RowMapping:
    return call.connection.execute(select(patients).where(patients.c.id == patient_id)).mappings().one()


@fhir_route(blueprint, "GET", "/Patient/<resource_id>", owned="Patient")
def show_patient(call: Call, resource_id: str) -> Response:
    """One patient."""
    row = _load(call, resource_id)
    return build_response(build_patient(row))


@fhir_route(blueprint, "PUT", "/Patient/<resource_id>", owned="Patient")
def update_patient(call: Call, resource_id: str) -> Response:
    """Names, birth date and gender change; another MBI is silently ignored."""
    resource, mbi = _read_valid_patient()
    call.note_patients(1)
    row = _build_row(call, resource, mbi)
    changed = {name: row[name] for name in ("given", "family", "gender", "birth_on", "updated_us")}
    call.connection.execute(update(patients).where(patients.c.id == resource_id).values(changed))
    call.mark_effect()
    return build_response(build_patient(_load(call, resource_id)))


@fhir_route(blueprint, "DELETE", "/Patient/<resource_id>", owned="Patient")
def delete_patient(call: Call, resource_id: str) -> Response:
    """200 without a body; the patient leaves every Group."""
    call.connection.execute(delete(patients).where(patients.c.id == resource_id))
    call.mark_effect()
    return build_response(None)


def _check_submitted(resource: Mapping[str, Any]) -> list[str]:
    """The profile without its maximum of one MBI, which $submit lets pass (contract-v1 8)."""
    return [message for message in check_patient(resource) if "Patient.identifier: max allowed" not in message]


@fhir_route(blueprint, "POST", "/Patient/$submit")
def submit_patients(call: Call) -> Response:
    """A collection: newly inserted ones first, then those already stored."""
    entries = check_entries("Patient", _check_submitted)
    call.note_patients(len(entries))
    rows = []
    for entry in entries:
        mbi = _read_mbi(entry)
        if not is_mbi(mbi):
            raise refuse(500, f"MBI: {mbi} for patient: {entry.get('id')} does not match MBI format")
        rows.append(_build_row(call, entry, mbi))
    fresh, stored = save_persons(call, patients, "mbi", rows)
    return build_collection([build_patient(row) for row in [*fresh, *stored]])


@fhir_route(blueprint, "POST", "/Patient/$validate")
def validate_patient(call: Call) -> Response:
    """Always 200."""
    return build_validation(read_fhir_body("Parameters"), check_patient)
