"""Reads FHIR JSON: Bundles of Patients and Practitioners, bare or inside Parameters (feeds 4)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from service.domain.identifiers import Reading, pack_mbi
from service.rosters.columns.assemble import assemble_rows
from service.rosters.columns.evaluate import PERSON_ONLY, PRESENT, Judged
from service.rosters.columns.kernels import NO_MBI, NO_NPI
from service.rosters.encoding import Undecodable, open_source
from service.rosters.fhir.resources import (
    References,
    Resource,
    find_gender,
    find_person_name,
    is_deceased,
    list_objects,
    read_birth_date,
    read_patient_mbi,
    read_practitioner_npi,
    read_reference_npi,
)
from service.rosters.findings import CODE_INDEX, Findings
from service.rosters.reading import Demographics, PractitionerName, RosterOptions, RosterReading

_WITH_PAIRS_OF_THEIR_OWN = frozenset({"Group", "List", "Coverage"})


class _Refused(Exception):
    """The JSON cannot be taken at its word."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A resource of a Bundle and the JSON pointer to it."""

    pointer: str
    url: str | None
    resource: Resource

    @property
    def kind(self) -> str:
        """The type of the resource."""
        return str(self.resource.get("resourceType"))


@dataclass(frozen=True, slots=True)
class PairRow:
    """One Patient with one practitioner, as read; `date_code` is the warning its birth date earns."""

    pointer: str
    mbi: Reading
    npi_code: str | None
    npi: str | None
    date_code: str | None


def read_json(path: Path, options: RosterOptions) -> RosterReading:
    """Answers a FHIR delivery; JSON of any other kind is refused as a whole."""
    blank = RosterReading("json")
    try:
        source = open_source(path)
        with source.open() as stream:
            document = _parse(stream.read().decode("utf-8"))
    except (Undecodable, UnicodeDecodeError):
        return replace(blank, file_error="encoding_undecodable")
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":
            return replace(blank, format="ndjson", file_error="unsupported_format_ndjson")
        return replace(blank, file_error="truncated")
    except RecursionError:
        return replace(blank, file_error="too_large")
    except (_Refused, ValueError):
        return replace(blank, file_error="unsupported_format_json")
    bundles = dict(_iter_bundles(document))
    if not bundles:
        name = "fhir" if isinstance(document, dict) and "resourceType" in document else "json"
        return replace(blank, format=name, encoding=source.encoding, file_error="unsupported_format_json")
    reading = RosterReading("fhir", mode_signal=_find_signal(document, bundles), encoding=source.encoding)
    return _read_entries(list(_iter_entries(bundles)), reading, options)


def _parse(text: str) -> Any:
    return json.loads(text, object_pairs_hook=_build_object)


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Refused("a key occurs twice")
    return found


def _iter_bundles(document: object) -> Iterator[tuple[str, Resource]]:
    """Yields (pointer, Bundle): the document itself, or each that its parameters hold."""
    if not isinstance(document, dict):
        return
    if document.get("resourceType") == "Bundle":
        yield "", document
    elif document.get("resourceType") == "Parameters":
        for place, parameter in enumerate(list_objects(document, "parameter")):
            inner = parameter.get("resource")
            if isinstance(inner, dict) and inner.get("resourceType") == "Bundle":
                yield f"/parameter/{place}/resource", inner


def _iter_entries(bundles: dict[str, Resource]) -> Iterator[Entry]:
    for pointer, bundle in bundles.items():
        entries = bundle.get("entry")
        for place, entry in enumerate(entries if isinstance(entries, list) else []):
            if not isinstance(entry, dict) or not isinstance(entry.get("resource"), dict):
                continue
            url = entry.get("fullUrl")
            yield Entry(f"{pointer}/entry/{place}/resource", url if isinstance(url, str) else None, entry["resource"])


def _find_signal(document: Resource, bundles: dict[str, Resource]) -> str:
    """Answers what the envelope says about completeness; it may only take power away (feeds 7.2)."""
    if document.get("resourceType") == "Parameters" or any(
        bundle.get("type") in ("transaction", "batch") for bundle in bundles.values()
    ):
        return "delta"
    return "partial" if any(_is_partial(bundle) for bundle in bundles.values()) else "none"


def _is_partial(bundle: Resource) -> bool:
    if any(link.get("relation") == "next" for link in list_objects(bundle, "link")):
        return True
    entries = bundle.get("entry", [])
    if not isinstance(entries, list) or not all(isinstance(one, dict) and "resource" in one for one in entries):
        return True  # something was listed that cannot be read
    matches = [entry for entry in list_objects(bundle, "entry") if _find_search_mode(entry) != "include"]
    total = bundle.get("total")
    return isinstance(total, int) and total > len(matches)


def _find_search_mode(entry: Resource) -> object:
    search = entry.get("search")
    return search.get("mode") if isinstance(search, dict) else None


