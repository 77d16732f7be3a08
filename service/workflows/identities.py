"""Keep the people whom a delivery names, in small transactions, before its claims are folded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from service.domain.identifiers import pack_mbi
from service.domain.renames import find_mistaken
from service.rosters.columns.kernels import unpack_codes
from service.rosters.columns.people import ColumnPeople
from service.rosters.findings import Finding
from service.rosters.reading import ALL_PRACTITIONERS, Demographics, RosterReading
from service.runtime import Runtime
from service.storage import deliveries, panels, patients, practitioners
from service.storage.connection import Connection
from service.storage.deliveries import Delivery
from service.storage.patients.copied import mark_copied, take_back_copied
from service.storage.renames import find_renames, save_renames
from service.storage.sealing import OrganizationKeys
from service.workflows.departures import find_newer
from service.workflows.reading import Reading
from service.workflows.taking import TakenFeed

PEOPLE_PER_TRANSACTION = 4_000
"""A writer of SQLite holds everybody else up; a large roster must not do so for longer than a moment."""
CONFLICT = "demographics_conflict"


def save_people(rt: Runtime, organization_id: str, opened: Reading, taken: TakenFeed) -> Sequence[Finding]:
    """Keep the people that a delivery names, in transactions of their own, and answer what contradicts another feed.

    The answer is a warning at the row of each patient whose family name or birth date another feed told otherwise, in
    file order; the pair is not touched by it, because the MBI alone is the key (feeds 3.5). A process that dies
    half-way leaves some people known earlier than their claims, which says nothing about anybody; reading the delivery
    again repeats it. A delivery that counts late only completes what newer ones of its feed told. Raises Busy when
    another process has taken the feed.
    """
    keys, reading, contradicted = opened.keys, opened.reading, list[str]()
    newer = _find_newer(rt, organization_id, opened)
    for batch in _iter_identities(keys, reading):
        outdated = _choose_outdated(batch, newer)
        telling = patients.Telling(opened.feed.id, opened.delivery.number, rt.now(), opened.evidence_at, outdated)
        with rt.database.begin() as connection:
            taken.check(connection)
            contradicted += patients.upsert_patients(connection, keys, organization_id, batch, telling).contradicted
    with rt.database.begin() as connection:
        practitioners.upsert_practitioners(connection, organization_id, _find_treating(reading), now=rt.now())
    return _list_conflicts(reading, contradicted)


def record_renames(
    connection: Connection,
    keys: OrganizationKeys,
    organization_id: str,
    delivery: Delivery,
    changes: Sequence[tuple[str, str]],
    *,
    now: datetime,
) -> None:
    """Record changed MBIs of patients who are known, in the transaction that folds the delivery which tells them.

    Whoever has the new number is who had the former one, so what is known about them goes along; a number that was
    taken for theirs before loses it again. Numbers of people who are nobody's patients here are not kept.
    """
    known = patients.find_patients_by_mbi(connection, keys, organization_id, {mbi for pair in changes for mbi in pair})
    identities = {mbi: row.identity for mbi, row in known.items()}
    told: list[tuple[str, str]] = []
    for former, new in changes:
        if former in identities:
            told.append((former, new))
            identities.setdefault(new, replace(identities[former], mbi=new))
    if not told:
        return
    save_renames(connection, keys, organization_id, told, delivery.number, now=now)
    recorded = find_renames(connection, keys, organization_id)
    mistaken = find_mistaken(recorded)
    for mbi in {mbi for pair in told for mbi in pair} & mistaken.keys() & known.keys():
        take_back_copied(connection, keys, organization_id, known[mbi].identity, mistaken[mbi].keys(), now=now)
    last = {change.former: change.new for change in recorded}
    along: dict[str, patients.PatientIdentity] = {}
    for former, new in told:
        if last[former] == new and (new not in known or not known[new].described):
            along[new] = replace(along.get(former) or identities[former], mbi=new)
    telling = patients.Telling(delivery.feed_id, delivery.number, now)
    refused = patients.upsert_patients(connection, keys, organization_id, along.values(), telling).contradicted
    mark_copied(connection, keys, organization_id, along.keys() - set(refused))


def _list_conflicts(reading: RosterReading, contradicted: Sequence[str]) -> Sequence[Finding]:
    if not contradicted:
        return ()
    codes = np.array([pack_mbi(mbi) for mbi in contradicted], np.uint64)
    places = np.flatnonzero(np.isin(_pack_people(reading), codes))
    return [Finding(person.position, CONFLICT, "warning", blind=False) for person in _take_people(reading, places)]


def _iter_identities(keys: OrganizationKeys, reading: RosterReading) -> Iterator[list[patients.PatientIdentity]]:
    """Yield who is named, each once, a transaction's worth at a time, in the order in which storage finds them."""
    told = _pack_people(reading)
    by_code = np.argsort(told, kind="stable")
    told = told[by_code]
    everybody = np.unique(np.concatenate([reading.present.mbi, told]))
    everybody = everybody[_order_for_storage(keys, everybody)]
    for start in range(0, len(everybody), PEOPLE_PER_TRANSACTION):
        codes = everybody[start : start + PEOPLE_PER_TRANSACTION]
        first, last = np.searchsorted(told, codes, "left"), np.searchsorted(told, codes, "right")
        places = np.concatenate([by_code[a:b] for a, b in zip(first, last, strict=True)]) if len(told) else by_code
        yield _choose_identities(codes, _take_people(reading, places))


