"""Dialect v1 (STU3): building the bodies DPC reads and reading the resources it answers with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import orjson

from schemas.fhir import stu3
from service.dpc.answers import Unreadable
from service.dpc.records import (
    AttributionState,
    GroupState,
    KeyRecord,
    NewPatient,
    NewPractitioner,
    OrganizationRecord,
    PatientRecord,
    PractitionerRecord,
    TokenRecord,
)

FHIR = "application/fhir+json"
NPI_SYSTEM = "http://hl7.org/fhir/sid/us-npi"
MBI_SYSTEM = "http://hl7.org/fhir/sid/us-mbi"

_GROUP_HEAD = (
    '{"resourceType":"Group","type":"person","actual":true,"characteristic":[{"code":{"coding":'
    '[{"code":"attributed-to"}]},"valueCodeableConcept":{"coding":[{"system":"' + NPI_SYSTEM + '","code":"'
)
_MEMBER_HEAD = '{"entity":{"reference":"Patient/'
_MEMBER_TAIL = '"}}'


def build_group(npi: str, patient_ids: Sequence[str]) -> bytes:
    """Answers a Group with these members (contract-v1 9.2).

    It is put together as text, five times faster than by a serialiser; safe only because NPI and ids were checked to
    hold nothing but digits, hexadecimal letters and hyphens.
    """
    members = (_MEMBER_TAIL + "," + _MEMBER_HEAD).join(patient_ids)
    head = _GROUP_HEAD + npi + '"}]},"exclude":false}],"member":['
    return f"{head}{_MEMBER_HEAD}{members}{_MEMBER_TAIL}]}}".encode("ascii")


def build_patients(patients: Sequence[NewPatient]) -> bytes:
    """Answers the Parameters for `Patient/$submit` (contract-v1 8)."""
    return _build_submission([_build_patient(patient) for patient in patients])


def build_practitioners(practitioners: Sequence[NewPractitioner]) -> bytes:
    """Answers the Parameters for `Practitioner/$submit` (contract-v1 7)."""
    return _build_submission([_build_practitioner(practitioner) for practitioner in practitioners])


def _build_submission(resources: Sequence[Mapping[str, Any]]) -> bytes:
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": resource} for resource in resources],
    }
    return orjson.dumps({"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": bundle}]})


def _build_patient(patient: NewPatient) -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "identifier": [{"system": MBI_SYSTEM, "value": patient.mbi}],
        "name": [{"family": patient.family, "given": [patient.given]}],
        "gender": patient.gender,
        "birthDate": patient.birth_on.isoformat(),
    }


def _build_practitioner(practitioner: NewPractitioner) -> dict[str, Any]:
    return {
        "resourceType": "Practitioner",
        "identifier": [{"system": NPI_SYSTEM, "value": practitioner.npi}],
        "name": [{"family": practitioner.family, "given": [practitioner.given]}],
    }


def read_resources(bundle: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    """Answers the resources of a Bundle; one without results has no `entry` at all (contract-v1 1.1).

    Raises ValueError when it is no Bundle or holds anything but resources of that kind.
    """
    if bundle.get("resourceType") != "Bundle":
        raise Unreadable("the answer is not a Bundle")
    resources = [entry["resource"] for entry in bundle.get("entry") or []]
    if any(resource.get("resourceType") != kind for resource in resources):
        raise Unreadable(f"the Bundle holds more than {kind} resources")
    total = bundle.get("total")
    if isinstance(total, int) and total != len(resources):
        raise Unreadable("the Bundle does not hold as many resources as it says")
    return resources


def has_next_page(bundle: Mapping[str, Any]) -> bool:
    """Answers whether a page says that there is another; the link itself is never followed (contract-v1 8)."""
    return any(link.get("relation") == "next" for link in bundle.get("link") or [])


def read_group(tree: Mapping[str, Any]) -> GroupState:
    """Answers one Group with all its rows (contract-v1 9.3).

    Raises ValueError (KeyError, TypeError for missing parts) when it cannot be read.
    """
    if tree.get("resourceType") != "Group":
        raise Unreadable("the answer is not a Group")
    seen: dict[str, datetime] = {}  # few distinct instants in thousands of rows
    members = tuple(_read_member(member, seen) for member in tree.get("member") or ())
    return GroupState(str(tree["id"]), _read_group_npi(tree), members)


def _read_member(member: Mapping[str, Any], seen: dict[str, datetime]) -> AttributionState:
    period = member["period"]
    return AttributionState(
        member["entity"]["reference"].rpartition("/")[2].lower(),
        seen.get(period["start"]) or seen.setdefault(period["start"], read_instant(period["start"])),
        seen.get(period["end"]) or seen.setdefault(period["end"], read_instant(period["end"])),
        bool(member["inactive"]),
    )


def _read_group_npi(tree: Mapping[str, Any]) -> str:
    for characteristic in tree["characteristic"]:
        if any(coding.get("code") == "attributed-to" for coding in characteristic["code"]["coding"]):
            for coding in characteristic["valueCodeableConcept"]["coding"]:
                if coding.get("system") == NPI_SYSTEM:
                    return str(coding["code"])
    raise Unreadable("the Group names no practitioner")


def read_instant(text: str) -> datetime:
    """Answers a FHIR instant as an aware UTC datetime; raises ValueError without an offset."""
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise Unreadable("a time has no offset")
    return instant.astimezone(UTC)


def read_patient(tree: Mapping[str, Any]) -> PatientRecord:
    """Answers one patient as stored (contract-v1 8); raises ValueError, KeyError or TypeError when it cannot."""
    given, family = _read_name(tree)
    return PatientRecord(
        patient_id=str(tree["id"]),
        mbi=_read_identifier(tree, MBI_SYSTEM).upper(),
        given=given,
        family=family,
        birth_on=date.fromisoformat(tree["birthDate"]),
        gender=str(tree.get("gender", "unknown")),
    )


def read_practitioner(tree: Mapping[str, Any]) -> PractitionerRecord:
    """Answers one practitioner as stored (contract-v1 7); raises ValueError, KeyError or TypeError when it cannot."""
    given, family = _read_name(tree)
    return PractitionerRecord(str(tree["id"]), _read_identifier(tree, NPI_SYSTEM), given, family)


def _read_identifier(tree: Mapping[str, Any], system: str) -> str:
    for identifier in tree["identifier"]:
        if identifier.get("system") == system:
            return str(identifier["value"])
    raise Unreadable("a resource lacks its identifier")


def _read_name(tree: Mapping[str, Any]) -> tuple[str, str]:
    """DPC keeps the first name only, with several given names joined by spaces (contract-v1 7, 8)."""
    name = (tree.get("name") or [{}])[0]
    return " ".join(name.get("given") or ()), str(name.get("family", ""))


def read_organization(tree: Mapping[str, Any]) -> OrganizationRecord:
    """Answers the organisation, bare or in the Bundle that DPC really sends (contract-v1 6); raises ValueError."""
    resource = read_resources(tree, "Organization")[0] if tree.get("resourceType") == "Bundle" else tree
    fields = stu3.read_organization(resource)
    npi = _read_identifier(fields, NPI_SYSTEM)
    return OrganizationRecord(str(fields["id"]), npi, fields["name"])


def read_key(tree: Mapping[str, Any]) -> KeyRecord:
    """Answers one registered public key (contract-v1 4.8); raises ValueError when it cannot be read."""
    fields = stu3.read_key(tree)
    return KeyRecord(fields["id"], fields["label"], fields["created_at"])


def read_client_token(tree: Mapping[str, Any]) -> TokenRecord:
    """Answers one client token without its value (contract-v1 4.1); raises ValueError when it cannot be read."""
    fields = stu3.read_client_token(tree)
    return TokenRecord(fields["id"], fields["label"], fields["created_at"], fields["expires_at"])


def read_entities(tree: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Answers the entries of a JSON list (contract-v1 4.2); raises ValueError when it is none."""
    entities = tree.get("entities")
    if not isinstance(entities, list):
        raise Unreadable("the answer is not a list")
    return entities