def _read_entries(entries: list[Entry], blank: RosterReading, options: RosterOptions) -> RosterReading:
    kinds = {entry.kind for entry in entries}
    patients = [entry for entry in entries if entry.kind == "Patient"]
    practitioners = [entry for entry in entries if entry.kind == "Practitioner"]
    if kinds & _WITH_PAIRS_OF_THEIR_OWN or (entries and not patients and not practitioners):
        return replace(blank, file_error="unsupported_format_json")
    names = replace(blank, practitioner_names=tuple(_iter_practitioner_names(practitioners, options)))
    if patients or not practitioners:
        return _read_patients(patients, References((e.url, e.resource) for e in entries), names, options)
    return _note_bad_practitioners(practitioners, names, options)


def _read_patients(
    patients: list[Entry], references: References, blank: RosterReading, options: RosterOptions
) -> RosterReading:
    """Answers people, and pairs if any Patient names a general practitioner: without one it is no roster."""
    mbis = [read_patient_mbi(entry.resource, options.environment) for entry in patients]
    paired = any(list_objects(entry.resource, "generalPractitioner") for entry in patients)
    rows: list[PairRow] = []
    for entry, mbi in zip(patients, mbis, strict=True):
        rows.extend(_iter_pair_rows(entry, mbi, references, options) if paired else [_build_lone_row(entry, mbi)])
    positions = [row.pointer for row in rows]
    found = assemble_rows(_judge(rows, paired), positions=positions)
    return replace(
        blank,
        data_rows=len(patients),
        present=found.present,
        findings=found.findings,
        protected=found.protected,
        blind_errors=found.blind_errors,
        demographics=tuple(_iter_demographics(patients, mbis)),
    )


def _iter_pair_rows(entry: Entry, mbi: Reading, references: References, options: RosterOptions) -> Iterator[PairRow]:
    date_code = read_birth_date(entry.resource)[1]
    if is_deceased(entry.resource):
        yield PairRow(entry.pointer, mbi, "deceased_hold", None, date_code)
        return
    general = list_objects(entry.resource, "generalPractitioner")
    if not general:
        yield PairRow(entry.pointer, mbi, "npi_missing", None, date_code)
    for place, reference in enumerate(general):
        npi = read_reference_npi(reference, entry.resource, references, options.environment)
        yield PairRow(entry.pointer, mbi, npi.code, npi.value, None if place else date_code)


def _build_lone_row(entry: Entry, mbi: Reading) -> PairRow:
    return PairRow(entry.pointer, mbi, None, None, read_birth_date(entry.resource)[1])


def _judge(rows: Sequence[PairRow], paired: bool) -> Judged:
    """Answers the rows as columns; a Patient who is no pair is no row unless something is wrong with the MBI."""
    fine = PRESENT if paired else PERSON_ONLY
    verdict = [CODE_INDEX[row.mbi.code or row.npi_code or ""] or fine for row in rows]
    return Judged(
        line=np.arange(1, len(rows) + 1, dtype=np.int32),
        mbi=np.array([pack_mbi(row.mbi.value) if row.mbi.value else NO_MBI for row in rows], np.uint64),
        npi=np.array([int(row.npi) if row.npi else NO_NPI for row in rows], np.int64),
        verdict=np.array(verdict, np.uint8),
        date_code=np.array([CODE_INDEX[row.date_code or ""] for row in rows], np.uint8),
    )


def _iter_demographics(patients: list[Entry], mbis: list[Reading]) -> Iterator[Demographics]:
    """Yields each patient once, as first listed."""
    seen: set[str] = set()
    for entry, mbi in zip(patients, mbis, strict=True):
        if mbi.value is None or mbi.value in seen:
            continue
        seen.add(mbi.value)
        name = find_person_name(entry.resource)
        born = read_birth_date(entry.resource)[0]
        yield Demographics(mbi.value, name.given, name.family, born, find_gender(entry.resource), entry.pointer)


def _iter_practitioner_names(practitioners: list[Entry], options: RosterOptions) -> Iterator[PractitionerName]:
    for entry in practitioners:
        npi = read_practitioner_npi(entry.resource, options.environment).value
        if npi is not None:
            name = find_person_name(entry.resource)
            yield PractitionerName(npi, name.given, name.family, entry.pointer)


def _note_bad_practitioners(practitioners: list[Entry], blank: RosterReading, options: RosterOptions) -> RosterReading:
    """Answers a list of practitioners; a wrong NPI is a finding that blinds nobody, as no patient is meant."""
    found = ((entry.pointer, read_practitioner_npi(entry.resource, options.environment)) for entry in practitioners)
    faults = [(pointer, CODE_INDEX[reading.code]) for pointer, reading in found if reading.code]
    findings = Findings(
        [pointer for pointer, _ in faults],
        np.array([code for _, code in faults], np.uint8),
        np.zeros(len(faults), np.bool_),
    )
    return replace(blank, data_rows=len(practitioners), findings=findings)
