"""Group: one for each practitioner, and whatever is posted is merged into it for ninety days."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

import orjson
from flask import Response, request
from sqlalchemy import RowMapping, and_, delete, func, insert, select, text
from sqlalchemy.dialects.sqlite import insert as upsert

from service.emulator.answers import build_response, refuse
from service.emulator.preview.calls import Call, as_object, as_objects, build_bundle, read_body
from service.emulator.preview.people import NPI_SYSTEM
from service.emulator.preview.tables import groups, members, people

LIFE_US = timedelta(days=90) // timedelta(microseconds=1)
MOST_PATIENTS = 5000
ATTRIBUTED = "attributed-to"

_COUNT_PATIENTS = text(
    "SELECT count(*) FROM preview_people WHERE organization_id = :organization_id AND kind = 'Patient'"
    " AND id IN (SELECT value FROM json_each(:ids))"
)


def merge_group(call: Call) -> Response:
    """201 for the practitioner's first, else 200: members in, renewed, or out if they come with `inactive`."""
    body = read_body("Group")
    npi = _load_npi(body)
    wanted = _read_members(body)
    call.note_patients(len(wanted))
    _check_patients(call, wanted)
    group_id, is_new = _load_group(call, npi)
    _drop(call, group_id, [one for one, is_inactive in wanted.items() if is_inactive])
    _renew(call, group_id, [one for one, is_inactive in wanted.items() if not is_inactive])
    _check_limit(call, group_id)
    call.mark_effect()
    headers = {"Location": f"{call.base}/Group/{group_id}"} if is_new else {}
    return build_response(build_group(call, group_id, npi), 201 if is_new else 200, headers=headers)


def search_groups(call: Call) -> Response:
    """`characteristic=attributed-to&characteristic-code={NPI}`; without the code, all Groups."""
    query = select(groups.c.id, groups.c.npi).where(groups.c.organization_id == call.organization_id)
    if request.args.get("characteristic", ATTRIBUTED) != ATTRIBUTED:
        return build_response(build_bundle([]))
    npi = request.args.get("characteristic-code")
    if npi:
        query = query.where(groups.c.npi == npi)
    found = call.connection.execute(query.order_by(groups.c.npi)).all()
    return build_response(build_bundle([build_group(call, group_id, npi) for group_id, npi in found]))


def build_group(call: Call, group_id: str, npi: str) -> dict[str, Any]:
    """A Group in the documentation's shape: one characteristic that is no list, the NPI under `value`."""
    concept = {"coding": [{"system": NPI_SYSTEM, "value": npi}]}
    references = [{"entity": {"reference": f"Patient/{one}"}} for one in load_members(call, group_id)]
    return {
        "resourceType": "Group",
        "id": group_id,
        "type": "person",
        "actual": True,
        "characteristic": {"code": {"coding": [{"code": ATTRIBUTED}]}, "valueCodeableConcept": concept},
        "member": references,
    }


def load_members(call: Call, group_id: str) -> list[str]:
    """The ids of the patients whose ninety days are not over."""
    query = select(members.c.patient_id).where(members.c.group_id == group_id, members.c.end_us > call.now_us)
    return list(call.connection.execute(query.order_by(members.c.patient_id)).scalars())


def load_owned_group(call: Call, group_id: str) -> RowMapping:
    """A Group of the organisation; 404 when there is none."""
    query = select(groups).where(groups.c.id == group_id, groups.c.organization_id == call.organization_id)
    row = call.connection.execute(query).mappings().first()
    if row is None:
        raise refuse(404, "Group not found")
    return row


def _load_npi(body: Mapping[str, Any]) -> str:
    """The NPI of the attributed-to characteristic, under `value` as documented or `code` as in FHIR; else 422."""
    for characteristic in as_objects(body.get("characteristic")):
        codings = as_objects(as_object(characteristic.get("code")).get("coding"))
        if any(coding.get("code") == ATTRIBUTED for coding in codings):
            for coding in as_objects(as_object(characteristic.get("valueCodeableConcept")).get("coding")):
                npi = coding.get("value") or coding.get("code")
                if coding.get("system") == NPI_SYSTEM and isinstance(npi, str):
                    return npi
    raise refuse(422, "Must have 'attributed-to' concept")


def _read_members(body: Mapping[str, Any]) -> dict[str, bool]:
    """Patient ids with `inactive`; of a patient named twice the last word counts."""
    wanted = {}
    for member in as_objects(body.get("member")):
        reference = as_object(member.get("entity")).get("reference")
        if not isinstance(reference, str) or not reference.startswith("Patient/"):
            raise refuse(422, "Group.member.entity must refer to a Patient")
        wanted[reference.removeprefix("Patient/")] = member.get("inactive") is True
    return wanted


def _check_patients(call: Call, wanted: Mapping[str, bool]) -> None:
    values = {"organization_id": call.organization_id, "ids": orjson.dumps(list(wanted)).decode()}
    missing = len(wanted) - int(call.connection.execute(_COUNT_PATIENTS, values).scalar() or 0)
    if missing:
        raise refuse(400, f"All patients in group must exist. Cannot find {missing} patient(s).")


def _load_group(call: Call, npi: str) -> tuple[str, bool]:
    """The practitioner's Group and whether it is new; 404 for an unknown practitioner."""
    known = and_(people.c.organization_id == call.organization_id, people.c.kind == "Practitioner")
    query = select(people.c.id).where(known, people.c.identifier == npi)
    if call.connection.execute(query).first() is None:
        raise refuse(404, "Unable to find attributable provider")
    own = select(groups.c.id).where(groups.c.organization_id == call.organization_id, groups.c.npi == npi)
    group_id: str | None = call.connection.execute(own).scalar()
    if group_id is not None:
        return group_id, False
    row = {"id": str(uuid4()), "organization_id": call.organization_id, "npi": npi}
    call.connection.execute(insert(groups), row)
    return row["id"], True


def _drop(call: Call, group_id: str, ids: list[str]) -> None:
    for patient_id in ids:
        gone = and_(members.c.group_id == group_id, members.c.patient_id == patient_id)
        call.connection.execute(delete(members).where(gone))


def _renew(call: Call, group_id: str, ids: list[str]) -> None:
    rows = [{"group_id": group_id, "patient_id": one, "end_us": call.now_us + LIFE_US} for one in ids]
    statement = upsert(members)
    statement = statement.on_conflict_do_update(
        index_elements=["group_id", "patient_id"], set_={"end_us": statement.excluded.end_us}
    )
    if rows:
        call.connection.execute(statement, rows)


def _check_limit(call: Call, group_id: str) -> None:
    """At most 5,000 patients to a practitioner, or fewer if the emulator is told so."""
    configured = call.state.limits.patient_limit
    limit = MOST_PATIENTS if configured == -1 else min(configured, MOST_PATIENTS)
    query = select(func.count()).where(members.c.group_id == group_id, members.c.end_us > call.now_us)
    if (call.connection.execute(query).scalar() or 0) > limit:
        raise refuse(400, "Roster limit reached")
