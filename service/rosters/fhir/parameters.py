"""Reads the bodies of Da Vinci ATR's $member-add and $member-remove (feeds 4.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date

from service.domain.identifiers import Reading
from service.rosters.columns.evaluate import ENDED, PRESENT, REMOVE
from service.rosters.fhir.entries import Entry
from service.rosters.fhir.members import find_last_day
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
    periods = [one for _, one in parameters if _find_name(one) == "attributionPeriod"]
    verdict = _find_verdict(options.filename or "", has_provider=bool(npis), has_period=bool(periods))
    npi = _choose(npis, "npi_format") if npis else Reading(None, "npi_missing" if verdict == PRESENT else None)
    if verdict is None:
        npi = Reading(None, "bad_action")
    if verdict == PRESENT and any(_has_ended(one, options.today) for one in periods):
        verdict = ENDED
    pointer = f"{entry.pointer}/parameter/{patients[0][0]}"
    return PairRow(pointer, _choose(readings, "multiple_mbi"), npi, None, verdict or PRESENT)


def _has_ended(parameter: Resource, today: date | None) -> bool:
    period = parameter.get("valuePeriod")
    text = period.get("end") if isinstance(period, dict) else None
    end = find_last_day(text) if isinstance(text, str) else None
    return today is not None and end is not None and end < today


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
    target = source.references.find(reference.get("reference"), {})
    if target is not None and target.resource.get("resourceType") == "Patient":
        return source.read_mbi(target.resource)
    mbi = read_patient_mbi(reference, options.environment)
    return Reading(None, "unresolved_reference") if reference.get("reference") and mbi.code == "mbi_missing" else mbi


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
    """Answers the one value that the readings hold, or what is wrong."""
    values = {reading.value: reading for reading in readings if reading.value}
    if len(values) > 1:
        return Reading(None, conflict)
    return next(iter(values.values()), readings[0])
