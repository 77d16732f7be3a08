"""Fold an accepted delivery into what is known: people first, in small transactions, then the practice's claims."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from service.domain.identifiers import pack_mbi
from service.rosters.columns.kernels import unpack_codes
from service.rosters.columns.people import ColumnPeople
from service.rosters.reading import ALL_PRACTITIONERS, Columns, Demographics, RosterReading
from service.runtime import Runtime
from service.storage import panels, patients, practitioners
from service.storage.connection import Connection
from service.storage.deliveries import Delivery
from service.storage.feeds import Feed
from service.storage.panel_codec import NO_CLAIMS
from service.storage.panels.folding import DeliveredColumns, Listed, fold_columns, list_once, unite_listed
from service.storage.sealing import OrganizationKeys

PEOPLE_PER_TRANSACTION = 4_000
"""A writer of SQLite holds everybody else up; a large roster must not do so for longer than a moment."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def save_people(
    rt: Runtime, keys: OrganizationKeys, organization_id: str, delivery: Delivery, reading: RosterReading
) -> None:
    """Keep the people that a delivery names, in transactions of their own.

    A process that dies half-way leaves some people known earlier than their claims, which says nothing about anybody;
    reading the delivery again repeats it.
    """
    for batch in _iter_identities(keys, reading):
        with rt.database.begin() as connection:
            patients.upsert_patients(connection, keys, organization_id, batch, delivery.number, now=rt.now())
    with rt.database.begin() as connection:
        practitioners.upsert_practitioners(connection, organization_id, _find_treating(reading), now=rt.now())


def fold_claims(
    connection: Connection,
    keys: OrganizationKeys,
    organization_id: str,
    delivery: Delivery,
    feed: Feed,
    reading: RosterReading,
    *,
    mode: str,
    now: datetime,
) -> None:
    """Fold what the delivery says into the claims of its feed, one new panel version per practitioner it changes."""
    known = {panel.npi: panel for panel in panels.load_claims(connection, keys, organization_id, feed=feed.id)}
    limit = feed.absences_before_removal
    folded = (
        (npi, panel, fold_columns(panel.columns if panel else NO_CLAIMS, delivered, limit))
        for npi, panel, delivered in (
            (npi, known.get(npi), delivered)
            for npi, delivered in _cut_by_practitioner(delivery, feed, reading, mode, known)
        )
    )
    panels.save_folded(connection, keys, organization_id, feed.id, folded, now=now)


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
    treating = {npi: practitioners.Practitioner(npi) for npi in map(_write_npi, npis) if npi}
    treating |= {p.npi: practitioners.Practitioner(p.npi, p.given, p.family) for p in reading.practitioner_names}
    return treating.values()


def _write_npi(npi: int) -> str | None:
    return None if npi == ALL_PRACTITIONERS else f"{npi:010d}"


def _cut_by_practitioner(
    delivery: Delivery, feed: Feed, reading: RosterReading, mode: str, known: Iterable[str]
) -> Iterator[tuple[str, DeliveredColumns]]:
    """Yield what the delivery says about each practitioner it covers.

    A practitioner who does not occur in the file is covered only by a snapshot whose feed speaks for the whole
    organisation; otherwise the file says nothing about that panel (feeds 7.1).
    """
    present, removed = _cut_columns(reading.present), _cut_columns(reading.remove)
    for_everybody = removed.pop(None, Listed())
    covered = {npi for npi in present.keys() | removed.keys() if npi is not None}
    if len(for_everybody.mbi) or (mode == "snapshot" and feed.scope == "organization" and present):
        covered |= set(known)
    removals_count = reading.blind_errors == 0 and not (
        mode == "snapshot" and reading.mode_signal in ("delta", "partial")
    )
    nobody = Listed()
    for npi in sorted(covered):
        yield (
            npi,
            DeliveredColumns(
                delivery=delivery.number,
                evidence_at=((delivery.as_of_at or delivery.received_at) - _EPOCH) // timedelta(seconds=1),
                is_snapshot=mode == "snapshot",
                present=present.get(npi, nobody),
                removed=unite_listed(for_everybody, removed.get(npi, nobody)),
                protected=reading.protected,
                removals_count=removals_count,
            ),
        )


def _cut_columns(pairs: Columns) -> dict[str | None, Listed]:
    """Cut pairs by practitioner, None for those that concern every one; of a pair the first line counts."""
    if len(pairs) == 0:
        return {}
    order = np.argsort(pairs.npi, kind="stable")
    npis = pairs.npi[order]
    starts = np.flatnonzero(np.diff(npis, prepend=npis[0] - 1))
    parts = np.split(order, starts[1:])
    return {
        _write_npi(npi): list_once(pairs.mbi[part], pairs.line[part])
        for npi, part in zip(npis[starts].tolist(), parts, strict=True)
    }
