"""Fold an accepted delivery into what is known: people first, in small transactions, then the practice's claims."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from service.domain.roster import DeliveredPanel, fold_delivery
from service.rosters.reading import RosterReading
from service.runtime import Runtime
from service.storage import panels, patients, practitioners
from service.storage.connection import Connection
from service.storage.deliveries import Delivery
from service.storage.feeds import Feed
from service.storage.panel_codec import build_claim_columns, read_claims
from service.storage.rows import in_batches
from service.storage.sealing import OrganizationKeys

_EVERYBODY = "*"
PEOPLE_PER_TRANSACTION = 2_000
"""A writer of SQLite holds everybody else up; a large roster must not do so for longer than a moment."""


def save_people(
    rt: Runtime, keys: OrganizationKeys, organization_id: str, delivery: Delivery, reading: RosterReading
) -> None:
    """Keep the people that a delivery names, in transactions of their own.

    A process that dies half-way leaves some people known earlier than their claims, which says nothing about anybody;
    reading the delivery again repeats it.
    """
    for batch in in_batches(_find_identities(reading), PEOPLE_PER_TRANSACTION):
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
    known = {p.npi: p for p in panels.load_claims(connection, keys, organization_id) if p.feed == feed.id}
    for npi, delivered in _cut_by_practitioner(delivery, feed, reading, mode, known.keys()):
        panel = known.get(npi)
        before = read_claims(panel.columns) if panel else ()
        after = fold_delivery(before, delivered, feed.absences_before_removal)
        panels.save_claims(
            connection,
            keys,
            organization_id,
            npi,
            feed.id,
            build_claim_columns(after),
            now=now,
            expected_version=panel.version if panel else 0,
        )


def _find_identities(reading: RosterReading) -> Iterable[patients.PatientIdentity]:
    named = {mbi: patients.PatientIdentity(mbi) for mbi, _ in reading.present.iter_pairs()}
    for person in reading.demographics:
        told = patients.PatientIdentity(person.mbi, person.given, person.family, person.birth_on, person.gender)
        if person.mbi not in named or told.is_described() or not named[person.mbi].is_described():
            named[person.mbi] = told
    return named.values()


def _find_treating(reading: RosterReading) -> Iterable[practitioners.Practitioner]:
    treating = {npi: practitioners.Practitioner(npi) for _, npi in reading.present.iter_pairs() if npi}
    treating |= {p.npi: practitioners.Practitioner(p.npi, p.given, p.family) for p in reading.practitioner_names}
    return treating.values()


def _cut_by_practitioner(
    delivery: Delivery, feed: Feed, reading: RosterReading, mode: str, known: Iterable[str]
) -> Iterator[tuple[str, DeliveredPanel]]:
    """Yield what the delivery says about each practitioner it covers.

    A practitioner who does not occur in the file is covered only by a snapshot whose feed speaks for the whole
    organisation; otherwise the file says nothing about that panel (feeds 7.1).
    """
    present = _group_lines(reading.present.iter_pairs(), reading.present.line.tolist())
    removed = _group_lines(reading.remove.iter_pairs(), reading.remove.line.tolist())
    covered = present.keys() | (removed.keys() - {_EVERYBODY})
    if removed.get(_EVERYBODY) or (mode == "snapshot" and feed.scope == "organization" and present):
        covered |= set(known)
    protected = frozenset(reading.protected_mbis)
    removals_count = reading.blind_errors == 0 and not (
        mode == "snapshot" and reading.mode_signal in ("delta", "partial")
    )
    for npi in sorted(covered):
        yield (
            npi,
            DeliveredPanel(
                delivery=delivery.number,
                evidence_at=delivery.as_of_at or delivery.received_at,
                mode=mode,
                present=present.get(npi, {}),
                removed={**removed.get(_EVERYBODY, {}), **removed.get(npi, {})},
                protected=protected,
                removals_count=removals_count,
            ),
        )


def _group_lines(pairs: Iterable[tuple[str, str | None]], lines: Sequence[int]) -> dict[str, dict[str, int]]:
    grouped: dict[str, dict[str, int]] = defaultdict(dict)
    for (mbi, npi), line in zip(pairs, lines, strict=True):
        grouped[npi or _EVERYBODY].setdefault(mbi, line)
    return grouped
