"""Find what a delivery says of MBIs that a person must look at before it counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Set

import numpy as np

from service.domain.demographics import is_contradiction
from service.domain.identifiers import pack_mbi
from service.domain.joining import find_doubtful_changes
from service.domain.renames import Numbers, Renames, resolve_renames
from service.rosters.columns.people import ColumnPeople
from service.rosters.findings import Finding
from service.rosters.reading import Demographics, RosterReading
from service.storage.connection import Connection
from service.storage.panels import load_claims
from service.storage.patients import find_patients_by_mbi
from service.storage.renames import find_renames
from service.workflows.reading import Reading

JOINED = "joined_patients"


def find_joined(connection: Connection, organization_id: str, opened: Reading) -> list[Finding]:
    """Answer the changes of MBIs that could make one patient of two, and the patients who would be two by this file.

    The latter are listed under a former and the present number, and described there as two people; each is found once,
    where the file describes who has the former.
    """
    numbers = Numbers(resolve_renames(find_renames(connection, opened.keys, organization_id)))
    doubtful = _find_doubtful(connection, organization_id, opened, numbers)
    told = dict(zip(opened.reading.mbi_changes, opened.reading.change_positions, strict=True))
    places = [position for pair, position in told.items() if pair in doubtful]
    places += _find_parted(opened.reading, numbers.renames)
    return [Finding(position, JOINED, "warning", blind=False) for position in places]


def _find_doubtful(
    connection: Connection, organization_id: str, opened: Reading, numbers: Numbers
) -> set[tuple[str, str]]:
    told = {pair for pair in opened.reading.mbi_changes if numbers.renames.get(pair[0]) != pair[1]}
    if not told:
        return set()
    asked = {number for pair in told for mbi in pair for number in numbers.find_all(mbi)}
    known = find_patients_by_mbi(connection, opened.keys, organization_id, asked)
    listed = _find_listing(connection, organization_id, opened, known.keys())

    def is_contradicted(one: str, other: str) -> bool:
        return one in known and other in known and is_contradiction(known[one].identity, known[other].identity)

    return find_doubtful_changes(opened.reading.mbi_changes, numbers, known.keys(), listed, is_contradicted)


def _find_parted(reading: RosterReading, current: Renames) -> list[str]:
    """Answer where numbers stand that are one patient's by now and two people's in this file."""
    formers = np.array([pack_mbi(mbi) for mbi in current], np.uint64)
    presents = np.array([pack_mbi(mbi) for mbi in current.values()], np.uint64)
    if not len(formers) or not len(reading.demographics):
        return []
    both = np.isin(formers, reading.present.mbi) & np.isin(presents, reading.present.mbi)
    pairs = [pair for pair, is_listed in zip(current.items(), both.tolist(), strict=True) if is_listed]
    people = _find_people(reading, {mbi for pair in pairs for mbi in pair})
    return [
        people[former].position
        for former, present in pairs
        if former in people and present in people and is_contradiction(people[former], people[present])
    ]


def _find_people(reading: RosterReading, mbis: Set[str]) -> dict[str, Demographics]:
    """Answer what a file says of the people with these numbers."""
    if not mbis:
        return {}
    if isinstance(reading.demographics, ColumnPeople):
        asked = np.array([pack_mbi(mbi) for mbi in mbis], np.uint64)
        found = reading.demographics.take(np.flatnonzero(np.isin(reading.demographics.codes, asked)))
    else:
        found = [person for person in reading.demographics if person.mbi in mbis]
    return {person.mbi: person for person in found}


def _find_listing(
    connection: Connection, organization_id: str, opened: Reading, asked: Set[str]
) -> Mapping[str, set[int]]:
    """Answer the deliveries on which live claims under these numbers rest."""
    listed: defaultdict[str, set[int]] = defaultdict(set)
    if not asked:
        return listed
    codes = {pack_mbi(mbi): mbi for mbi in asked}
    sought = np.array(sorted(codes), np.uint64)
    for panel in load_claims(connection, opened.keys, organization_id):
        is_asked = np.isin(panel.columns.mbi, sought) & ~panel.columns.ended
        pairs = zip(panel.columns.mbi[is_asked].tolist(), panel.columns.delivery[is_asked].tolist(), strict=True)
        for code, delivery in pairs:
            listed[codes[code]].add(delivery)
    return listed
