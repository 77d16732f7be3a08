"""Reads the bodies of Da Vinci ATR's $member-add and $member-remove (feeds 4.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date

from service.domain.identifiers import Reading
from service.rosters.columns.evaluate import ENDED, PRESENT, REMOVE
from service.rosters.fhir.entries import Entry
from service.rosters.fhir.periods import judge_period
from service.rosters.fhir.references import read_reference_npi
from service.rosters.fhir.resources import (
    MBI_SYSTEMS,
    NPI_SYSTEMS,
    Resource,
    list_objects,
    read_patient_mbi,
    read_practitioner_npi,
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
    found = [_read_patient(one, entry, source) for _, one in patients]
    npis = [_read_npi(one, entry, source) for _, one in parameters if _find_name(one) in _PROVIDER]
    periods = [one for _, one in parameters if _find_name(one) == "attributionPeriod"]
    verdict = _find_verdict(options.filename or "", has_provider=bool(npis), has_period=bool(periods))
    npi = _choose(npis, "npi_format") if npis else Reading(None, "npi_missing" if verdict == PRESENT else None)
    if verdict == PRESENT:
        verdict = _judge_periods(periods, options.today)
    doubtful = [reading for reading, _ in found if reading.code == "multiple_mbi"]
    mbi = _choose(doubtful or [reading for reading, _ in found], "multiple_mbi")
    if any(source.is_dead(reading, patient) for reading, patient in found):
        verdict = "deceased_hold"
    npi = Reading(None, verdict) if isinstance(verdict, str) else npi
    pointer = f"{entry.pointer}/parameter/{patients[0][0]}"
    return PairRow(pointer, mbi, npi, None, verdict if isinstance(verdict, int) else PRESENT)


def _judge_periods(parameters: Sequence[Resource], today: date | None) -> int | str:
    """Answers what the periods of an addition say: it holds, it is over, or the code of what is wrong with one."""
    found = [judge_period(one.get("valuePeriod", ""), today) for one in parameters]
    wrong = [one for one in found if isinstance(one, str)]
    return wrong[0] if wrong else ENDED if ENDED in found else PRESENT


def _find_name(parameter: Resource) -> str:
    name = parameter.get("name")
    return name if isinstance(name, str) else ""


def _find_verdict(filename: str, *, has_provider: bool, has_period: bool) -> int | str:
    named = {word.lower() for word in _NAMED.findall(filename)}
    says_add = "add" in named or has_period
    says_remove = "remove" in named or (not has_provider and not says_add)
    if says_add == says_remove:
        return "bad_action"
    return PRESENT if says_add else REMOVE


def _read_patient(parameter: Resource, entry: Entry, source: Input) -> tuple[Reading, Resource | None]:
    """Answers the MBI and the Patient that is referred to, if any.

    A memberId of another system is the payer's own number and says nothing (feeds 4.1).
    """
    reference = parameter.get("valueReference")
    if parameter.get("name") == "memberId" or not isinstance(reference, dict):
        found = [one for one in _iter_identifiers(parameter) if str(one.get("system")) in MBI_SYSTEMS]
        return read_patient_mbi({"identifier": found}, source.environment), None
    mbi, target = source.read_referred(reference, entry.resource)
    return mbi, target.resource if target else None


def _read_npi(parameter: Resource, entry: Entry, source: Input) -> Reading:
    reference = parameter.get("valueReference")
    if isinstance(reference, dict):
        return read_reference_npi(reference, entry.resource, source.references, source.environment)
    system = next(iter(NPI_SYSTEMS))
    found = [{**one, "system": one.get("system", system)} for one in _iter_identifiers(parameter)]
    return read_practitioner_npi({"identifier": found}, source.environment)


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
