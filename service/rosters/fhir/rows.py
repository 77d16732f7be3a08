"""Rows of patient and practitioner as read from resources, and the reading they add up to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np

from service.domain.demographics import is_contradiction
from service.domain.identifiers import Environment, Reading, pack_mbi
from service.rosters.columns.assemble import assemble_rows
from service.rosters.columns.evaluate import PRESENT, Judged, refuse_organization
from service.rosters.columns.kernels import NO_MBI, NO_NPI
from service.rosters.fhir.entries import Entry
from service.rosters.fhir.references import AMBIGUOUS, References, Target, strip_version
from service.rosters.fhir.resources import (
    Resource,
    find_gender,
    find_person_name,
    is_deceased,
    list_objects,
    list_patient_mbis,
    read_birth_date,
    read_patient_mbi,
)
from service.rosters.findings import CODE_INDEX, Finding, insert_findings
from service.rosters.limits import TooLarge
from service.rosters.reading import ALL_PRACTITIONERS, Demographics, RosterOptions, RosterReading

_UNRESOLVED = Reading(None, "unresolved_reference")


@dataclass(frozen=True, slots=True)
class PairRow:
    """One patient with one practitioner, as read.

    `verdict` is what the row says where nothing is wrong; an NPI that is neither there nor missed means all
    practitioners. `date_code` is the warning that the birth date earns.
    """

    pointer: str
    mbi: Reading
    npi: Reading
    date_code: str | None = None
    verdict: int = PRESENT


@dataclass(frozen=True, slots=True)
class Input:
    """All resources of one input: its Patients with their MBIs, what references lead to, and the MBIs of the dead."""

    entries: Sequence[Entry]
    references: References
    mbis: Mapping[int, Reading]
    dead: Set[str]
    environment: Environment

    def list_kind(self, kind: str) -> list[Entry]:
        """Answers the resources of one type."""
        return [entry for entry in self.entries if entry.kind == kind]

    def read_mbi(self, patient: Resource) -> Reading:
        """Answers the MBI of a Patient, contained ones included."""
        return self.mbis.get(id(patient)) or read_patient_mbi(patient, self.environment)

    def read_referred(self, reference: Resource, holder: Resource) -> tuple[Reading, Target | None]:
        """Answers the MBI that a reference to a patient leads to, and the Patient if the input holds it.

        A Patient without MBI has that of the reference's own identifier; two that differ are `multiple_mbi`. A Group
        is nobody (feeds 4.1).
        """
        text = reference.get("reference")
        target = self.references.find(text, holder)
        kind = target.resource.get("resourceType") if target else reference.get("type")
        if kind == "Group" or (isinstance(text, str) and "Group" in strip_version(text).split("/")[-2:-1]):
            return Reading(None, "unsupported_subgroup"), None
        if target is AMBIGUOUS or (target is not None and kind != "Patient"):
            return _UNRESOLVED, None
        own = read_patient_mbi(reference, self.environment)
        if target is None:
            return (_UNRESOLVED if text is not None and own.code == "mbi_missing" else own), None
        mbi = self.read_mbi(target.resource)
        if mbi.value and own.value and mbi.value != own.value:
            return Reading(None, "multiple_mbi"), target
        return (own if mbi.code == "mbi_missing" else mbi), target

    def is_dead(self, mbi: Reading, patient: Resource | None) -> bool:
        """Answers whether any Patient of the input says of that person that he or she has died (feeds 3.5)."""
        return mbi.value in self.dead or (patient is not None and is_deceased(patient))


def build_input(entries: Sequence[Entry], environment: Environment) -> Input:
    """Answers the resources of one input, ready to be looked up."""
    references = References((entry.url, entry.resource) for entry in entries)
    patients = (entry.resource for entry in entries if entry.kind == "Patient")
    mbis = {id(patient): read_patient_mbi(patient, environment) for patient in patients}
    dead = {
        mbi
        for entry in entries
        for one in _iter_told(entry)
        if one.get("resourceType") == "Patient" and is_deceased(one)
        for mbi in list_patient_mbis(one, environment)
    }
    return Input(entries, references, mbis, dead, environment)


def _iter_told(entry: Entry) -> Iterator[Resource]:
    """Yields a resource and those inside it."""
    yield entry.resource
    yield from list_objects(entry.resource, "contained")
    if entry.kind == "Parameters":
        found = (one.get("resource") for one in list_objects(entry.resource, "parameter"))
        yield from (one for one in found if isinstance(one, dict))


def build_pairs_reading(
    rows: Sequence[PairRow], source: Input, blank: RosterReading, options: RosterOptions, *, whole: bool = False
) -> RosterReading:
    """Answers the reading of the rows; people are those of its pairs, or with `whole` every Patient of the input.

    Raises TooLarge.
    """
    if len(rows) > options.max_rows:
        raise TooLarge
    positions = [row.pointer.removesuffix("#") for row in rows]
    found = assemble_rows(_judge(rows, options), positions=positions, ended_is_absent=options.mode == "snapshot")
    named = None if whole else {mbi for mbi, _ in found.present.iter_pairs()}
    people, differing = _list_people(source, named)
    return replace(
        blank,
        data_rows=len(rows),
        present=found.present,
        remove=found.remove,
        findings=insert_findings(found.findings, differing),
        protected=found.protected,
        blind_errors=found.blind_errors,
        demographics=people,
        positions=positions,
    )


def _judge(rows: Sequence[PairRow], options: RosterOptions) -> Judged:
    npi = np.array([_number_npi(row.npi) for row in rows], np.int64)
    verdict = np.array([CODE_INDEX[row.mbi.code or row.npi.code or ""] or row.verdict for row in rows], np.uint8)
    refuse_organization(npi, verdict, options.organization_npi)
    return Judged(
        line=np.arange(1, len(rows) + 1, dtype=np.int32),
        mbi=np.array([pack_mbi(row.mbi.value) if row.mbi.value else NO_MBI for row in rows], np.uint64),
        npi=npi,
        verdict=verdict,
        date_code=np.array([CODE_INDEX[row.date_code or ""] for row in rows], np.uint8),
    )


def _number_npi(npi: Reading) -> int:
    if npi.value:
        return int(npi.value)
    return int(NO_NPI) if npi.code else ALL_PRACTITIONERS


def _list_people(source: Input, named: set[str] | None) -> tuple[tuple[Demographics, ...], list[Finding]]:
    """Answers each patient once, as first listed, and a remark on every later Patient who contradicts that."""
    people: dict[str, Demographics] = {}
    differing: list[Finding] = []
    for entry in source.list_kind("Patient"):
        mbi = source.read_mbi(entry.resource).value
        if mbi is None or (named is not None and mbi not in named):
            continue
        name = find_person_name(entry.resource)
        born = read_birth_date(entry.resource)[0]
        position = entry.pointer.removesuffix("#")
        told = Demographics(mbi, name.given, name.family, born, find_gender(entry.resource), position)
        if is_contradiction(people.setdefault(mbi, told), told):
            differing.append(Finding(position, "demographics_differ", "warning", blind=False))
    return tuple(people.values()), differing
