"""Patients: sealed identities found by a keyed index of their MBI."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from service.domain.demographics import is_registrable_patient
from service.storage.rows import in_batches, insert_into, new_id
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
    """One patient as stored; `dpc_id` is None until DPC knows the patient."""

    id: str
    dpc_id: str | None
    described: bool
    identity: PatientIdentity = field(repr=False)


def upsert_patients(
    connection: Connection,
    keys: OrganizationKeys,
    organization_id: str,
    identities: Iterable[PatientIdentity],
    delivery: int,
    *,
    now: datetime,
) -> int:
    """Add patients that are new and rewrite the identity of those that this delivery describes anew.

    Answers how many rows were written. What a delivery is silent about stays as it is known.
    """
    written = 0
    latest = {identity.mbi: identity for identity in identities}
    for batch in in_batches(latest.values()):
        known = find_patients_by_mbi(connection, keys, organization_id, [identity.mbi for identity in batch])
        fresh = [identity for identity in batch if identity.mbi not in known]
        changed = [
            (known[identity.mbi].id, _merge(known[identity.mbi].identity, identity))
            for identity in batch
            if identity.mbi in known and _says_more(known[identity.mbi].identity, identity)
        ]
        _insert_patients(connection, keys, organization_id, fresh, delivery, now)
        _rewrite_identities(connection, keys, organization_id, changed, now)
        written += len(fresh) + len(changed)
    return written


def find_patients_by_mbi(
    connection: Connection, keys: OrganizationKeys, organization_id: str, mbis: Iterable[str]
) -> dict[str, PatientRow]:
    """Answer the patients that are known among these MBIs, by MBI. Raises SealBroken with other keys."""
    found: dict[str, PatientRow] = {}
    statement = _select_patients(organization_id)
    for batch in in_batches(mbis):
        indexes = [keys.index_mbi(mbi) for mbi in batch]
        for row in connection.execute(statement.where(patients.c.mbi_index.in_(indexes))):
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
    return select(patients.c.id, patients.c.dpc_id, patients.c.described, patients.c.identity).where(
        patients.c.organization_id == organization_id
    )


def _open_row(keys: OrganizationKeys, row: Any) -> PatientRow:
    identity = _read_identity(keys.unseal("patient", "identity", row.id, row.identity))
    return PatientRow(row.id, row.dpc_id, row.described, identity)


def _says_more(known: PatientIdentity, told: PatientIdentity) -> bool:
    return _merge(known, told) != known


def _merge(known: PatientIdentity, told: PatientIdentity) -> PatientIdentity:
    """Take what was told; where that is silent, what is known stays."""
    return PatientIdentity(
        told.mbi,
        told.given or known.given,
        told.family or known.family,
        told.birth_on or known.birth_on,
        told.gender or known.gender,
    )


def _insert_patients(
    connection: Connection,
    keys: OrganizationKeys,
    organization_id: str,
    fresh: Iterable[PatientIdentity],
    delivery: int,
    now: datetime,
) -> None:
    rows = [
        {
            "organization_id": organization_id,
            "id": (patient_id := new_id()),
            "mbi_index": keys.index_mbi(identity.mbi),
            "identity": _seal_identity(keys, patient_id, identity),
            "described": identity.is_described(),
            "first_delivery": delivery,
            "updated_at": now,
        }
        for identity in fresh
    ]
    if rows:  # another delivery may name the same new patient at the same time: the first row stays
        connection.execute(insert_into(connection, patients).on_conflict_do_nothing(), rows)


def _rewrite_identities(
    connection: Connection,
    keys: OrganizationKeys,
    organization_id: str,
    changed: Iterable[tuple[str, PatientIdentity]],
    now: datetime,
) -> None:
    rows = [
        {"of_id": id_, "sealed": _seal_identity(keys, id_, identity), "is_described": identity.is_described()}
        for id_, identity in changed
    ]
    if not rows:
        return
    statement = (
        update(patients)
        .where(patients.c.organization_id == organization_id, patients.c.id == bindparam("of_id"))
        .values(identity=bindparam("sealed"), described=bindparam("is_described"), updated_at=now)
    )
    connection.execute(statement, rows)


def _seal_identity(keys: OrganizationKeys, patient_id: str, identity: PatientIdentity) -> bytes:
    body = {
        "mbi": identity.mbi,
        "given": identity.given,
        "family": identity.family,
        "birth_on": identity.birth_on.isoformat() if identity.birth_on else None,
        "gender": identity.gender,
    }
    return keys.seal("patient", "identity", patient_id, json.dumps(body, ensure_ascii=False).encode())


def _read_identity(body: bytes) -> PatientIdentity:
    read = json.loads(body.decode())
    birth_on = date.fromisoformat(read["birth_on"]) if read["birth_on"] else None
    return PatientIdentity(read["mbi"], read["given"], read["family"], birth_on, read["gender"])
