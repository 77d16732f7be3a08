"""What a delivery tells of patients: who is new, who is described anew, and what stands against it."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Dialect, bindparam, select, update

from service.domain.demographics import is_contradiction
from service.storage.patients.identities import PatientIdentity, write_identity
from service.storage.patients.rows import PatientRow, find_patients_by_id
from service.storage.rows import in_batches
from service.storage.sealing import OrganizationKeys
from service.storage.tables.rosters import patient as patients


@dataclass(frozen=True, slots=True)
class Telling:
    """Who tells of patients: a delivery of a feed, and when.

    `evidence_at` is the time of which it tells; `outdated` are the MBIs of whom newer evidence of the feed has told.
    """

    feed: str
    delivery: int
    at: datetime
    evidence_at: datetime | None = None
    outdated: frozenset[str] = field(default=frozenset(), repr=False)

    def is_older(self, row: PatientRow) -> bool:
        """Answer whether its own feed has told of the patient at a later time already."""
        if row.identity.mbi in self.outdated:
            return True
        return bool(self.evidence_at and row.told_at and self.evidence_at < row.told_at)


@dataclass(frozen=True, slots=True)
class Upserted:
    """How many rows were written, and the MBIs about which another feed has told something else."""

    written: int
    contradicted: tuple[str, ...] = field(default=(), repr=False)


def upsert_patients(
    connection: Connection,
    keys: OrganizationKeys,
    organization_id: str,
    identities: Iterable[PatientIdentity],
    telling: Telling,
) -> Upserted:
    """Add patients that are new and rewrite the identity of those that this delivery describes anew.

    What a delivery is silent about stays as it is known. A feed corrects what it has told itself; what another one has
    told it only completes, and where it contradicts that in birth date or family name, nothing is changed: two feeds
    would rewrite one another each night. So a feed does not correct what it told of a later time: a file that counts
    late completes it. The MBI alone says who it is.
    """
    written, contradicted = 0, []
    latest = {identity.mbi: identity for identity in identities}
    for batch in in_batches(latest.values()):
        told = _index(keys, batch)
        known = _find_known(connection, organization_id, told)
        fresh, anew, repeated = _sort_told(told, known)
        changed, otherwise = _compare_told(connection, keys, organization_id, anew, telling)
        _insert_patients(connection, keys, organization_id, fresh, telling)
        _rewrite_identities(connection, keys, organization_id, changed, telling.at)
        _name_teller(connection, organization_id, repeated, telling.feed)
        written += len(fresh) + len(changed)
        contradicted += otherwise
    return Upserted(written, tuple(contradicted))


@dataclass(frozen=True, slots=True)
class _Told:
    """What a delivery says of one patient, as it is written, and its keyed digest.

    The digest is None when it says nothing but the MBI.
    """

    identity: PatientIdentity
    body: bytes = field(repr=False)
    digest: bytes | None


class _Known(NamedTuple):
    """Which patient it is, the digest of what was last told anew, and the feed that told it, if that was recorded."""

    id: str
    digest: bytes | None
    told_by: str | None


def _sort_told(
    told: Mapping[bytes, _Told], known: Mapping[bytes, _Known]
) -> tuple[list[tuple[bytes, _Told]], dict[str, _Told], list[str]]:
    """Answer who is new, who is described anew (by id), and who is described as before, by nobody knows whom (ids).

    Nothing is opened for this: most of a roster is as it was the day before.
    """
    fresh, anew, repeated = [], {}, []
    for index, one in told.items():
        row = known.get(index)
        if row is None:
            fresh.append((index, one))
        elif one.digest is not None and one.digest != row.digest:
            anew[row.id] = one
        elif one.digest is not None and row.told_by is None:
            repeated.append(row.id)
    return fresh, anew, repeated


def _index(keys: OrganizationKeys, batch: Sequence[PatientIdentity]) -> dict[bytes, _Told]:
    indexes = keys.index_mbis(identity.mbi for identity in batch)
    bodies = [write_identity(identity) for identity in batch]
    digests = keys.digest_identities(bodies)
    return {
        index: _Told(identity, body, digest if _says_something(identity) else None)
        for index, identity, body, digest in zip(indexes, batch, bodies, digests, strict=True)
    }


def _says_something(identity: PatientIdentity) -> bool:
    return bool(identity.given or identity.family or identity.birth_on or identity.gender)


@cache
def _select_known() -> Any:
    return select(patients.c.mbi_index, patients.c.id, patients.c.identity_digest, patients.c.told_by).where(
        patients.c.organization_id == bindparam("of_organization"),
        patients.c.mbi_index.in_(bindparam("of_indexes", expanding=True)),
    )


def _find_known(connection: Connection, organization_id: str, indexes: Collection[bytes]) -> dict[bytes, _Known]:
    if connection.dialect.name == "sqlite":
        named = {"of_organization": organization_id, "of_indexes": list(indexes)}
        rows = connection.execute(_select_known(), named)
    else:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        rows = connection.exec_driver_sql(_KNOWN_POSTGRESQL, (list(indexes), organization_id))
    return {bytes(index): _Known(id_, digest, told_by) for index, id_, digest, told_by in rows}


_KNOWN_POSTGRESQL = (
    "SELECT found.mbi_index, found.id, found.identity_digest, found.told_by"
    " FROM unnest(%s::bytea[]) AS asked(mbi_index)"
    " CROSS JOIN LATERAL (SELECT mbi_index, id, identity_digest, told_by FROM patient"
    " WHERE organization_id = %s AND mbi_index = asked.mbi_index LIMIT 1) AS found"
)
"""One look-up a patient: while a first roster fills the table, the statistics say that reading all of it is cheap."""


@dataclass(frozen=True, slots=True)
class _Changed:
    """What is known of a patient from now on, the digest of what was told, the feed that answers for it, of when."""

    id: str
    identity: PatientIdentity
    digest: bytes | None
    told_by: str | None
    told_at: datetime | None


def _compare_told(
    connection: Connection, keys: OrganizationKeys, organization_id: str, told: Mapping[str, _Told], telling: Telling
) -> tuple[list[_Changed], list[str]]:
    """Answer what is new about these patients, named by id, and the MBIs about which another feed told otherwise."""
    changed, contradicted = [], []
    for id_, row in find_patients_by_id(connection, keys, organization_id, told).items():
        said = told[id_]
        is_foreign = row.told_by not in (None, telling.feed)
        if is_foreign and is_contradiction(row.identity, said.identity):
            contradicted.append(row.identity.mbi)
            continue
        # The first feed to describe a patient fully answers for the patient from then on.
        takes_over = is_foreign and said.identity.is_described() and not row.described
        leads = takes_over or not (is_foreign or telling.is_older(row))
        merged = _complete(said.identity, row.identity) if leads else _complete(row.identity, said.identity)
        if merged != row.identity:
            source = (telling.feed, telling.evidence_at) if leads else (row.told_by or telling.feed, row.told_at)
            changed.append(_Changed(id_, merged, said.digest, *source))
    return changed, contradicted


def _complete(identity: PatientIdentity, other: PatientIdentity) -> PatientIdentity:
    """Answer the identity; where it is silent, what the other says."""
    return PatientIdentity(
        identity.mbi,
        identity.given or other.given,
        identity.family or other.family,
        identity.birth_on or other.birth_on,
        identity.gender or other.gender,
    )


def _insert_patients(
    connection: Connection,
    keys: OrganizationKeys,
    organization_id: str,
    fresh: Sequence[tuple[bytes, _Told]],
    telling: Telling,
) -> None:
    evidence_at = _bind_time(connection.dialect, telling.evidence_at)
    rows = [
        (
            patient_id,
            index,
            keys.seal("patient", "identity", patient_id, told.body),
            told.digest,
            told.identity.is_described(),
            telling.feed if told.digest else None,
            evidence_at if told.digest else None,
        )
        for patient_id, (index, told) in zip(_make_ids(len(fresh), telling.at), fresh, strict=True)
    ]
    common = (organization_id, telling.delivery, _bind_time(connection.dialect, telling.at))
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(_INSERT_SQLITE, [(*common, *row) for row in rows])
    else:  # one statement for all rows instead of one for each
        connection.exec_driver_sql(_INSERT_POSTGRESQL, (*common, *map(list, zip(*rows, strict=True))))


def _rewrite_identities(
    connection: Connection,
    keys: OrganizationKeys,
    organization_id: str,
    changed: Sequence[_Changed],
    now: datetime,
) -> None:
    at = _bind_time(connection.dialect, now)
    rows = [
        (
            keys.seal("patient", "identity", one.id, write_identity(one.identity)),
            one.digest,
            one.identity.is_described(),
            one.told_by,
            _bind_time(connection.dialect, one.told_at),
            at,
            organization_id,
            one.id,
        )
        for one in changed
    ]
    if rows:
        connection.exec_driver_sql(_REWRITE[connection.dialect.name], rows)


def _name_teller(connection: Connection, organization_id: str, patient_ids: Sequence[str], feed: str) -> None:
    """Record who tells of patients that were known before that was recorded."""
    if patient_ids:
        connection.execute(
            update(patients)
            .where(patients.c.organization_id == organization_id, patients.c.id.in_(patient_ids))
            .values(told_by=feed)
        )


_INSERT_SQLITE = (
    "INSERT INTO patient (organization_id, first_delivery, updated_at, id, mbi_index, identity, identity_digest,"
    " described, told_by, told_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
_INSERT_POSTGRESQL = (
    "INSERT INTO patient (organization_id, first_delivery, updated_at, id, mbi_index, identity, identity_digest,"
    " described, told_by, told_at) SELECT %b, %b, %b, *"
    " FROM unnest(%b::text[], %b::bytea[], %b::bytea[], %b::bytea[], %b::boolean[], %b::text[],"
    " %b::timestamptz[])"
    " ON CONFLICT DO NOTHING"
)
"""In the words of the drivers: a million rows pass here, and building each row's parameters costs more than the row.

