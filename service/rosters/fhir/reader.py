"""Reads FHIR resources into a roster, whether they came in a Bundle, alone or one a line (feeds 4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from service.domain.identifiers import Reading, refuse_npi
from service.rosters.columns.evaluate import PERSON_ONLY
from service.rosters.fhir.entries import Entry, find_declared_total, find_envelope_signal, find_weakest, iter_entries
from service.rosters.fhir.members import count_declared, find_group_signal, is_roster_group, read_groups
from service.rosters.fhir.parameters import is_member_change, read_member_changes
from service.rosters.fhir.references import read_reference_npi
from service.rosters.fhir.resources import (
    find_person_name,
    list_objects,
    read_birth_date,
    read_practitioner_npi,
)
from service.rosters.fhir.rows import Input, PairRow, build_input, build_pairs_reading
from service.rosters.findings import CODE_INDEX, Findings
from service.rosters.reading import PractitionerName, RosterOptions, RosterReading

Documents = Sequence[tuple[str, Any]]
"""Top-level values, each with the pointer to it."""

_ELEMENTS = """resourceType id identifier system value type coding code extension url valueCoding valueCode
    valueReference valueIdentifier valueCodeableConcept valuePeriod period end name family given use birthDate gender
    generalPractitioner reference contained deceasedBoolean deceasedDateTime practitioner entry fullUrl resource search
    mode total link relation parameter member entity inactive characteristic exclude quantity actual
    active modifierExtension"""
FHIR_KEYS = tuple(_ELEMENTS.split())
"""The elements that are kept of a resource; unknown ones are read over."""


def build_fhir_reading(documents: Documents, blank: RosterReading, options: RosterOptions) -> RosterReading:
    """Answers the roster that resources hold: of Groups and member changes if any, else of Patients.

    A change beside a Group says what it says of its member as a member of the Group does; that the two together are
    a delta the envelope has told. Raises TooLarge.
    """
    source = build_input(list(iter_entries(documents)), options.environment)
    signal = find_envelope_signal(documents)
    groups = [entry for entry in source.entries if is_roster_group(entry)]
    practitioners = source.list_kind("Practitioner")
    names = tuple(_iter_practitioner_names(practitioners, options))
    total = find_declared_total(documents)
    blank = replace(blank, mode_signal=signal, practitioner_names=names, declared_count=total)
    if groups:
        found = find_group_signal(groups)
        weakest = found if signal == "none" else find_weakest((signal, found))
        declared = count_declared(groups)
        blank = replace(blank, mode_signal=weakest, declared_count=total if declared is None else declared)
    changes = [entry for entry in source.entries if is_member_change(entry)]
    if groups or changes:
        rows = [*read_groups(groups, source, options), *read_member_changes(changes, source, options)]
        return build_pairs_reading(rows, source, blank, options)
    if source.list_kind("Patient"):
        return _read_patients(source, blank, options)
    if practitioners:
        return _note_bad_practitioners(practitioners, blank, options)
    if source.entries:
        return replace(blank, practitioner_names=(), file_error=f"unsupported_format_{_find_family(blank)}")
    return blank


def _find_family(blank: RosterReading) -> str:
    return "ndjson" if blank.format == "ndjson" else "json"


def _read_patients(source: Input, blank: RosterReading, options: RosterOptions) -> RosterReading:
    """Answers people, and pairs if any Patient names a general practitioner: without one it is no roster."""
    patients = source.list_kind("Patient")
    paired = any(list_objects(entry.resource, "generalPractitioner") for entry in patients)
    rows: list[PairRow] = []
    for entry in patients:
        rows.extend(_iter_pair_rows(entry, source) if paired else [_build_lone_row(entry, source)])
    reading = build_pairs_reading(rows, source, blank, options, whole=True)
    return replace(reading, data_rows=len(patients))


def _iter_pair_rows(entry: Entry, source: Input) -> Iterator[PairRow]:
    mbi = source.read_mbi(entry.resource)
    date_code = read_birth_date(entry.resource)[1]
    if source.is_dead(mbi, entry.resource):
        yield PairRow(entry.pointer, mbi, Reading(None, "deceased_hold"), date_code)
        return
    general = list_objects(entry.resource, "generalPractitioner")
    if not general:
        yield PairRow(entry.pointer, mbi, Reading(None, "npi_missing"), date_code)
    for place, reference in enumerate(general):
        npi = read_reference_npi(reference, entry.resource, source.references, source.environment)
        yield PairRow(entry.pointer, mbi, npi, None if place else date_code)


def _build_lone_row(entry: Entry, source: Input) -> PairRow:
    """A Patient who is no pair is no row unless something is wrong with the MBI."""
    date_code = read_birth_date(entry.resource)[1]
    return PairRow(entry.pointer, source.read_mbi(entry.resource), Reading(None, None), date_code, PERSON_ONLY)


def _iter_practitioner_names(practitioners: Sequence[Entry], options: RosterOptions) -> Iterator[PractitionerName]:
    for entry in practitioners:
        npi = _read_listed(entry, options).value
        if npi is not None:
            name = find_person_name(entry.resource)
            yield PractitionerName(npi, name.given, name.family, entry.pointer.removesuffix("#"))


def _read_listed(practitioner: Entry, options: RosterOptions) -> Reading:
    return refuse_npi(read_practitioner_npi(practitioner.resource, options.environment), options.organization_npi)


def _note_bad_practitioners(
    practitioners: Sequence[Entry], blank: RosterReading, options: RosterOptions
) -> RosterReading:
    """Answers a list of practitioners; a wrong NPI is a finding that blinds nobody, as no patient is meant."""
    found = ((entry.pointer, _read_listed(entry, options)) for entry in practitioners)
    faults = [(pointer.removesuffix("#"), CODE_INDEX[reading.code]) for pointer, reading in found if reading.code]
    findings = Findings(
        [pointer for pointer, _ in faults],
        np.array([code for _, code in faults], np.uint8),
        np.zeros(len(faults), np.bool_),
    )
    return replace(blank, data_rows=len(practitioners), findings=findings)
