"""Changed MBIs of an organisation's patients, sealed; which one is current, `resolve_renames` says."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, select

from service.storage.rows import insert_into
from service.storage.sealing import OrganizationKeys
from service.storage.tables.rosters import mbi_change as changes


def save_renames(
    connection: Connection,
    keys: OrganizationKeys,
    organization_id: str,
    told: Iterable[tuple[str, str]],
    delivery: int,
    *,
    now: datetime,
) -> None:
    """Record changes of MBIs (former, new) that a delivery tells; the last word on a number replaces earlier ones."""
    for former, new in told:
        index = keys.index_mbi(former)
        body = keys.seal("mbi_change", "body", index.hex(), json.dumps([former, new]).encode())
        row = {"body": body, "delivery": delivery, "recorded_at": now}
        statement = insert_into(connection, changes).values(organization_id=organization_id, old_index=index, **row)
        key = [changes.c.organization_id, changes.c.old_index]
        connection.execute(statement.on_conflict_do_update(index_elements=key, set_=row))


def find_renames(connection: Connection, keys: OrganizationKeys, organization_id: str) -> list[tuple[str, str]]:
    """Answer every recorded change (former, new), oldest first."""
    statement = (
        select(changes.c.old_index, changes.c.body)
        .where(changes.c.organization_id == organization_id)
        .order_by(changes.c.recorded_at, changes.c.delivery)
    )
    found = []
    for index, body in connection.execute(statement):
        former, new = json.loads(keys.unseal("mbi_change", "body", bytes(index).hex(), body))
        found.append((former, new))
    return found