Another delivery may name the same new patient at the same time: the first row stays.
"""
_REWRITE = {
    "sqlite": "UPDATE patient SET identity = ?, identity_digest = ?, described = ?, told_by = ?, told_at = ?,"
    " updated_at = ? WHERE organization_id = ? AND id = ?",
    "postgresql": "UPDATE patient SET identity = %s, identity_digest = %s, described = %s, told_by = %s,"
    " told_at = %s, updated_at = %s WHERE organization_id = %s AND id = %s",
}


def _bind_time(dialect: Dialect, now: datetime | None) -> Any:
    """Answer a time as the driver is given it by the column's own type."""
    kind = patients.c.updated_at.type.dialect_impl(dialect)
    write = kind.bind_processor(dialect)
    return write(now) if write else now


def _make_ids(n: int, now: datetime) -> list[str]:
    """Answer ids in order: UUIDs of version 7 (RFC 9562), which grow with time and so lie together on disk."""
    moment = f"{int(now.timestamp() * 1000):012x}"
    start = f"{moment[:8]}-{moment[8:]}-7"
    noise = os.urandom(10 * n).hex()
    cut = (noise[at : at + 20] for at in range(0, len(noise), 20))
    return sorted(f"{start}{text[:3]}-{_VARIANT[text[3]]}{text[4:7]}-{text[7:19]}" for text in cut)


_VARIANT = {digit: "89ab"[int(digit, 16) % 4] for digit in "0123456789abcdef"}
