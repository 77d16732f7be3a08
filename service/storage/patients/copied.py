"""Descriptions that a changed MBI has brought from one number to another, and how they are taken back."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import Connection, select, update

from service.storage.patients.identities import PatientIdentity, write_identity
from service.storage.patients.rows import find_patients_by_mbi
from service.storage.rows import in_batches
from service.storage.sealing import OrganizationKeys
from service.storage.tables.rosters import patient as patients


def mark_copied(connection: Connection, keys: OrganizationKeys, organization_id: str, mbis: Collection[str]) -> None:
    """Record that no feed has told who has these numbers, so that the first one that does has its way."""
    for batch in in_batches(mbis):
        where = patients.c.organization_id == organization_id, patients.c.mbi_index.in_(keys.index_mbis(batch))
        connection.execute(update(patients).where(*where).values(told_by=None, told_at=None))


def take_back_copied(
    connection: Connection,
    keys: OrganizationKeys,
    organization_id: str,
    copied: PatientIdentity,
    mbis: Collection[str],
    *,
    now: datetime,
) -> None:
    """Take from these numbers what was copied to them from somebody's description, and nothing that a feed told.

    What a feed has told as a whole is the number's own. Of anything else, what is the same as in the copied description
    goes; where a feed did tell it, its next file tells it again.
    """
    for mbi, row in find_patients_by_mbi(connection, keys, organization_id, mbis).items():
        this = patients.c.organization_id == organization_id, patients.c.id == row.id
        digest = connection.scalar(select(patients.c.identity_digest).where(*this))
        if row.told_by is not None and digest in keys.digest_identities([write_identity(row.identity)]):
            continue
        known = row.identity
        own = PatientIdentity(
            mbi,
            known.given if known.given != copied.given else None,
            known.family if known.family != copied.family else None,
            known.birth_on if known.birth_on != copied.birth_on else None,
            known.gender if known.gender != copied.gender else None,
        )
        changed = {
            "identity": keys.seal("patient", "identity", row.id, write_identity(own)),
            "identity_digest": None,
            "described": own.is_described(),
            "told_by": row.told_by if own != PatientIdentity(mbi) else None,
            "told_at": None,
            "updated_at": now,
        }
        connection.execute(update(patients).where(*this).values(changed))
