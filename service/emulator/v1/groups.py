"""Group: create, search, read, replace, $add, $remove and delete (contract-v1 9)."""

from __future__ import annotations

import random
from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from uuid import uuid4

import orjson
from flask import Blueprint, Response
from sqlalchemy import delete, insert, select

from service.emulator.answers import build_response, refuse, refuse_duplicate
from service.emulator.clock import format_seconds
from service.emulator.tables import attributions, groups, practitioners
from service.emulator.v1.attributions import (
    LIFE_US,
    Member,
    add_members,
    count_missing_patients,
    insert_members,
    load_members,
    remove_members,
    replace_members,
)
from service.emulator.v1.calls import Call, build_location, fhir_route, find_argument
from service.emulator.v1.fhir.bodies import build_bundle, read_fhir_body
from service.emulator.v1.fhir.group_bodies import (
    check_tags,
    list_inactive,
    list_references,
    load_attributed_npi,
    read_patient_id,
    read_patient_ids,
)
from service.emulator.v1.fhir.profiles import build_refusal, check_provenance
from service.emulator.v1.fhir.provenance import load_attested_npi, read_provenance
from service.emulator.v1.fhir.validation import NPI_SYSTEM

_HAS_ROSTER = (
    "Could not create a roster for this provider as they already have one.  "
    "Try updating it instead, or first deleting it."
)

_MEMBER_HEAD = '{"entity":{"reference":"Patient/'

blueprint = Blueprint("groups", __name__)


def build_group(group_id: str, npi: str, members: Iterable[Member]) -> dict[str, Any]:
    """A Group as answered; members in the order given, no `member` key when there are none (9.3)."""
    group: dict[str, Any] = {
        "resourceType": "Group",
        "id": group_id,
        "type": "person",
        "actual": True,
        "characteristic": [
            {
                "code": {"coding": [{"code": "attributed-to"}]},
                "valueCodeableConcept": {"coding": [{"system": NPI_SYSTEM, "code": npi}]},
                "exclude": False,
            }
        ],
    }
    built = [_MEMBER_HEAD + patient_id + _build_tail(begin, end, flag) for patient_id, begin, end, flag in members]
    if built:
        group["member"] = orjson.Fragment(f"[{','.join(built)}]")
    return group


@lru_cache(maxsize=4096)
def _build_tail(begin_us: int, end_us: int, inactive: int) -> str:
    """What follows a member's id; rows written together share it, which keeps large answers quick."""
    flag = "true" if inactive else "false"
    start, end = format_seconds(begin_us), format_seconds(end_us)
    return f'"}},"period":{{"start":"{start}","end":"{end}"}},"inactive":{flag}}}'


def _build_stored(call: Call, group_id: str, npi: str) -> dict[str, Any]:
    """The stored Group, members in an undefined order that the seed repeats."""
    members = load_members(call.connection, group_id)
    random.Random(f"{call.state.seed}:{group_id}").shuffle(members)  # noqa: S311 - a reproducible disorder
    return build_group(group_id, npi, members)


def _answer_stored(call: Call, group_id: str) -> Response:
    query = (
        select(practitioners.c.npi)
        .join(groups, groups.c.practitioner_id == practitioners.c.id)
        .where(groups.c.id == group_id)
    )
    return build_response(_build_stored(call, group_id, call.connection.execute(query).scalar_one()))


def _read_attested_group(call: Call) -> tuple[dict[str, Any], str]:
    """Body and NPI of an attested request, after the checks of 9.1 in the order of 1.2."""
    provenance = read_provenance()
    group = read_fhir_body("Group")
    call.note_patients(len(set(list_references(group))))
    messages = check_provenance(provenance)
    if messages:
        raise build_refusal(messages)
    attested = load_attested_npi(call, provenance)
    npi = load_attributed_npi(group)
    if npi != attested:
        raise refuse(422, "Provenance header's provider does not match group provider")
    check_tags(group)
    return group, npi


def _check_limit(call: Call, references: set[str]) -> None:
    """The limit is inclusive and counts reference strings as written (9.4, 9.5)."""
    limit = call.state.limits.patient_limit
    if limit != -1 and len(references) > limit:
        raise refuse(400, "Roster limit reached")


def _check_patients(call: Call, patient_ids: list[str]) -> None:
    missing = count_missing_patients(call.connection, call.organization_id, patient_ids)
    if missing:
        raise refuse(400, f"All patients in group must exist. Cannot find {missing} patient(s).")


def _load_free_practitioner(call: Call, npi: str) -> str:
    """The practitioner with this NPI here, who must not have a Group yet: else 404, 403."""
    query = select(practitioners.c.id).where(
        practitioners.c.organization_id == call.organization_id, practitioners.c.npi == npi
    )
    practitioner_id: str | None = call.connection.execute(query).scalar()
    if practitioner_id is None:
        raise refuse(404, "Unable to find attributable provider")
    known = select(groups.c.id).where(groups.c.practitioner_id == practitioner_id)
    if call.connection.execute(known).first() is not None:
        raise refuse(403, _HAS_ROSTER)
    return practitioner_id


