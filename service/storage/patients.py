"""Patients: sealed identities found by a keyed index of their MBI."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cache
from json.encoder import encode_basestring as quote
from typing import Any, NamedTuple

from sqlalchemy import Connection, Dialect, bindparam, func, select, update

from service.domain.demographics import is_contradiction, is_registrable_patient
from service.storage.rows import in_batches
from service.storage.sealing import OrganizationKeys
from service.storage.tables.rosters import patient as patients


@dataclass(frozen=True, slots=True)
class PatientIdentity:
    """Who a patient is, as far as a feed has said."""

    mbi: str = field(repr=False)
    given: str | None = field(default=None, repr=False)
    family: str | None = field(default=None, repr=False)
    birth_on: date | None = field(default=None, repr=False)
    gender: str | None = field(default=None, repr=False)

    def is_described(self) -> bool:
        """Answer whether all is known without which DPC registers nobody, in a form that it takes."""
        return is_registrable_patient(self.given, self.family, self.birth_on, self.gender)


@dataclass(frozen=True, slots=True)
class PatientRow:
    """One patient as stored; `dpc_id` is None until DPC knows the patient, `told_by` until a feed described them."""

    id: str
    dpc_id: str | None
    described: bool
    identity: PatientIdentity = field(repr=False)
    told_by: str | None = None


@dataclass(frozen=True, slots=True)
class Telling:
    """Who tells of patients: a delivery of a feed, and when."""

    feed: str
    delivery: int
    at: datetime


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
    would rewrite one another each night. The MBI alone says who it is.
    """
    written, contradicted = 0, []
    latest = {identity.mbi: identity for identity in identities}
    for batch in in_batches(latest.values()):
        told = _index(keys, batch)
        known = _find_known(connection, organization_id, told)
        fresh, anew, repeated = _sort_told(told, known)
        changed, otherwise = _compare_told(connection, keys, organization_id, anew, telling.feed)
        _insert_patients(connection, keys, organization_id, fresh, telling)
        _rewrite_identities(connection, keys, organization_id, changed, telling.at)
        _name_teller(connection, organization_id, repeated, telling.feed)
        written += len(fresh) + len(changed)
        contradicted += otherwise
    return Upserted(written, tuple(contradicted))


def find_patients_by_mbi(
    connection: Connection, keys: OrganizationKeys, organization_id: str, mbis: Iterable[str]
) -> dict[str, PatientRow]:
    """Answer the patients that are known among these MBIs, by MBI. Raises SealBroken with other keys."""
    found: dict[str, PatientRow] = {}
    statement = _select_patients(organization_id)
    for batch in in_batches(mbis):
        for row in connection.execute(statement.where(patients.c.mbi_index.in_(keys.index_mbis(batch)))):
            patient = _open_row(keys, row)
            found[patient.identity.mbi] = patient
    return found


def find_patients_by_id(
    connection: Connection, keys: OrganizationKeys, organization_id: str, patient_ids: Iterable[str]
) -> dict[str, PatientRow]:
    """Answer the patients that are known among these ids (ours, not DPC's), by id. Raises SealBroken."""
    found: dict[str, PatientRow] = {}
    statement = _select_patients(organization_id)
    for batch in in_batches(patient_ids):
        for row in connection.execute(statement.where(patients.c.id.in_(batch))):
            found[row.id] = _open_row(keys, row)
    return found


def set_dpc_ids(
    connection: Connection, keys: OrganizationKeys, organization_id: str, dpc_ids: Mapping[str, str]
) -> None:
    """Record what DPC calls these patients (MBI to DPC id); patients we do not know are passed over."""
    if not dpc_ids:
        return
    statement = update(patients).where(
        patients.c.organization_id == organization_id, patients.c.mbi_index == bindparam("of_index")
    )
    rows = [{"of_index": keys.index_mbi(mbi), "to_dpc_id": dpc_id} for mbi, dpc_id in dpc_ids.items()]
    connection.execute(statement.values(dpc_id=bindparam("to_dpc_id")), rows)


def find_all_dpc_ids(connection: Connection, keys: OrganizationKeys, organization_id: str) -> dict[str, str]:
    """Answer the MBI of every patient that DPC knows, by DPC id. Raises SealBroken with other keys."""
    rows = connection.execute(
        _select_patients(organization_id).where(patients.c.dpc_id.is_not(None)).order_by(patients.c.id)
    )
    return {row.dpc_id: _open_row(keys, row).identity.mbi for row in rows}


def find_described_mbis(connection: Connection, keys: OrganizationKeys, organization_id: str) -> frozenset[str]:
    """Answer the MBIs of patients whom DPC does not know yet and who could be registered. Raises SealBroken."""
    rows = connection.execute(
        _select_patients(organization_id).where(patients.c.described.is_(True), patients.c.dpc_id.is_(None))
    )
    return frozenset(_open_row(keys, row).identity.mbi for row in rows)


