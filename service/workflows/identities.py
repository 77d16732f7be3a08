"""Keep the people whom a delivery names, in small transactions, before its claims are folded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from service.domain.identifiers import pack_mbi
from service.rosters.columns.kernels import unpack_codes
from service.rosters.columns.people import ColumnPeople
from service.rosters.findings import Finding
from service.rosters.reading import ALL_PRACTITIONERS, Demographics, RosterReading
from service.runtime import Runtime
from service.storage import patients, practitioners
from service.storage.connection import Connection
from service.storage.deliveries import Delivery
from service.storage.renames import save_renames
from service.storage.sealing import OrganizationKeys

PEOPLE_PER_TRANSACTION = 4_000
"""A writer of SQLite holds everybody else up; a large roster must not do so for longer than a moment."""
CONFLICT = "demographics_conflict"


def save_people(
    rt: Runtime, keys: OrganizationKeys, organization_id: str, delivery: Delivery, reading: RosterReading
) -> Sequence[Finding]:
    """Keep the people that a delivery names, in transactions of their own, and answer what contradicts another feed.

    The answer is a warning at the row of each patient whose family name or birth date another feed told otherwise, in
    file order; the pair is not touched by it, because the MBI alone is the key (feeds 3.5). A process that dies
    half-way leaves some people known earlier than their claims, which says nothing about anybody; reading the delivery
    again repeats it.
    """
    contradicted: list[str] = []
    for batch in _iter_identities(keys, reading):
        telling = patients.Telling(delivery.feed_id, delivery.number, rt.now())
        with rt.database.begin() as connection:
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

    Whoever has the new number is who had the former one, so what is known about them goes along. Numbers of people who
    are nobody's patients here are not kept.
    """
    known = patients.find_patients_by_mbi(connection, keys, organization_id, {mbi for pair in changes for mbi in pair})
    identities = {mbi: row.identity for mbi, row in known.items()}
    told, along = [], {}
    for former, new in changes:
        if former not in identities:
            continue
        told.append((former, new))
        if new not in known or not known[new].described:
            along[new] = identities[new] = replace(identities[former], mbi=new)
    save_renames(connection, keys, organization_id, told, delivery.number, now=now)
    telling = patients.Telling(delivery.feed_id, delivery.number, now)
    patients.upsert_patients(connection, keys, organization_id, along.values(), telling)


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
