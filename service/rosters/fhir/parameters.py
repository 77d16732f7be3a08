"""Reads the bodies of Da Vinci ATR's $member-add and $member-remove (feeds 4.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from service.domain.identifiers import Reading
from service.rosters.columns.evaluate import PRESENT, REMOVE
from service.rosters.fhir.entries import Entry
from service.rosters.fhir.resources import (
    MBI_SYSTEMS,
    NPI_SYSTEMS,
    Resource,
    list_objects,
    read_patient_mbi,
    read_practitioner_npi,
    read_reference_npi,
)
from service.rosters.fhir.rows import Input, PairRow
from service.rosters.reading import RosterOptions

_PATIENT = frozenset({"memberId", "patientReference"})
_PROVIDER = frozenset({"providerNpi", "providerReference"})
_NAMED = re.compile(r"member[-_ ]?(add|remove)", re.IGNORECASE)


def is_member_change(entry: Entry) -> bool:
    """Answers whether the Parameters speak of one member of a list."""
    names = {one.get("name") for one in list_objects(entry.resource, "parameter") if isinstance(one.get("name"), str)}
    return entry.kind == "Parameters" and bool(names & _PATIENT)


def read_member_changes(entries: Sequence[Entry], source: Input, options: RosterOptions) -> list[PairRow]:
    """Answers one row per body.

    The body does not name its operation: the file's name may, an attribution period belongs to an addition and a
    member without practitioner to a removal. What is left open is `bad_action`, never an addition.
    """
    return [_read_change(entry, source, options) for entry in entries]


def _read_change(entry: Entry, source: Input, options: RosterOptions) -> PairRow:
    parameters = list(enumerate(list_objects(entry.resource, "parameter")))
    patients = [(place, one) for place, one in parameters if _find_name(one) in _PATIENT]
    readings = [_read_patient(one, source, options) for _, one in patients]
    npis = [_read_npi(one, source, options) for _, one in parameters if _find_name(one) in _PROVIDER]
    has_period = any(one.get("name") == "attributionPeriod" for _, one in parameters)
    verdict = _find_verdict(options.filename or "", has_provider=bool(npis), has_period=has_period)
    npi = _choose(npis, "npi_format") if npis else Reading(None, "npi_missing" if verdict == PRESENT else None)
    if verdict is None:
        npi = Reading(None, "bad_action")
    pointer = f"{entry.pointer}/parameter/{patients[0][0]}"
    return PairRow(pointer, _choose(readings, "multiple_mbi"), npi, None, verdict or PRESENT)


def _find_name(parameter: Resource) -> str:
    name = parameter.get("name")
    return name if isinstance(name, str) else ""


def _find_verdict(filename: str, *, has_provider: bool, has_period: bool) -> int | None:
    named = {word.lower() for word in _NAMED.findall(filename)}
    says_add = "add" in named or has_period
    says_remove = "remove" in named or (not has_provider and not says_add)
    if says_add == says_remove:
        return None
    return PRESENT if says_add else REMOVE


def _read_patient(parameter: Resource, source: Input, options: RosterOptions) -> Reading:
    """Answers the MBI; a memberId of another system is the payer's own number and says nothing (feeds 4.1)."""
    reference = parameter.get("valueReference")
    if parameter.get("name") == "memberId" or not isinstance(reference, dict):
        found = [one for one in _iter_identifiers(parameter) if str(one.get("system")) in MBI_SYSTEMS]
        return read_patient_mbi({"identifier": found}, options.environment)
    text = reference.get("reference")
    target = source.references.find(text, {}) if isinstance(text, str) else None
    if target is not None and target.get("resourceType") == "Patient":
        return source.read_mbi(target)
    mbi = read_patient_mbi(reference, options.environment)
    return Reading(None, "unresolved_reference") if text and mbi.code == "mbi_missing" else mbi


def _read_npi(parameter: Resource, source: Input, options: RosterOptions) -> Reading:
    reference = parameter.get("valueReference")
    if isinstance(reference, dict):
        return read_reference_npi(reference, {}, source.references, options.environment)
    system = next(iter(NPI_SYSTEMS))
    found = [{**one, "system": one.get("system", system)} for one in _iter_identifiers(parameter)]
    return read_practitioner_npi({"identifier": found}, options.environment)


def _iter_identifiers(parameter: Resource) -> Iterator[Resource]:
    for one in list_objects(parameter, "valueIdentifier"):
        if one.get("system") is None or isinstance(one.get("system"), str):
            yield one


def _choose(readings: Sequence[Reading], conflict: str) -> Reading:
    """Answers the one value that all readings agree on, or what is wrong."""
    if len({reading.value for reading in readings}) > 1:
        return Reading(None, conflict)
    return readings[0]
