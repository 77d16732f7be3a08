"""Patients: sealed identities found by a keyed index of their MBI."""

from __future__ import annotations

from service.storage.patients.identities import PatientIdentity, write_identity
from service.storage.patients.rows import (
    PatientRow,
    count_patients,
    find_all_dpc_ids,
    find_described_mbis,
    find_patients_by_id,
    find_patients_by_mbi,
    set_dpc_ids,
)
from service.storage.patients.telling import Telling, Upserted, upsert_patients

__all__ = [
    "PatientIdentity",
    "PatientRow",
    "Telling",
    "Upserted",
    "count_patients",
    "find_all_dpc_ids",
    "find_described_mbis",
    "find_patients_by_id",
    "find_patients_by_mbi",
    "set_dpc_ids",
    "upsert_patients",
    "write_identity",
]
