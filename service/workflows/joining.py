"""Count what a delivery says of MBIs that a person must look at before it counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Set

import numpy as np

from service.domain.demographics import Described, is_contradiction
from service.domain.identifiers import pack_mbi
from service.domain.joining import find_doubtful_changes, group_numbers
from service.domain.roster import Renames, resolve_renames
from service.rosters.columns.people import ColumnPeople
from service.rosters.reading import Demographics, RosterReading
from service.storage.connection import Connection
from service.storage.panels import load_claims
from service.storage.patients import find_patients_by_mbi
from service.storage.renames import find_renames
from service.workflows.reading import Reading


def count_joined(connection: Connection, organization_id: str, opened: Reading) -> int:
    """Count the changes of MBIs that could make one patient of two, and the patients who would be two by this file.

    The latter are listed under a former and the present number, and described there as two people.
    """
    current = resolve_renames(find_renames(connection, opened.keys, organization_id))
    return _count_changes(connection, organization_id, opened, current) + _count_parted(opened.reading, current)


def _count_changes(connection: Connection, organization_id: str, opened: Reading, current: Renames) -> int:
    told = {pair for pair in opened.reading.mbi_changes if current.get(pair[0]) != pair[1]}
    if not told:
        return 0
    numbers = group_numbers(current)
    asked = {number for pair in told for mbi in pair for number in numbers.get(mbi, {mbi})}
    known = find_patients_by_mbi(connection, opened.keys, organization_id, asked)
    listed = _find_listing(connection, organization_id, opened, known.keys())

    def is_contradicted(one: str, other: str) -> bool:
        return one in known and other in known and is_contradiction(known[one].identity, known[other].identity)

    return len(find_doubtful_changes(opened.reading.mbi_changes, current, known.keys(), listed, is_contradicted))


def _count_parted(reading: RosterReading, current: Renames) -> int:
    """Count the numbers that stand for one patient by now and for two people in this file."""
    formers = np.array([pack_mbi(mbi) for mbi in current], np.uint64)
    presents = np.array([pack_mbi(mbi) for mbi in current.values()], np.uint64)
    if not len(formers) or not len(reading.demographics):
        return 0
    both = np.isin(formers, reading.present.mbi) & np.isin(presents, reading.present.mbi)
    pairs = [pair for pair, is_listed in zip(current.items(), both.tolist(), strict=True) if is_listed]
    people: Mapping[str, Described] = _find_people(reading, {mbi for pair in pairs for mbi in pair})
    return sum(
        former in people and present in people and is_contradiction(people[former], people[present])
        for former, present in pairs
    )


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
