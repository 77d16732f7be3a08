"""What counts in a Group that a client sends (contract-v1 9.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from service.emulator.answers import Refused, refuse
from service.emulator.v1.fhir.validation import NPI_SYSTEM, as_object, as_objects, find_uuid

_HISTORY = re.compile(r"/_history/.*$")


def _refuse_null() -> Refused:
    return refuse(500, 'Cannot invoke "String.equals(Object)" because the return value is null')


def load_attributed_npi(group: Mapping[str, Any]) -> str:
    """The NPI of the attributed-to characteristic; 500 when it cannot be found."""
    for characteristic in as_objects(group.get("characteristic")):
        codings = as_objects(as_object(characteristic.get("code")).get("coding"))
        code = codings[0].get("code") if codings else None
        if code is None:
            raise _refuse_null()
        if code == "attributed-to":
            return _load_npi(as_object(characteristic.get("valueCodeableConcept")))
    raise refuse(500, "Must have 'attributed-to' concept")


def _load_npi(concept: Mapping[str, Any]) -> str:
    for coding in as_objects(concept.get("coding")):
        if coding.get("system") is None:
            raise _refuse_null()
        if coding["system"] == NPI_SYSTEM:
            if coding.get("code") is None:
                break
            return str(coding["code"])
    raise refuse(500, "Roster MUST have attributed Provider")


def check_tags(group: Mapping[str, Any]) -> None:
    """A tag without system trips the server: 500."""
    if any(not tag.get("system") for tag in as_objects(as_object(group.get("meta")).get("tag"))):
        raise _refuse_null()


def list_references(group: Mapping[str, Any]) -> list[str]:
    """The member references as written, in order; a missing one is empty."""
    entities = [as_object(one.get("entity")) for one in as_objects(group.get("member"))]
    return [str(entity.get("reference") or "") for entity in entities]


def list_inactive(group: Mapping[str, Any]) -> list[bool]:
    """Whether each member says `inactive: true`; only POST cares."""
    return [one.get("inactive") is True for one in as_objects(group.get("member"))]


def read_patient_ids(references: list[str]) -> list[str]:
    """The patient ids of references in any spelling, duplicates included; 500 for one that is no UUID."""
    return [read_patient_id(reference) for reference in references]


def read_patient_id(reference: str) -> str:
    """The patient id of `Patient/<uuid>`, `<uuid>` or an absolute URL, with or without a history part."""
    last = _HISTORY.sub("", reference).rpartition("/")[2]
    patient_id = find_uuid(last)
    if patient_id is None:
        raise refuse(500, f"Invalid UUID string: {last}")
    return patient_id