@fhir_route(blueprint, "POST", "/Group")
def create_group(call: Call) -> Response:
    """201; members in the order of the request, those sent as inactive dropped."""
    group, npi = _read_attested_group(call)
    references = list_references(group)
    _check_limit(call, set(references))
    practitioner_id = _load_free_practitioner(call, npi)
    ids = read_patient_ids(references)
    _check_patients(call, ids)
    active = [one for one, inactive in zip(ids, list_inactive(group), strict=True) if not inactive]
    if len(set(active)) < len(active):
        raise refuse_duplicate("attributions_roster_patient")
    group_id = str(uuid4())
    row = {"id": group_id, "organization_id": call.organization_id, "practitioner_id": practitioner_id}
    call.connection.execute(insert(groups), row)
    insert_members(call.connection, group_id, active, call.now_us)
    call.mark_effect()
    begin_us, end_us = call.now_us, call.now_us + LIFE_US
    members: list[Member] = [(one, begin_us, end_us, 0) for one in active]
    headers = {"Location": build_location("Group", group_id)}
    return build_response(build_group(group_id, npi, members), 201, headers=headers)


def _read_searched_npi(text: str) -> str:
    """The right side of `attributed-to$<NPI>`, itself `code` or `system|code` (9.4)."""
    sides = text.split("$")
    if len(sides) != 2:
        raise refuse(500, f"Cannot parse query param: {text}")
    return sides[1].rpartition("|")[2]


@fhir_route(blueprint, "GET", "/Group")
def search_groups(call: Call) -> Response:
    """Groups by practitioner's NPI and by member, whole and unpaged; unknown parameters are ignored."""
    value, member = find_argument("characteristic-value"), find_argument("member")
    query = (
        select(groups.c.id, practitioners.c.npi)
        .join(practitioners, groups.c.practitioner_id == practitioners.c.id)
        .where(groups.c.organization_id == call.organization_id)
    )
    if value:
        query = query.where(practitioners.c.npi == _read_searched_npi(value))
    if member:
        holds = select(attributions.c.group_id).where(attributions.c.patient_id == read_patient_id(member))
        query = query.where(groups.c.id.in_(holds))
    found = [_build_stored(call, group_id, npi) for group_id, npi in call.connection.execute(query).all()]
    return build_response(build_bundle("searchset", found, total=len(found)))


@fhir_route(blueprint, "GET", "/Group/<resource_id>", owned="Group")
def show_group(call: Call, resource_id: str) -> Response:
    """One Group with all its members."""
    return _answer_stored(call, resource_id)


@fhir_route(blueprint, "PUT", "/Group/<resource_id>", owned="Group")
def replace_group(call: Call, resource_id: str) -> Response:
    """Every row replaced; the stored practitioner never changes."""
    group, _ = _read_attested_group(call)
    references = list_references(group)
    _check_limit(call, set(references))
    ids = read_patient_ids(references)
    _check_patients(call, ids)
    replace_members(call.connection, resource_id, ids, call.now_us)
    call.mark_effect()
    return _answer_stored(call, resource_id)


@fhir_route(blueprint, "POST", "/Group/<resource_id>/$add", owned="Group")
def add_to_group(call: Call, resource_id: str) -> Response:
    """New members in, known ones renewed; stored members count against the limit, inactive ones too."""
    group, _ = _read_attested_group(call)
    references = list_references(group)
    stored = {"Patient/" + row[0] for row in load_members(call.connection, resource_id)}
    _check_limit(call, stored | set(references))
    ids = read_patient_ids(references)
    _check_patients(call, ids)
    add_members(call.connection, resource_id, ids, call.now_us)
    if ids:
        call.mark_effect()
    return _answer_stored(call, resource_id)


@fhir_route(blueprint, "POST", "/Group/<resource_id>/$remove", owned="Group")
def remove_from_group(call: Call, resource_id: str) -> Response:
    """All members named are ended now, or none if one was never attributed."""
    group = read_fhir_body("Group")
    references = list_references(group)
    call.note_patients(len(set(references)))
    ids = read_patient_ids(references)
    if not remove_members(call.connection, resource_id, ids, call.now_us):
        raise refuse(400, "Cannot find attribution relationship.")
    if ids:
        call.mark_effect()
    return _answer_stored(call, resource_id)


@fhir_route(blueprint, "DELETE", "/Group/<resource_id>", owned="Group")
def delete_group(call: Call, resource_id: str) -> Response:
    """200 without a body; a new POST is possible afterwards."""
    call.connection.execute(delete(groups).where(groups.c.id == resource_id))
    call.mark_effect()
    return build_response(None)