def _order_for_storage(keys: OrganizationKeys, codes: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Answer the order of the keyed index: neighbours there are neighbours on disk, so that few pages are written."""
    ranks = np.empty(len(codes), np.uint64)
    for start in range(0, len(codes), PEOPLE_PER_TRANSACTION):
        indexes = keys.index_mbis(unpack_codes(codes[start : start + PEOPLE_PER_TRANSACTION]))
        ranks[start : start + len(indexes)] = np.frombuffer(b"".join(index[:8] for index in indexes), ">u8")
    return np.argsort(ranks, kind="stable")


def _pack_people(reading: RosterReading) -> NDArray[np.uint64]:
    if isinstance(reading.demographics, ColumnPeople):
        return reading.demographics.codes
    return np.array([pack_mbi(person.mbi) for person in reading.demographics], np.uint64)


def _take_people(reading: RosterReading, places: NDArray[np.intp]) -> list[Demographics]:
    if isinstance(reading.demographics, ColumnPeople):
        return reading.demographics.take(places)
    return [reading.demographics[place] for place in places.tolist()]


def _choose_identities(codes: NDArray[np.uint64], told: Iterable[Demographics]) -> list[patients.PatientIdentity]:
    """Take of each person the last description that is enough to register them, or else the last one."""
    named: dict[str, patients.PatientIdentity] = {}
    for person in told:
        said = patients.PatientIdentity(person.mbi, person.given, person.family, person.birth_on, person.gender)
        known = named.get(person.mbi)
        if known is None or said.is_described() or not known.is_described():
            named[person.mbi] = said
    return [named.get(mbi) or patients.PatientIdentity(mbi) for mbi in unpack_codes(codes)]


def _find_treating(reading: RosterReading) -> Iterable[practitioners.Practitioner]:
    npis = np.unique(reading.present.npi).tolist()
    treating = {
        npi: practitioners.Practitioner(npi) for npi in (f"{code:010d}" for code in npis if code != ALL_PRACTITIONERS)
    }
    treating |= {p.npi: practitioners.Practitioner(p.npi, p.given, p.family) for p in reading.practitioner_names}
    return treating.values()


def _find_newer(rt: Runtime, organization_id: str, opened: Reading) -> NDArray[np.uint64]:
    """Answer of whom newer evidence of the feed tells, packed and in order; most deliveries are the newest themselves.

    Who lists a patient again tells the name again, although nothing is written for it.
    """
    with rt.database.read() as connection:
        if not deliveries.is_late(connection, organization_id, opened.delivery, opened.evidence_at):
            return np.empty(0, np.uint64)
        known = panels.load_claims(connection, opened.keys, organization_id, feed=opened.feed.id)
    claims = (panel.columns for panel in known)
    told = [each.mbi[find_newer(opened, each.evidence_at, each.delivery)] for each in claims]
    return np.unique(np.concatenate(told)) if told else np.empty(0, np.uint64)


def _choose_outdated(batch: Sequence[patients.PatientIdentity], newer: NDArray[np.uint64]) -> frozenset[str]:
    if len(newer) == 0:
        return frozenset()
    codes = np.array([pack_mbi(identity.mbi) for identity in batch], np.uint64)
    return frozenset(batch[place].mbi for place in np.flatnonzero(np.isin(codes, newer)).tolist())
