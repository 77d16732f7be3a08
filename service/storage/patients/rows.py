"""Patients as they are stored: found by a keyed index of their MBI, by our id, and by DPC's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update

from service.storage.patients.identities import PatientIdentity, read_identity
from service.storage.rows import in_batches
from service.storage.sealing import OrganizationKeys
from service.storage.tables.rosters import patient as patients


@dataclass(frozen=True, slots=True)
class PatientRow:
    """One patient as stored; `dpc_id` is None until DPC knows the patient, `told_by` until a feed described them.

    `told_at` is the as-of time of the file from which that feed's description is, None where it was not recorded.
    """

    id: str
    dpc_id: str | None
    described: bool
    identity: PatientIdentity = field(repr=False)
    told_by: str | None = None
    told_at: datetime | None = None


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
        patients.c.id,
        patients.c.dpc_id,
        patients.c.described,
        patients.c.identity,
        patients.c.told_by,
        patients.c.told_at,
    ).where(patients.c.organization_id == organization_id)


def _open_row(keys: OrganizationKeys, row: Any) -> PatientRow:
    identity = read_identity(keys.unseal("patient", "identity", row.id, row.identity))
    return PatientRow(row.id, row.dpc_id, row.described, identity, row.told_by, row.told_at)