def count_patients(connection: Connection, organization_id: str) -> int:
    """Answer how many patients the organisation has ever named."""
    statement = select(func.count()).select_from(patients)
    return int(connection.scalar(statement.where(patients.c.organization_id == organization_id)) or 0)


def _select_patients(organization_id: str) -> Any:
    return select(
        patients.c.id, patients.c.dpc_id, patients.c.described, patients.c.identity, patients.c.told_by
    ).where(patients.c.organization_id == organization_id)


def _open_row(keys: OrganizationKeys, row: Any) -> PatientRow:
    identity = _read_identity(keys.unseal("patient", "identity", row.id, row.identity))
    return PatientRow(row.id, row.dpc_id, row.described, identity, row.told_by)


@dataclass(frozen=True, slots=True)
class _Told:
    """What a delivery says of one patient, and its keyed digest; None when it says nothing but the MBI."""

    identity: PatientIdentity
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
    digests = keys.digest_identities(map(_write_identity, batch))
    return {
        index: _Told(identity, digest if _says_something(identity) else None)
        for index, identity, digest in zip(indexes, batch, digests, strict=True)
    }


def _says_something(identity: PatientIdentity) -> bool:
    return bool(identity.given or identity.family or identity.birth_on or identity.gender)


@cache
def _select_known() -> Any:
    return select(patients.c.mbi_index, patients.c.id, patients.c.identity_digest, patients.c.told_by).where(
        patients.c.organization_id == bindparam("of_organization"),
        patients.c.mbi_index.in_(bindparam("of_indexes", expanding=True)),
    )


def _find_known(connection: Connection, organization_id: str, indexes: Iterable[bytes]) -> dict[bytes, _Known]:
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
    """What is known of a patient from now on, the digest of what was told, and the feed that answers for it."""

    id: str
    identity: PatientIdentity
    digest: bytes | None
    told_by: str | None


def _compare_told(
    connection: Connection, keys: OrganizationKeys, organization_id: str, told: Mapping[str, _Told], feed: str
) -> tuple[list[_Changed], list[str]]:
    """Answer what is new about these patients, named by id, and the MBIs about which another feed told otherwise."""
    changed, contradicted = [], []
    for id_, row in find_patients_by_id(connection, keys, organization_id, told).items():
        said = told[id_]
        is_foreign = row.told_by not in (None, feed)
        if is_foreign and is_contradiction(row.identity, said.identity):
            contradicted.append(row.identity.mbi)
            continue
        # The first feed to describe a patient fully answers for the patient from then on.
        leads = not is_foreign or (said.identity.is_described() and not row.described)
        merged = _complete(said.identity, row.identity) if leads else _complete(row.identity, said.identity)
        if merged != row.identity:
            changed.append(_Changed(id_, merged, said.digest, feed if leads else row.told_by))
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
    rows = [
        (
            patient_id,
            index,
            keys.seal("patient", "identity", patient_id, _write_identity(told.identity)),
            told.digest,
            told.identity.is_described(),
            telling.feed if told.digest else None,
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
            keys.seal("patient", "identity", one.id, _write_identity(one.identity)),
            one.digest,
            one.identity.is_described(),
            one.told_by,
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
    " described, told_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
_INSERT_POSTGRESQL = (
    "INSERT INTO patient (organization_id, first_delivery, updated_at, id, mbi_index, identity, identity_digest,"
    " described, told_by) SELECT %s, %s, %s, *"
    " FROM unnest(%s::text[], %s::bytea[], %s::bytea[], %s::bytea[], %s::boolean[], %s::text[])"
    " ON CONFLICT DO NOTHING"
)
"""In the words of the drivers: a million rows pass here, and building each row's parameters costs more than the row.

Another delivery may name the same new patient at the same time: the first row stays.
"""
_REWRITE = {
    "sqlite": "UPDATE patient SET identity = ?, identity_digest = ?, described = ?, told_by = ?, updated_at = ?"
    " WHERE organization_id = ? AND id = ?",
    "postgresql": "UPDATE patient SET identity = %s, identity_digest = %s, described = %s, told_by = %s,"
    " updated_at = %s WHERE organization_id = %s AND id = %s",
}


def _bind_time(dialect: Dialect, now: datetime) -> Any:
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


def _write_identity(identity: PatientIdentity) -> bytes:
    """Write the JSON of an identity, the same bytes for the same identity."""
    given = quote(identity.given) if identity.given is not None else "null"
    family = quote(identity.family) if identity.family is not None else "null"
    birth_on = f'"{identity.birth_on.isoformat()}"' if identity.birth_on else "null"
    gender = quote(identity.gender) if identity.gender is not None else "null"
    return (
        f'{{"mbi": {quote(identity.mbi)}, "given": {given}, "family": {family}, '
        f'"birth_on": {birth_on}, "gender": {gender}}}'
    ).encode()


def _read_identity(body: bytes) -> PatientIdentity:
    read = json.loads(body.decode())
    birth_on = date.fromisoformat(read["birth_on"]) if read["birth_on"] else None
    return PatientIdentity(read["mbi"], read["given"], read["family"], birth_on, read["gender"])
