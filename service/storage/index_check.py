"""Tells whether the index over MBIs was made with the key of the settings; with another nobody is found again."""

from __future__ import annotations

from sqlalchemy import Connection, select

from service.storage.errors import SealBroken
from service.storage.patients import find_patients_by_id, find_patients_by_mbi
from service.storage.sealing import OrganizationKeys
from service.storage.tables.rosters import patient as patients


def check_index_key(connection: Connection, keys: OrganizationKeys) -> None:
    """Look one stored patient up by MBI; raises SealBroken when the index does not know them.

    Under another index key every patient would be taken for a new one, and nobody's history would be found.
    """
    one = select(patients.c.id).where(patients.c.organization_id == keys.organization_id).limit(1)
    patient_id = connection.execute(one).scalar_one_or_none()
    if patient_id is None:
        return
    stored = find_patients_by_id(connection, keys, keys.organization_id, [patient_id])[patient_id]
    if not find_patients_by_mbi(connection, keys, keys.organization_id, [stored.identity.mbi]):
        raise SealBroken("The index over MBIs was made with another key than ROLLCALL_INDEX_KEY.")
